//! Plans of a process with every kind of input, as they are stored.

use rutter_types::agent::{Arg, FetchPolicy, FileField, Find, Limits, Part};
use serde_json::{Value, json};

use super::{Needs, Plan, PlanDefaults, plan};
use crate::{
    process::{Process, UnitKind},
    validate::tests::{JOB, check, everything, process},
};

pub(crate) fn defaults() -> PlanDefaults {
    PlanDefaults {
        needs: Needs { cpu_milli: 1000, memory_bytes: 512_000_000 },
        limits: Limits {
            command_seconds: 3600,
            grace_seconds: 10,
            memory_bytes: None,
            scratch_bytes: None,
            output_bytes: 10_000_000_000,
            log_bytes: 64_000_000,
            contact_seconds: 3600,
        },
        fetch: FetchPolicy {
            max_bytes: 10_000_000_000,
            idle_seconds: 30,
            max_redirects: 5,
            private_networks: false,
            allow: Vec::new(),
        },
    }
}

fn planned(process: &Process, body: Value) -> Plan {
    let valid = check(process, body).unwrap_or_else(|faults| panic!("{faults:#?}"));
    plan(process, process.unit_for(UnitKind::Command).unwrap(), &valid, &defaults())
}

#[test]
fn a_plan_of_little() {
    insta::assert_json_snapshot!(planned(&everything(), json!({"inputs": {"name": "Ada"}})));
}

#[test]
fn a_plan_of_much() {
    let feature = json!({"type": "Feature", "geometry": null, "properties": {}});
    let body = json!({
        "inputs": {
            "level": {"value": 3},
            "name": "two words; $(rm -rf /)",
            "many": [1, {"value": 2}, {"href": "https://example.com/three.json"}],
            "lists": [[1, 2], []],
            "flags": ["a", "b"],
            "box": {"bbox": [1, 2, 3, 4]},
            "place": {"type": "Point", "coordinates": [1, 2]},
            "obj": {"value": "teststring"},
            "dem": {"href": "https://example.com/data/..%2f..%2fetc%2fdem%20one.tif?signature=1"},
            "tiles": ["aGVsbG8=", {"href": format!("https://here.example/jobs/{JOB}/results/grid")}],
            "file": {"value": "aGVs bG8=", "encoding": "base64"},
            "mix": {"type": "FeatureCollection", "features": [feature]},
            "shipped": "x\n",
            "when": "2026-01-31T12:00:00Z",
            "onlyLink": {"href": "https://example.com/number"},
            "onlyValue": 1,
            "key": "hunter2",
        },
        "outputs": {
            "log": {},
            "grid": {"format": {"mediaType": "image/tiff"}},
            "parts": {},
        },
    });
    insta::assert_json_snapshot!(planned(&everything(), body));
}

fn with(inputs: Value, unit: Value) -> Process {
    let mut unit = unit;
    unit["type"] = json!("command");
    process(
        &json!({
            "processDescription": {"process": {
                "id": "p", "version": "1", "inputs": inputs, "outputs": {"y": {"schema": {"type": "string"}}},
            }},
            "executionUnit": unit,
        })
        .to_string(),
    )
}

/// The command with its files shown as `<stage>.field`.
fn command(process: &Process, inputs: Value) -> Vec<String> {
    let part = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::File { stage, field: FileField::Path } => format!("<{stage}>"),
        Part::File { stage, field } => format!("<{stage}.{field:?}>"),
        Part::Staged { stage } => format!("<{stage}.value>"),
    };
    let arg = |Arg(parts): &Arg| parts.iter().map(part).collect();
    planned(process, json!({"inputs": inputs})).command.iter().map(arg).collect()
}

