use super::*;

fn json_of(input: Value, given: Value) -> Value {
    match value(input.clone(), given.clone()) {
        Ok(Content::Json(value)) => value,
        other => panic!("{input} {given}: {other:?}"),
    }
}

/// Schema, what is sent, what the program gets (`None` = a fault).
fn table(rows: impl IntoIterator<Item = (Value, Value, Option<Value>)>) {
    for (schema, given, wanted) in rows {
        let input = json!({"schema": schema, "minOccurs": 0});
        match wanted {
            Some(wanted) => assert_eq!(json_of(input, given), wanted),
            None => assert!(value(input.clone(), given.clone()).is_err(), "{input} {given}"),
        }
    }
}

#[test]
fn literals_and_arrays_stand_as_they_are_or_in_value() {
    table([
        (json!({"type": "string"}), json!("a"), Some(json!("a"))),
        (json!({"type": "string"}), json!({"value": "a"}), Some(json!("a"))),
        (json!({"type": "number"}), json!({"value": 1.5}), Some(json!(1.5))),
        (json!({"type": "boolean"}), json!(false), Some(json!(false))),
        (json!({"type": "number"}), json!("1.5"), None),
        (json!({"type": "number"}), json!(null), None),
        (json!({"type": ["number", "null"]}), json!(null), Some(json!(null))),
        (json!({"type": "array", "items": {"type": "integer"}}), json!([1, 2]), Some(json!([1, 2]))),
        (json!({"type": "array", "items": {"type": "integer"}}), json!([]), Some(json!([]))),
        (json!({"type": "array", "items": {"type": "integer"}}), json!({"value": [1]}), Some(json!([1]))),
        (
            json!({"type": "array", "items": {"type": "integer"}}),
            json!([{"value": 1}, 2]),
            Some(json!([1, 2])),
        ),
        (json!({"type": "array", "items": {"type": "integer"}}), json!([1, "a"]), None),
        (json!({"type": "string"}), json!(["a"]), None),
    ]);
}

#[test]
fn objects_are_wrapped_or_bare() {
    let object = json!({"type": "object", "required": ["a"]});
    let named_value = json!({"type": "object", "properties": {"value": {"type": "string"}}});
    let named_href = json!({"type": "object", "properties": {"href": {"type": "string"}, "value": {}}});
    table([
        (object.clone(), json!({"value": {"a": 1}}), Some(json!({"a": 1}))),
        (object.clone(), json!({"a": 1}), Some(json!({"a": 1}))),
        (object.clone(), json!({"a": 1, "value": 5}), Some(json!({"a": 1, "value": 5}))),
        (object, json!({"value": 5}), None),
        // The official suite sends this for every object.
        (named_value.clone(), json!({"value": "teststring"}), Some(json!({"value": "teststring"}))),
        (named_value.clone(), json!({"value": {"value": "x"}}), Some(json!({"value": "x"}))),
        (named_value, json!({"value": 5}), None),
        (named_href, json!({"href": "no url"}), Some(json!({"href": "no url"}))),
        (json!({"type": "object"}), json!({"value": "teststring"}), None),
        (json!({}), json!({"collection": "https://x/collections/a"}), None),
        (json!({}), json!({"process": "https://x/processes/a"}), None),
        (
            json!({"type": "object", "properties": {"process": {}}}),
            json!({"process": "milling"}),
            Some(json!({"process": "milling"})),
        ),
    ]);
}

