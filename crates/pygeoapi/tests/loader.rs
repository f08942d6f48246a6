//! Random files through pygeoapi's own loader and through ours: what it reads, we read as the same.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/files.rs"]
mod files;
#[path = "support/venv.rs"]
mod venv;

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use rutter_core::python as core_python;
use rutter_pygeoapi::{
    python,
    yaml::{self, Kind, Node, Scalar},
};
use serde_json::{Value, json};

/// What the environment of both readers has.
const VARIABLES: [(&str, &str); 5] =
    [("P_PORT", "5000"), ("P_RATE", "0.50"), ("P_TEXT", "a b"), ("P_EMPTY", ""), ("P_CODE", "007")];

#[test]
fn random_files_are_read_as_pygeoapi_reads_them() {
    let texts: Vec<String> = files::fixed().into_iter().chain(files::random(4000)).collect();
    let answers = pygeoapi(&texts);
    assert_eq!(answers.len(), texts.len());
    let environment =
        |name: &str| VARIABLES.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let mut read = 0;
    for (text, theirs) in texts.iter().zip(&answers) {
        // What it refuses we may take.
        let Some(wanted) = theirs.get("value") else { continue };
        read += 1;
        match yaml::read(text, &environment) {
            Ok(document) => {
                assert_eq!(typed(&document.root), *wanted, "{text}");
                assert_eq!(python::text(&document.root), theirs["str"], "{text}");
            }
            Err(error) => panic!("{error:?}\n{text}\n{theirs}"),
        }
    }
    assert!(read > texts.len() / 2, "only {read} of {} files say anything", texts.len());
}

/// What pygeoapi's loader makes of each text.
fn pygeoapi(texts: &[String]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/loader.py");
    // What 52N's images have; PyYAML 6.0.4 merges lists of maps in another order.
    let packages = ["pygeoapi==0.20.0", "PyYAML==6.0.2"];
    let imports = "import pygeoapi.util, yaml; assert yaml.__version__ == '6.0.2'";
    let mut child = Command::new(venv::python("venv-pygeoapi", &packages, imports))
        .arg(script)
        .envs(VARIABLES)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines: String = texts.iter().map(|text| format!("{}\n", json!(text))).collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// As `loader.py` writes it.
fn typed(node: &Node) -> Value {
    match &node.kind {
        Kind::Scalar(scalar) => typed_scalar(scalar),
        Kind::List(items) => json!(["list", items.iter().map(typed).collect::<Vec<_>>()]),
        Kind::Map(members) => {
            let members: Vec<Value> =
                members.iter().map(|(key, node)| json!([typed_scalar(&key.value), typed(node)])).collect();
            json!(["map", members])
        }
    }
}

fn typed_scalar(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Bool(it) => json!(it),
        Scalar::Int(it) => json!(["int", it.to_string()]),
        Scalar::Large(it) => json!(["int", it]),
        Scalar::Float(it) => json!(["float", core_python::float(*it)]),
        Scalar::Text(it) => json!(it),
        Scalar::Time(it) => {
            let text = it.to_string();
            json!([if text.contains(' ') { "datetime" } else { "date" }, text])
        }
    }
}
