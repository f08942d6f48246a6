//! The packages that are shipped, and what the official test suite sends to one of them.

use std::path::PathBuf;

use super::*;
use crate::{
    plan::{plan, tests::defaults},
    process::UnitKind,
};

fn shipped(id: &str) -> Process {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../processes").join(id);
    let file = folder.join("package.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let read = package::parse(&text, &file, Some(&folder));
    read.unwrap_or_else(|faults| {
        panic!("{}", faults.iter().map(|fault| format!("{fault}\n")).collect::<String>())
    })
    .0
}

#[test]
fn every_example_of_every_package_is_right() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../processes");
    let ids = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let ids = ids.filter(|entry| entry.path().join("package.yaml").is_file());
    for id in ids.map(|entry| entry.file_name().into_string().unwrap()) {
        let process = shipped(&id);
        for example in &process.examples {
            let valid = check(&process, json!({"inputs": example.inputs}));
            let valid = valid.unwrap_or_else(|faults| panic!("{id}: {faults:#?}"));
            for unit in &process.units {
                assert!(!plan(&process, unit, &valid, &defaults()).command.is_empty());
            }
        }
    }
}

#[test]
fn the_flood_has_its_model_from_the_package() {
    let process = shipped("flood-extent");
    let valid = check(&process, json!({})).unwrap();
    let made = plan(&process, process.unit_for(UnitKind::Command).unwrap(), &valid, &defaults());
    assert_eq!(made.stage.len(), 1);
    assert_eq!(made.stage[0].name, "dem-cumberland.tif");
    assert_eq!(made.stage[0].source, rutter_types::agent::Source::Package("data/dem-cumberland.tif".into()));
}

/// Requests of the official suite for version 1.0, test by test: status 200 or 201, but where `Some` says what is wrong.
#[test]
fn the_official_suite_is_understood() {
    let echo = shipped("echo");
    let all = json!({
        "str": {"transmissionMode": "value"}, "arr": {"transmissionMode": "value"},
        "box": {"transmissionMode": "value"}, "mix": {"transmissionMode": "value"},
    });
    let normal = json!({"str": "teststring", "obj": {"value": "teststring"}});
    let with = |name: &str, value: Value| {
        let mut inputs = normal.clone();
        inputs[name] = value;
        inputs
    };
    let bbox = json!({"bbox": [51.9, 7, 52, 7.1], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"});
    let table = [
        (json!({"inputs": normal, "outputs": all}), None),
        (json!({"inputs": normal}), None),
        (json!({"inputs": normal, "outputs": all, "response": "document"}), None),
        (json!({"inputs": normal, "outputs": all, "response": "raw"}), None),
        (json!({"inputs": with("arr", json!([1, 2, 3])), "outputs": {"arr": {}}}), None),
        (json!({"inputs": with("box", bbox), "outputs": {"box": {}}}), None),
        (json!({"inputs": {"str": "teststring", "pause": 5}, "response": "raw"}), None),
        (json!({"inputs": {"str": "teststring"}, "outputs": {"str": {}}, "response": "raw"}), None),
        (
            json!({"inputs": with("mix", json!({"type": "wrong/type_0815"})), "outputs": all}),
            Some("/inputs/mix"),
        ),
        (json!({"invalid-execute-request": "true)"}), Some("/inputs/str")),
    ];
    for (body, wrong) in table {
        let found = check(&echo, body.clone()).err().unwrap_or_default();
        assert_eq!(found.first().map(|fault| fault.pointer.as_str()), wrong, "{body}");
    }
}