#[test]
fn boxes_say_their_reference_system() {
    const CRS84: &str = "http://www.opengis.net/def/crs/OGC/1.3/CRS84";
    let format = json!({"allOf": [{"format": "ogc-bbox"}]});
    let properties = json!({"type": "object", "required": ["bbox"], "properties": {
        "bbox": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6}, "crs": {"type": "string"}}});
    let sent_by_the_suite =
        json!({"crs": "urn:ogc:def:crs:EPSG:6.6:4326", "bbox": [345345345, 345345345, 345345345, 345345345]});
    table([
        (format.clone(), json!({"bbox": [1, 2, 3, 4]}), Some(json!({"bbox": [1, 2, 3, 4], "crs": CRS84}))),
        (
            format.clone(),
            json!({"value": {"bbox": [1, 2, 3, 4]}}),
            Some(json!({"bbox": [1, 2, 3, 4], "crs": CRS84})),
        ),
        (
            format.clone(),
            json!({"bbox": [1, 2, 3, 4], "crs": "https://www.opengis.net/def/crs/EPSG/0/32616"}),
            Some(json!({"bbox": [1, 2, 3, 4], "crs": "https://www.opengis.net/def/crs/EPSG/0/32616"})),
        ),
        (format.clone(), json!({"bbox": [1, 2, 3]}), None),
        (format, json!([1, 2, 3, 4]), None),
        (properties, sent_by_the_suite.clone(), Some(sent_by_the_suite)),
    ]);
}

#[test]
fn bytes_are_base64_and_come_out_in_one_spelling() {
    let tiff = || json!({"schema": {"type": "string", "contentEncoding": "binary", "contentMediaType": "image/tiff"}});
    for given in [
        json!("aGVsbG8="),
        json!("aGVsbG8"),
        json!("aGVs\n bG8=\n"),
        json!("aGVsbG9="),
        json!({"value": "aGVsbG8="}),
        json!({"value": "aGVsbG8=", "mediaType": "image/tiff", "encoding": "base64"}),
        json!({"value": "aGVsbG8=", "format": {"mediaType": "image/tiff", "encoding": "base64"}}),
        json!({"value": "aGVsbG8=", "encoding": "binary"}),
    ] {
        assert_eq!(value(tiff(), given.clone()).unwrap(), Content::Base64("aGVsbG8=".into()), "{given}");
    }
    assert_eq!(pointers(value(tiff(), json!("no base64!"))), ["/inputs/x"]);
    let wrong = json!({"value": "aGVsbG8=", "encoding": "gzip"});
    assert_eq!(pointers(value(tiff(), wrong)), ["/inputs/x/encoding"]);
    // A media type that is no text is bytes, whatever the schema leaves out.
    let png = json!({"schema": {"type": "string", "contentMediaType": "image/png"}});
    assert_eq!(value(png.clone(), json!("aGVsbG8=")).unwrap(), Content::Base64("aGVsbG8=".into()));
    assert!(value(png, json!("{}")).is_err());
    let csv = || json!({"schema": {"type": "string", "contentMediaType": "text/csv"}});
    assert_eq!(value(csv(), json!("a,b")).unwrap(), Content::Json(json!("a,b")));
    let encoded = json!({"value": "YSxi", "encoding": "base64"});
    assert_eq!(value(csv(), encoded).unwrap(), Content::Base64("YSxi".into()));
}

#[test]
fn the_media_type_chooses_and_a_wrong_one_is_a_fault() {
    let either = || {
        json!({"schema": {"oneOf": [
            {"type": "string", "contentMediaType": "text/plain"},
            {"type": "string", "contentMediaType": "image/png", "contentEncoding": "binary"},
        ]}})
    };
    // None named: the first.
    assert_eq!(value(either(), json!("no base64!")).unwrap(), Content::Json(json!("no base64!")));
    let png = json!({"value": "aGVsbG8=", "mediaType": "image/png"});
    assert_eq!(value(either(), png).unwrap(), Content::Base64("aGVsbG8=".into()));
    let broken = json!({"value": "no base64!", "mediaType": "image/png"});
    assert_eq!(pointers(value(either(), broken)), ["/inputs/x/value"]);
    for (wrong, place) in [
        (json!({"value": "x", "mediaType": "image/gif"}), "/inputs/x/mediaType"),
        (json!({"value": "x", "format": {"mediaType": "image/gif"}}), "/inputs/x/format/mediaType"),
        (json!({"value": "x", "mediaType": 5}), "/inputs/x/mediaType"),
        (json!({"href": "https://x/y", "type": "image/gif"}), "/inputs/x/type"),
        (json!({"href": "https://x/y", "format": {"mediaType": "image/gif"}}), "/inputs/x/format/mediaType"),
    ] {
        assert_eq!(pointers(value(either(), wrong.clone())), [place], "{wrong}");
    }
    // Test 11b of the official suite.
    let faults = value(either(), json!({"type": "wrong/type_0815"})).unwrap_err();
    assert_eq!(faults[0].detail, "has neither `value` nor `href`: add one of them");
    assert_eq!(faults[0].allowed, Some(json!(["text/plain", "image/png"])));
    assert_eq!(faults[1].pointer, "/inputs/x/type");
}

