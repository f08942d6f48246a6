use super::*;
use crate::validate::mask;

fn secretive(schema: Value) -> Process {
    one_input(json!({"schema": schema, "minOccurs": 0, "maxOccurs": 3}))
}

#[test]
fn secrets_are_masked_in_every_form() {
    for schema in [
        json!({"type": "string", "format": "password"}),
        json!({"type": "string", "writeOnly": true}),
        json!({"allOf": [{"type": "string"}, {"writeOnly": true}]}),
        json!({"$ref": "#/$defs/key", "$defs": {"key": {"type": "string", "format": "password"}}}),
    ] {
        let process = secretive(schema);
        for given in [
            json!("hunter2"),
            json!({"value": "hunter2"}),
            json!(["hunter2", "hunter2"]),
            json!([{"value": "hunter2", "mediaType": "text/plain"}]),
            json!({"hunter2": 1}),
        ] {
            let kept = mask(&process, &json!({"inputs": {"x": given}, "outputs": {}}));
            assert_eq!(kept, json!({"inputs": {"x": "***"}, "outputs": {}}));
        }
    }
}

#[test]
fn secret_parts_are_masked_and_the_rest_is_kept() {
    let process = secretive(json!({"type": "object", "properties": {
        "user": {"type": "string"},
        "token": {"type": "string", "writeOnly": true},
        "more": {"type": "array", "items": {"type": "object", "properties": {"token": {"format": "password"}}}},
    }}));
    let given = json!({"user": "ada", "token": "hunter2", "more": [{"token": "hunter2", "id": 1}]});
    let wanted = json!({"user": "ada", "token": "***", "more": [{"token": "***", "id": 1}]});
    let kept = |given: Value| mask(&process, &json!({"inputs": {"x": given}}))["inputs"]["x"].clone();
    assert_eq!(kept(given.clone()), wanted);
    assert_eq!(kept(json!([given, {"value": given}])), json!([wanted, {"value": wanted}]));
}

#[test]
fn what_is_no_secret_is_kept_as_received() {
    let body = json!({"inputs": {"x": [1, {"value": 2}]}, "unknown": true});
    assert_eq!(mask(&secretive(json!({"type": "integer"})), &body), body);
    assert_eq!(mask(&everything(), &json!({"inputs": 5})), json!({"inputs": 5}));
    assert_eq!(mask(&everything(), &json!([])), json!([]));
}

#[test]
fn masking_ends_with_schemas_that_refer_to_themselves() {
    let process = secretive(json!({"$ref": "#/$defs/tree", "$defs": {"tree": {
        "type": "object",
        "properties": {"key": {"writeOnly": true}},
        "oneOf": [{"properties": {"a": {"$ref": "#/$defs/tree"}}}, {"properties": {"a": {"$ref": "#/$defs/tree"}}, "required": ["b"]}],
    }}}));
    let mut tree = json!({"key": "hunter2"});
    for _ in 0..60 {
        tree = json!({"key": "hunter2", "a": tree});
    }
    let kept = mask(&process, &json!({"inputs": {"x": tree}}));
    assert!(!kept.to_string().contains("hunter2"));
}

#[test]
fn faults_show_nothing_of_a_secret() {
    let process = secretive(json!({"type": "string", "format": "password", "pattern": "^[a-z]+$"}));
    for given in [json!("hunter2"), json!([{"value": {"hunter2": 1}}]), json!({"href": "hunter2"})] {
        let faults = check(&process, json!({"inputs": {"x": given}})).unwrap_err();
        assert!(!serde_json::to_string(&faults).unwrap().contains("hunter2"), "{faults:?}");
    }
}