#[test]
fn items_are_dropped_repeated_and_kept_together() {
    let process = with(
        json!({
            "a": {"schema": {"type": "number"}, "minOccurs": 0},
            "many": {"schema": {"type": "string"}, "minOccurs": 0, "maxOccurs": "unbounded"},
            "list": {"schema": {"type": "array", "items": {"type": "integer"}}, "minOccurs": 0},
        }),
        json!({"command": [
            "run", "--a=$(inputs.a)", ["-a", "$(inputs.a)"], "--many=$(inputs.many)", ["-m", "$(inputs.many)", "$(inputs.a)"],
            "--list=$(inputs.list)", "", "$$(inputs.a)",
        ]}),
    );
    let fixed = ["", "$(inputs.a)"];
    let join = |front: &[&'static str]| [&["run"], front, &fixed[..]].concat();
    assert_eq!(command(&process, json!({})), join(&[]));
    assert_eq!(command(&process, json!({"a": 1.5})), join(&["--a=1.5", "-a", "1.5"]));
    assert_eq!(command(&process, json!({"many": ["x", "y z"]})), join(&["--many=x", "--many=y z"]));
    assert_eq!(command(&process, json!({"many": []})), join(&[]));
    assert_eq!(
        command(&process, json!({"a": 1, "many": ["x", "y"], "list": [1, 2]})),
        join(&["--a=1", "-a", "1", "--many=x", "--many=y", "-m", "x", "1", "-m", "y", "1", "--list=[1,2]"])
    );
}

#[test]
fn values_by_reference_stand_where_values_stand() {
    let process = with(
        json!({
            "n": {"schema": {"type": "number"}, "minOccurs": 0},
            "many": {"schema": {"type": "number"}, "minOccurs": 0, "maxOccurs": 3},
        }),
        json!({"command": ["run", "--n=$(inputs.n)", "$(inputs.many)"]}),
    );
    let link = |name: &str| json!({"href": format!("https://example.com/{name}")});
    let inputs = json!({"n": link("n"), "many": [1, link("two"), 3]});
    assert_eq!(command(&process, inputs.clone()), ["run", "--n=<0.value>", "1", "<1.value>", "3"]);
    assert_eq!(
        json!(planned(&process, json!({"inputs": inputs})).inputs),
        json!({"n": null, "many": [1, null, 3]})
    );
}

#[test]
fn a_package_that_is_silent_gets_the_defaults() {
    let silent = planned(&with(json!({}), json!({"command": ["run"]})), json!({}));
    assert_eq!(silent.needs, defaults().needs);
    assert_eq!(silent.limits, defaults().limits);
    assert_eq!(silent.retries, 0);
}

#[test]
fn resources_are_taken_as_written() {
    let config = |config: Value| {
        let made = planned(&with(json!({}), json!({"command": ["run"], "config": config})), json!({}));
        (made.needs, made.limits)
    };
    let (needs, limits) = config(json!({"cpuMin": 0.1, "memoryMax": 0.1}));
    assert_eq!(needs, Needs { cpu_milli: 100, memory_bytes: 100_000_000 });
    assert_eq!(limits.memory_bytes, Some(100_000_000));
    let (needs, limits) = config(json!({"memoryMin": 2}));
    assert_eq!((needs.memory_bytes, limits.memory_bytes), (2_000_000_000, None));
    let (_, limits) = config(json!({"jobTimeout": 0.5, "storageTempMin": 1.5, "storageOutputsMin": 2}));
    assert_eq!(
        (limits.command_seconds, limits.scratch_bytes, limits.output_bytes),
        (1, Some(1_500_000_000), 2_000_000_000)
    );
}

#[test]
fn outputs_are_those_asked_for() {
    let found = |body: Value| {
        let mut body = body;
        body["inputs"] = json!({"name": "a"});
        planned(&everything(), body)
            .outputs
            .into_iter()
            .map(|output| (output.id, output.find))
            .collect::<Vec<_>>()
    };
    assert_eq!(found(json!({"outputs": {}})), []);
    assert_eq!(found(json!({"outputs": {"log": {}}})), [("log".to_owned(), Find::Stdout)]);
    let all = found(json!({}));
    assert_eq!(all.len(), 4);
    assert_eq!(all[0], ("summary".to_owned(), Find::Name));
    assert_eq!(all[1], ("grid".to_owned(), Find::Glob(vec!["*.tif".into()])));
}
