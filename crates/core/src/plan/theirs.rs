//! Plans of the older managers' images.

use rutter_types::agent::Find;
use serde_json::{Value, json};

use super::{Plan, plan, tests::defaults};
use crate::{
    process::{Process, UnitKind},
    validate::{
        mask,
        tests::{JOB, check, process},
    },
};

fn route() -> Process {
    process(
        r#"
processDescription:
  process:
    id: route
    legacyId: route-tool
    version: 1.0.0
    inputs:
      start: {schema: {type: string}}
      wrt_*: {title: Any that begins so, schema: {type: string}}
    outputs: {logs: {schema: {type: object, contentMediaType: application/json}}}
validation: lenient
callerToken: required
executionUnit:
  - {type: docker, image: registry.example/route:1, contract: pygeoapi}
"#,
    )
}

fn planned(body: Value) -> Plan {
    let process = route();
    let valid = check(&process, body).unwrap_or_else(|faults| panic!("{faults:#?}"));
    plan(&process, process.unit_for(UnitKind::Docker).unwrap(), &valid, &defaults())
}

fn variables(body: Value) -> Vec<(String, String)> {
    let told = planned(body).variables(JOB.parse().unwrap());
    told.into_iter().map(|variable| (variable.name, variable.value)).collect()
}

#[test]
fn inputs_reach_the_program_as_they_came() {
    let body = json!({"inputs": {
        "start": 7, "wrt_speed": 6.50, "area": {"type": "Point", "coordinates": [1, 2]}, "place": {"href": "http://x/"},
    }});
    let told = variables(body);
    let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["PYGEOAPI_K8S_MANAGER_INPUTS", "PYGEOAPI_JOB_ID", "PYGEOAPI_PROCESS_ID"]);
    assert_eq!(
        told[0].1,
        r#"{"start": 7, "wrt_speed": 6.5, "area": {"type": "Point", "coordinates": [1, 2]}, "place": {"href": "http://x/"}}"#
    );
    assert_eq!(told[1].1, JOB);
    assert_eq!(told[2].1, "route-tool");
}

#[test]
fn without_inputs_the_variable_is_an_empty_object() {
    assert_eq!(variables(json!({}))[0].1, "{}");
}

#[test]
fn results_are_looked_for_in_what_is_printed_and_none_is_missed() {
    let plan = planned(json!({"outputs": {"nothing-of-that-name": {}}}));
    assert_eq!(plan.outputs.len(), 1, "all there is, where what is asked for is not there");
    assert_eq!(plan.outputs[0].find, Find::Printed);
    assert!(!plan.outputs[0].required);
    assert!(plan.stage.is_empty());
}

#[test]
fn what_no_variable_can_hold_is_refused() {
    let text = |length| planned(json!({"inputs": {"start": "x".repeat(length)}})).inputs_too_long();
    // {"start": "…"} and the name with its sign.
    let most = 128 * 1024 - 1 - "PYGEOAPI_K8S_MANAGER_INPUTS=".len() - r#"{"start": ""}"#.len();
    assert_eq!(text(most), None);
    assert_eq!(text(most + 1), Some(1));
}

#[test]
fn a_name_that_is_no_identifier_is_only_described() {
    let process = route();
    assert_eq!(process.description.inputs.keys().collect::<Vec<_>>(), ["start", "wrt_*"]);
    assert_eq!(process.inputs.len(), 1);
}

#[test]
fn what_is_called_a_secret_is_masked_at_every_depth() {
    let body = json!({"inputs": {"api_key": "a", "deep": [{"myPassword": {"x": 1}, "plain": 2}], "keyboard": "b", "start": "c"}});
    let masked = mask(&route(), &body);
    assert_eq!(
        masked["inputs"],
        json!({"api_key": "***", "deep": [{"myPassword": "***", "plain": 2}], "keyboard": "***", "start": "c"})
    );
}

#[test]
fn a_subscriber_is_checked_all_the_same() {
    let body = json!({"subscriber": {"successUri": "file:///etc/passwd"}});
    assert!(check(&route(), body).is_err());
}
