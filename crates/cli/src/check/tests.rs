//! What authors of packages see.

use std::{fs, path::Path};

use rutter_core::process::{UnitKind, UnitKinds};

use super::*;

fn checked(path: &Path, json: bool) -> (String, bool) {
    report(&CheckArgs { paths: vec![path.to_owned()], pygeoapi: None, config: None, json }, &commands())
        .unwrap()
}

/// A machine without a container engine.
fn commands() -> Runs {
    Runs { lacks: Some("install Podman".into()), ..Runs::new(UnitKind::Command, "local") }
}

const FAULTY: &str = "processDescription:\n  process:\n    id: flood\n    inputs:\n      level:\n        schema: {type: float}\n\
                      executionUnit:\n  type: command\n  command: [./flood, $(inputs.levle)]\n";

#[test]
fn faults_are_shown_with_their_line_and_a_mark() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flood.yaml");
    fs::write(&file, FAULTY).unwrap();
    let (text, right) = checked(&file, false);
    assert!(!right);
    let shown = format!(
        "{}:6:24: error: processDescription.process.inputs.level.schema.type: \"float\" is no type of JSON Schema\n  \
         6 |         schema: {{type: float}}\n    |                        ^\n    = did you mean \"number\"?\n",
        file.display()
    );
    assert!(text.starts_with(&shown), "{text}");
    assert!(text.contains("did you mean \"level\"?") && text.contains("2 faults"), "{text}");
}

#[test]
fn json_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("flood.yaml"), FAULTY).unwrap();
    let (text, right) = checked(folder.path(), true);
    let document: Value = serde_json::from_str(&text).unwrap();
    assert!(!right);
    assert_eq!(document["packages"][0]["right"], false);
    assert_eq!(document["packages"][0]["faults"][0]["line"], 6);
}

#[test]
fn right_packages_show_the_command_of_their_examples() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../processes");
    let (text, right) = checked(&shipped, false);
    assert!(right, "{text}");
    assert!(text.contains("$ printf 'Hello, %s!\\n' Ada"), "{text}");
    assert!(
        text.contains("--dem $RUTTER_IN/dem/dem-cumberland.tif --level 420 --seed '{\"type\":\"Point\""),
        "{text}"
    );
}

#[test]
fn inputs_are_made_up_without_examples() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.yaml");
    let text = r#"
processDescription:
  process:
    id: p
    inputs:
      n: {schema: {type: number, minimum: 3}}
      s: {schema: {type: string, minLength: 6}}
      e: {schema: {type: string, enum: [a b, c]}}
      b: {schema: {allOf: [{format: ogc-bbox}]}}
      g: {schema: {format: geojson-geometry}}
      l: {schema: {type: array, items: {type: integer}, minItems: 2}}
      m: {schema: {type: boolean}, minOccurs: 2, maxOccurs: 4}
      f: {schema: {type: string, contentMediaType: text/csv}}
      o: {schema: {type: object, required: [a], properties: {a: {type: string}}}}
executionUnit:
  type: command
  command: [m, $(inputs.n), $(inputs.s), $(inputs.e), $(inputs.b), $(inputs.g), $(inputs.l), [-m, $(inputs.m)], $(inputs.f.path), $(inputs.o)]
"#;
    fs::write(&file, text).unwrap();
    let (text, right) = checked(&file, false);
    assert!(right, "{text}");
    assert!(text.contains("$ m 3.0 textxx 'a b' '{\"bbox\""), "{text}");
    assert!(text.contains("'[1,1]' -m true -m true $RUTTER_IN/f/"), "{text}");
}

#[test]
fn two_packages_may_not_have_one_id() {
    let folder = tempfile::tempdir().unwrap();
    let package = "processDescription: {process: {id: p}}\nexecutionUnit: {type: command, command: [m]}\n";
    for name in ["a.yaml", "b.yaml"] {
        fs::write(folder.path().join(name), package).unwrap();
    }
    let (text, right) = checked(folder.path(), false);
    assert!(!right);
    assert!(text.contains("a.yaml already"), "{text}");
}

#[test]
fn nothing_to_check_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let args =
        |path: &Path| CheckArgs { paths: vec![path.to_owned()], pygeoapi: None, config: None, json: false };
    assert!(report(&args(folder.path()), &commands()).is_err());
    assert!(report(&args(&folder.path().join("none.yaml")), &commands()).is_err());
}

#[test]
fn a_package_that_is_right_and_not_run_here_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("image.yaml");
    let unit = "executionUnit: {type: docker, image: example/model:1}";
    fs::write(&file, format!("processDescription: {{process: {{id: image, version: 1.0.0}}}}\n{unit}\n"))
        .unwrap();
    let (text, right) = checked(&file, false);
    assert!(right, "{text}");
    let line = "# it is not run here: process image has only docker units; this server runs commands (executor: local): \
                install Podman";
    assert!(text.contains(line), "{text}");
    let (json, _) = checked(&file, true);
    assert!(json.contains("notRunHere"), "{json}");
    let args = CheckArgs { paths: vec![file], pygeoapi: None, config: None, json: false };
    let (text, _) = report(&args, &Runs::new(UnitKinds::ALL, "local")).unwrap();
    assert!(!text.contains("not run here"), "{text}");
}

/// What a server refuses to load, and nothing else.
#[test]
fn packages_are_measured_by_the_servers_settings() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("disk.yaml");
    let volumes = "volumes: [{name: d, hostPath: {path: /data}}]";
    let text = format!(
        "processDescription: {{process: {{id: disk, version: 1.0.0}}}}\nexecutionUnit:\n  type: docker\n  image: i:1\n  \
         command: [x]\n  kubernetes: {{{volumes}}}\n"
    );
    fs::write(&file, text).unwrap();
    let on_cluster = |allows: bool| {
        let settings = format!(
            "executor: kubernetes\nkubernetes: {{agentImage: r:1, serverUrl: 'http://rutter:80', allowHostPaths: {allows}}}\n"
        );
        let config = folder.path().join("rutter.yaml");
        fs::write(&config, settings).unwrap();
        let config = crate::config::load(Some(&config), std::iter::empty(), json!({})).unwrap();
        crate::place::runs(&config, &crate::place::containers(&config))
    };
    let args = || CheckArgs { paths: vec![file.clone()], pygeoapi: None, config: None, json: false };
    let (text, right) = report(&args(), &on_cluster(false)).unwrap();
    assert!(!right && text.contains("hostPath") && text.contains("1 fault"), "{text}");
    for runs in [on_cluster(true), commands()] {
        let (text, right) = report(&args(), &runs).unwrap();
        assert!(right, "{text}");
    }
}

#[test]
fn a_configuration_that_is_named_and_wrong_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("rutter.yaml");
    fs::write(&config, "executor: moon\n").unwrap();
    let args = CheckArgs {
        paths: vec![folder.path().to_owned()],
        pygeoapi: None,
        config: Some(config),
        json: false,
    };
    assert!(run(args).is_err());
}
