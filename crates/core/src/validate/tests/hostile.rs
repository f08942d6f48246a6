use proptest::{collection, prelude::*};

use super::*;
use crate::{
    plan::{plan, tests::defaults},
    process::UnitKind,
    validate::DEPTH_LIMIT,
};

#[test]
fn depth_is_limited() {
    let process = one_input(json!({"schema": {}, "minOccurs": 0}));
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    assert!(check(&process, json!({"inputs": {"x": nested(DEPTH_LIMIT)}})).is_ok());
    assert_eq!(pointers(check(&process, json!({"inputs": {"x": nested(DEPTH_LIMIT + 1)}}))), ["/inputs/x"]);
}

#[test]
fn what_no_command_line_can_have_is_a_fault() {
    let process = everything();
    for bad in ["a\0b".to_owned(), "a".repeat(200_000)] {
        assert_eq!(pointers(check(&process, json!({"inputs": {"name": bad}}))), ["/inputs/name"]);
    }
    // Files may have both.
    let file = json!({"inputs": {"name": "a", "mix": "a\0b", "shipped": "a".repeat(200_000)}});
    assert!(check(&process, file).is_ok());
}

#[test]
fn a_thousand_faults_are_told_in_a_readable_number() {
    let process = one_input(json!({"schema": {"type": "integer"}, "maxOccurs": "unbounded"}));
    let faults = check(&process, json!({"inputs": {"x": vec!["a"; 100_000]}})).unwrap_err();
    assert_eq!(faults.len(), 201);
    assert!(faults[200].detail.contains("99800"), "{:?}", faults[200]);
}

#[test]
fn names_that_look_like_paths_are_only_unknown_names() {
    for name in ["../x", "a\0b", "a\nb", "/etc/passwd", "~", &"x".repeat(300), ""] {
        let mut inputs = serde_json::Map::new();
        inputs.insert("name".into(), json!("a"));
        inputs.insert(name.into(), json!(1));
        let faults = check(&everything(), json!({"inputs": inputs})).unwrap_err();
        assert_eq!(faults.len(), 1);
        let escaped = name.replace('~', "~0").replace('/', "~1");
        assert_eq!(faults[0].pointer, format!("/inputs/{escaped}"));
    }
}

/// JSON with the words that mean something in a request.
fn any_json() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "value",
        "href",
        "bbox",
        "crs",
        "type",
        "mediaType",
        "encoding",
        "format",
        "schema",
        "collection",
        "process",
        "coordinates",
        "features",
        "geometry",
        "properties",
        "a",
    ]);
    let texts = prop::sample::select(vec![
        "",
        "a",
        "aGVsbG8=",
        "https://example.com/../a%2f..%2fb.tif",
        "https://x/%00",
        "file:///etc/passwd",
        "text/csv",
        "image/tiff",
        "base64",
        "application/gml+xml",
        "Point",
        "FeatureCollection",
        "Feature",
        "a\0b",
        "2026-01-31T12:00:00Z",
        "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
        "https://here.example/jobs/01890163-8694-739b-aea5-966c26f8ad91/results/grid",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-20_i64..20).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        texts.prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, move |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            collection::vec((words.clone(), inner), 0..5).prop_map(|members| Value::Object(
                members.into_iter().map(|(name, value)| (name.into(), value)).collect()
            )),
        ]
    })
}

/// Something near to what an input wants.
fn near(input: &'static str) -> BoxedStrategy<Value> {
    let text = any::<String>().prop_map(Value::from);
    match input {
        "level" | "onlyValue" => prop_oneof![(0.0..10.0_f64).prop_map(Value::from), any_json()].boxed(),
        "many" => collection::vec(any::<i32>().prop_map(Value::from), 0..4).prop_map(Value::from).boxed(),
        "box" => collection::vec(any::<f64>(), 3..7).prop_map(|bbox| json!({"bbox": bbox})).boxed(),
        "dem" | "tiles" | "mix" | "onlyLink" => "[a-zA-Z0-9/%._~?=-]{0,40}"
            .prop_map(|path| json!({"href": format!("https://example.com/{path}")}))
            .boxed(),
        _ => text.boxed(),
    }
}

fn any_inputs() -> impl Strategy<Value = Value> {
    let names = [
        "level",
        "many",
        "lists",
        "flags",
        "box",
        "place",
        "obj",
        "dem",
        "tiles",
        "file",
        "mix",
        "shipped",
        "when",
        "onlyLink",
        "onlyValue",
        "key",
    ];
    let one = |name: &'static str| {
        prop_oneof![3 => Just(None), 2 => near(name).prop_map(Some), 1 => any_json().prop_map(Some)]
            .prop_map(move |value| value.map(|value| (name.to_owned(), value)))
            .boxed()
    };
    let strategies: Vec<_> = names.into_iter().map(one).collect();
    strategies.prop_map(|given| {
        let named = std::iter::once(("name".to_owned(), json!("a")));
        Value::Object(named.chain(given.into_iter().flatten()).collect())
    })
}

fn without(mut body: Value, faults: &[Fault]) -> Value {
    let inputs = body["inputs"].as_object_mut().unwrap();
    for fault in faults {
        inputs.remove(fault.pointer.split('/').nth(2).unwrap());
    }
    body
}

fn is_safe(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    first
        && name.len() <= 100
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

static PROCESS: std::sync::LazyLock<Process> = std::sync::LazyLock::new(everything);

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// Whatever is sent, there is an answer; what is accepted can be planned, in safe file names, twice the same.
    #[test]
    fn any_request_is_answered_and_what_is_accepted_is_planned(inputs in any_inputs()) {
        let process = &*PROCESS;
        let body = json!({"inputs": inputs});
        let kept = crate::validate::mask(process, &body);
        prop_assert!(kept["inputs"].get("key").is_none_or(|key| key == "***"));
        let valid = match check(process, body.clone()) {
            Ok(valid) => valid,
            // Without the inputs that have faults, the rest is right.
            Err(faults) => check(process, without(body, &faults)).unwrap(),
        };
        let unit = process.unit_for(UnitKind::Command).unwrap();
        let made = plan(process, unit, &valid, &defaults());
        prop_assert_eq!(&made, &plan(process, unit, &valid, &defaults()));
        let mut paths = std::collections::HashSet::new();
        for item in &made.stage {
            prop_assert!(is_safe(&item.name), "{:?}", item.name);
            prop_assert!(paths.insert((item.input.clone(), item.index, item.name.clone())), "{:?} twice", item);
        }
        let files = made.command.iter().flat_map(|arg| &arg.0).filter_map(|part| match part {
            rutter_types::agent::Part::File { stage, .. } | rutter_types::agent::Part::Staged { stage } => Some(*stage),
            rutter_types::agent::Part::Text(text) => { assert!(!text.contains('\0')); None }
        });
        for stage in files {
            prop_assert!(stage < made.stage.len());
        }
    }

    /// Any JSON at all for a single input of every kind.
    #[test]
    fn no_json_makes_validation_panic(value in any_json()) {
        let process = &*PROCESS;
        for id in process.inputs.keys() {
            let _ = check(process, json!({"inputs": {"name": "a", id.as_str(): value}}));
        }
    }
}
