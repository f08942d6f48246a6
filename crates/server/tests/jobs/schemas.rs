//! The official schemas, with every reference put in place.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Panics with every fault of a document.
pub(crate) fn check(file: &str, document: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas").join(file);
    let schema = load(&path);
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let faults: Vec<String> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(faults.is_empty(), "{file}: {}\n{document:#}", faults.join("\n"));
}

/// 1.0 and 2.0 at once.
pub(crate) fn check_status(document: &Value) {
    check("1.0/statusInfo.yaml", document);
    check("2.0/processes-core/statusInfo.yaml", document);
}

pub(crate) fn check_results(document: &Value) {
    check("1.0/results.yaml", document);
    check("2.0/processes-core/results.yaml", document);
}

pub(crate) fn check_problem(document: &Value) {
    check("1.0/exception.yaml", document);
    check("2.0/common-core/exception.yaml", document);
}

fn load(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    resolved(rutter_core::yaml::from_str(&text).unwrap(), &path.parent().unwrap().to_owned())
}

fn resolved(schema: Value, folder: &PathBuf) -> Value {
    match schema {
        Value::Object(members) => {
            if let Some(target) = members.get("$ref").and_then(Value::as_str) {
                // What stands elsewhere concerns collections, which are not served.
                let is_here = !target.contains("://") && !target.contains("cql2");
                return if is_here { load(&folder.join(target)) } else { json!({}) };
            }
            let name = |name: String| if name == "oneOf" { "anyOf".to_owned() } else { name };
            members.into_iter().map(|(key, value)| (name(key), resolved(value, folder))).collect()
        }
        Value::Array(items) => items.into_iter().map(|item| resolved(item, folder)).collect(),
        other => other,
    }
}

#[test]
fn the_schemas_refuse_what_is_wrong() {
    let wrong = std::panic::catch_unwind(|| check_status(&json!({ "status": "done" })));
    assert!(wrong.is_err());
}