#[test]
fn a_schema_without_media_types_takes_any() {
    let object = json!({"schema": {"type": "object"}});
    let given = json!({"value": {}, "mediaType": "application/vnd.something+json"});
    assert_eq!(json_of(object, given), json!({}));
}

#[test]
fn references_are_http_and_say_so() {
    let number = || json!({"schema": {"type": "number"}});
    for good in ["https://example.com/a?b=c#d", "http://[::1]:8080/x", "HTTPS://EXAMPLE.COM/%20"] {
        assert_eq!(value(number(), json!({"href": good})).unwrap(), Content::Url(good.into()));
    }
    let all = json!({"href": "https://x/y", "type": "application/json", "rel": "a", "title": "b", "hreflang": "en"});
    assert!(value(number(), all).is_ok());
    for bad in [
        json!("file:///etc/passwd"),
        json!("ftp://x/y"),
        json!("/jobs/1/results/a"),
        json!("javascript:alert(1)"),
        json!("data:text/plain,hello"),
        json!("https://user:secret@example.com/"),
        json!("https://x/a b"),
        json!("https://x/a\nb"),
        json!(""),
        json!("https://"),
        json!(format!("https://x/{}", "a".repeat(10_000))),
        json!(5),
        json!(null),
    ] {
        assert_eq!(pointers(value(number(), json!({"href": bad}))), ["/inputs/x/href"], "{bad}");
    }
    let told = value(number(), json!({"href": "https://user:secret@example.com/"})).unwrap_err();
    assert!(!serde_json::to_string(&told).unwrap().contains("secret"));
}

#[test]
fn value_passing_is_kept_to() {
    let by_link = || json!({"schema": {"type": "number"}, "valuePassing": ["byReference"]});
    assert!(value(by_link(), json!({"href": "https://x/y"})).is_ok());
    assert_eq!(pointers(value(by_link(), json!(5))), ["/inputs/x"]);
    let by_value = || json!({"schema": {"type": "number"}, "valuePassing": ["byValue"]});
    assert!(value(by_value(), json!(5)).is_ok());
    assert_eq!(pointers(value(by_value(), json!({"href": "https://x/y"}))), ["/inputs/x"]);
}

/// Number of values of `x`, or where its faults are.
fn count(input: Value, inputs: Value) -> Result<usize, Vec<String>> {
    match check(&one_input(input), json!({"inputs": inputs})) {
        Ok(valid) => Ok(valid.inputs.get("x").map_or(0, |input| input.values.len())),
        Err(faults) => Err(faults.into_iter().map(|fault| fault.pointer).collect()),
    }
}

