//! What a request may say, form by form (Part 1, section on input values), and what happens to one that says it wrong.

mod examples;
mod forms;
mod hostile;
mod secrets;

use std::path::Path;

use rutter_types::{ExecuteRequest, Fault};
use serde_json::{Value, json};

use super::{Content, Context, OwnResult, Valid, validate};
use crate::process::{Process, package};

/// A process with every kind of input and output.
pub(crate) const EVERYTHING: &str = include_str!("tests/everything.yaml");

pub(crate) fn everything() -> Process {
    process(EVERYTHING)
}

pub(crate) fn process(text: &str) -> Process {
    let read = package::parse(text, Path::new("p.yaml"), None);
    read.unwrap_or_else(|faults| {
        panic!("{}", faults.iter().map(|fault| format!("{fault}\n")).collect::<String>())
    })
    .0
}

/// A process of one optional input.
pub(crate) fn one_input(input: Value) -> Process {
    process(&json!({
        "processDescription": {"process": {
            "id": "p", "version": "1", "inputs": {"x": input}, "outputs": {"y": {"schema": {"type": "string"}}},
        }},
        "executionUnit": {"type": "command", "command": ["true"]},
    }).to_string())
}

pub(crate) const JOB: &str = "01890163-8694-739b-aea5-966c26f8ad91";

pub(crate) fn own(url: &str) -> Option<OwnResult> {
    let path = url.strip_prefix("https://here.example/jobs/")?;
    let (job, output) = path.split_once("/results/")?;
    Some(OwnResult { job: job.parse().ok()?, output: output.parse().ok()?, index: 0 })
}

pub(crate) fn check(process: &Process, body: Value) -> Result<Valid, Vec<Fault>> {
    let request: ExecuteRequest = serde_json::from_value(body).unwrap();
    validate(process, &request, &Context { own_results: &own })
}

/// The only value of the input `x`.
fn value(input: Value, given: Value) -> Result<Content, Vec<Fault>> {
    let valid = check(&one_input(input), json!({"inputs": {"x": given}}))?;
    let mut contents: Vec<Content> =
        valid.inputs["x"].values.iter().map(|value| value.content.clone()).collect();
    assert_eq!(contents.len(), 1, "{contents:?}");
    Ok(contents.remove(0))
}

/// Pointers of the faults.
fn pointers(found: Result<impl std::fmt::Debug, Vec<Fault>>) -> Vec<String> {
    found.unwrap_err().into_iter().map(|fault| fault.pointer).collect()
}

#[test]
fn every_fault_of_every_input_and_output_is_told_at_once() {
    let faults = check(
        &everything(),
        json!({
            "inputs": {
                "level": 99, "levl": 3, "name": "", "box": {"bbox": [1, 2, 3]}, "dem": {"href": "ftp://x/y"},
                "many": [1, "a", 2.5], "mix": {"type": "wrong/type_4711"}, "file": "no base64!", "a/b~c": 1,
            },
            "outputs": {
                "grid": {"format": {"mediaType": "image/png"}}, "sumary": {}, "log": {"transmissionMode": "reference"},
            },
        }),
    )
    .unwrap_err();
    insta::assert_json_snapshot!(faults);
}

#[test]
fn all_is_right_with_little_and_with_much() {
    let process = everything();
    let little = check(&process, json!({"inputs": {"name": "a"}})).unwrap();
    assert_eq!(little.inputs.keys().map(|id| id.as_str()).collect::<Vec<_>>(), ["level", "name", "shipped"]);
    assert_eq!(little.inputs["level"].values[0].content, Content::Json(json!(2.5)));
    assert_eq!(little.shape.outputs.len(), process.outputs.len());
    assert_eq!(little.shape.v1, None);
}

#[test]
fn own_results_are_known_with_their_place() {
    let url = format!("https://here.example/jobs/{JOB}/results/grid");
    let valid = check(&everything(), json!({"inputs": {"name": "a", "dem": {"href": url}}})).unwrap();
    let found: Vec<(String, &OwnResult)> = valid.own_results().collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, "/inputs/dem");
    assert_eq!(found[0].1.output.as_str(), "grid");
}

#[test]
fn outputs_decide_the_version_and_the_shape() {
    use rutter_types::ResponseKind::{Document, Raw};
    let process = everything();
    let shape = |extra: Value| {
        let mut body = json!({"inputs": {"name": "a"}});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        check(&process, body).map(|valid| (valid.shape.v1, valid.shape.outputs.len()))
    };
    let all = process.outputs.len();
    assert_eq!(shape(json!({})).unwrap(), (None, all));
    assert_eq!(shape(json!({"outputs": {}})).unwrap(), (None, 0));
    assert_eq!(shape(json!({"outputs": {"summary": {}}})).unwrap(), (None, 1));
    assert_eq!(shape(json!({"response": "raw"})).unwrap(), (Some(Raw), all));
    assert_eq!(shape(json!({"response": "document"})).unwrap(), (Some(Document), all));
    assert_eq!(
        shape(json!({"outputs": {"summary": {"transmissionMode": "value"}}})).unwrap(),
        (Some(Raw), 1)
    );
    let right = json!({"outputs": {"grid": {"format": {"mediaType": "image/tiff", "encoding": "base64"}}}});
    assert_eq!(shape(right).unwrap(), (None, 1));
    let wrong =
        json!({"outputs": {"grid": {"format": {"mediaType": "image/tiff", "encoding": "hex"}}, "": {}}});
    assert_eq!(pointers(shape(wrong)), ["/outputs/grid/format/encoding", "/outputs/"]);
}