#[test]
fn several_values_travel_in_an_array() {
    let integers =
        |min: u32, max: Value| json!({"schema": {"type": "integer"}, "minOccurs": min, "maxOccurs": max});
    let at = |place: &str| Err(vec![place.to_owned()]);
    let rows = [
        (integers(0, json!(1)), json!({}), Ok(0)),
        (integers(1, json!(1)), json!({}), at("/inputs/x")),
        (integers(1, json!(1)), json!({"x": 1}), Ok(1)),
        (integers(1, json!(1)), json!({"x": [1]}), at("/inputs/x")),
        (integers(1, json!(3)), json!({"x": [1]}), Ok(1)),
        (integers(1, json!(3)), json!({"x": [1, 2, 3]}), Ok(3)),
        (integers(1, json!(3)), json!({"x": [1, 2, 3, 4]}), at("/inputs/x")),
        (integers(1, json!(3)), json!({"x": []}), at("/inputs/x")),
        (integers(1, json!(3)), json!({}), at("/inputs/x")),
        (integers(0, json!(3)), json!({"x": []}), Ok(0)),
        (integers(0, json!("unbounded")), json!({"x": [1, 2, 3, 4, 5]}), Ok(5)),
        (integers(2, json!("unbounded")), json!({"x": [1]}), at("/inputs/x")),
        // A bare value is taken when it is right.
        (integers(1, json!(3)), json!({"x": 1}), Ok(1)),
        (integers(1, json!(3)), json!({"x": {"value": 1}}), Ok(1)),
        (integers(2, json!(3)), json!({"x": 1}), at("/inputs/x")),
        (
            integers(1, json!(3)),
            json!({"x": ["a", 2, "b"]}),
            Err(vec!["/inputs/x/0".into(), "/inputs/x/2".into()]),
        ),
        (integers(1, json!(3)), json!({"x": [{"value": 1}, {"href": "https://x/y"}]}), Ok(2)),
    ];
    for (input, inputs, wanted) in rows {
        assert_eq!(count(input.clone(), inputs.clone()), wanted, "{input} {inputs}");
    }
}

#[test]
fn several_arrays_are_an_array_of_arrays() {
    let lists =
        || json!({"schema": {"type": "array", "items": {"type": "integer"}}, "minOccurs": 0, "maxOccurs": 2});
    assert_eq!(count(lists(), json!({"x": [[1, 2], [3]]})), Ok(2));
    assert_eq!(count(lists(), json!({"x": [1, 2, 3]})), Ok(1));
    assert_eq!(count(lists(), json!({"x": [[1], ["a"]]})), Err(vec!["/inputs/x/1/0".into()]));
}

#[test]
fn defaults_are_in_place() {
    let level = json!({"schema": {"type": "number", "default": 3}, "minOccurs": 1});
    let valid = check(&one_input(level), json!({})).unwrap();
    assert_eq!(valid.inputs["x"].values[0].content, Content::Json(json!(3)));
    let many = json!({"schema": {"type": "number"}, "default": [1, 2], "maxOccurs": 5});
    assert_eq!(count(many.clone(), json!({})), Ok(2));
    assert_eq!(count(many, json!({"x": [7]})), Ok(1));
    let url = json!({"schema": {"type": "string", "contentMediaType": "text/csv"}, "default": {"href": "https://x/y"}});
    let valid = check(&one_input(url), json!({})).unwrap();
    assert_eq!(valid.inputs["x"].values[0].content, Content::Url("https://x/y".into()));
}

#[test]
fn unknown_names_are_faults_with_a_guess() {
    let process = one_input(json!({"schema": {"type": "number"}, "minOccurs": 0}));
    let faults = check(&process, json!({"inputs": {"X": 1, "somethingElse": 2}})).unwrap_err();
    assert!(faults[0].detail.contains("did you mean \"x\"?"), "{faults:?}");
    assert_eq!(faults[0].allowed, Some(json!(["x"])));
    assert_eq!(faults[1].pointer, "/inputs/somethingElse");
}

#[test]
fn fetched_values_are_held_to_the_same_rules() {
    use crate::validate::staged;
    let process = everything();
    let found = |input: &str, index, value: Value, media_type: Option<&str>| {
        let item = rutter_types::agent::StagedItem {
            stage: 0,
            size: 1,
            media_type: media_type.map(Into::into),
            value: Some(value),
        };
        let faults = staged(&process, &input.parse().unwrap(), index, &item);
        faults.into_iter().map(|fault| fault.pointer).collect::<Vec<_>>()
    };
    assert_eq!(found("level", None, json!(5), Some("application/octet-stream")), [""; 0]);
    assert_eq!(found("level", None, json!(99), None), ["/inputs/level"]);
    assert_eq!(found("many", Some(2), json!("a"), None), ["/inputs/many/2"]);
    assert_eq!(
        found("place", None, json!({"type": "Point", "coordinates": [1]}), None),
        ["/inputs/place/coordinates"]
    );
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    assert_eq!(found("obj", None, deep, None), ["/inputs/obj"]);
}
