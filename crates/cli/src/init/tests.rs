//! A first package is right, whatever was typed.

use rutter_core::process::{Process, Runs, UnitKind, file};
use serde_json::json;

use super::*;

fn make_in(folder: &Path, name: &str, command: &[&str]) -> anyhow::Result<Made> {
    let args = InitArgs { name: name.to_owned(), command: command.iter().map(ToString::to_string).collect() };
    make(&args, folder)
}

fn read(made: &Made) -> Process {
    file::check(&made.package).result.unwrap()
}

#[test]
fn flags_with_values_become_inputs() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model.py"), "print(1)").unwrap();
    fs::write(folder.path().join("dem.tif"), "II*").unwrap();
    let command = [
        "python3",
        "model.py",
        "--level",
        "3",
        "--name=North Sea",
        "--dem",
        "dem.tif",
        "--verbose",
        "--offset",
        "-2.5",
    ];
    let made = make_in(folder.path(), "flood", &command).unwrap();
    let process = read(&made);
    assert_eq!(process.inputs["level"].default, Some(json!(3)));
    assert_eq!(process.inputs["level"].description.schema["type"], "number");
    assert_eq!(process.inputs["name"].default, Some(json!("North Sea")));
    assert_eq!(process.inputs["offset"].default, Some(json!(-2.5)));
    assert!(process.inputs["dem"].is_file);
    assert_eq!(process.inputs["dem"].default, Some(json!({"href": "data/dem.tif"})));
    assert!(!process.inputs.contains_key("verbose"));
    let flood = folder.path().join("flood");
    assert!(flood.join("model.py").is_file() && flood.join("data/dem.tif").is_file());
    let (text, right) = check(&flood);
    assert!(right, "{text}");
    let wanted = format!(
        "$ python3 {}/model.py --level 3 '--name=North Sea' --dem $RUTTER_IN/dem/dem.tif --verbose --offset -2.5",
        flood.display()
    );
    assert!(text.contains(&wanted), "{text}");
    assert!(!text.contains("notice"), "{text}");
}

#[test]
fn nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    make_in(folder.path(), "p", &["true"]).unwrap();
    let before = fs::read(folder.path().join("p/package.yaml")).unwrap();
    let error = make_in(folder.path(), "p", &["false"]).unwrap_err();
    assert!(error.to_string().contains("is there already"), "{error}");
    assert_eq!(fs::read(folder.path().join("p/package.yaml")).unwrap(), before);
}

#[test]
fn names_that_are_paths_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["../p", "a/b", "", "."] {
        assert!(make_in(folder.path(), name, &["true"]).is_err(), "{name}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn whatever_was_typed_gives_a_right_package() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("m"), "#!/bin/sh\n").unwrap();
    let commands: [&[&str]; 9] = [
        &["true"],
        &["m", "--a", "yes", "--b", "null", "--c", "0755", "--d", "1_000"],
        &["m", "$(date)", "--x", "$(inputs.y)", "a: b", "# c", "", "- d", "{e", "\"f\"", "g\nh", "ü"],
        &["m", "--a", "1", "--a", "2", "-1", "--", "-x", "5"],
        &["m", "--=3", "-=", "-", "--a="],
        &["m", "--n", "1e400", "--m", "NaN", "--i", "12345678901234567890123"],
        &["./m", "--level=3"],
        &["true", "on", ".5", "-.5", "1.0", "0x10", "~", "null"],
        &["sh", "-c", "echo hello $(date)", "--x", "1"],
    ];
    for (at, command) in commands.into_iter().enumerate() {
        let made = make_in(folder.path(), &format!("p{at}"), command);
        assert!(made.is_ok(), "{command:?}: {:?}", made.unwrap_err());
    }
}

#[test]
fn a_file_that_is_missing_is_told_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    for command in [&["python3", "missing.py", "--level", "3"][..], &["./missing"], &["Rscript", "missing.R"]]
    {
        let error = make_in(folder.path(), "flood", command).unwrap_err().to_string();
        assert!(error.contains("there is no file") && error.contains("missing"), "{error}");
        assert!(!folder.path().join("flood").exists());
    }
    make_in(folder.path(), "module", &["python3", "-m", "http.server"]).unwrap();
    make_in(folder.path(), "code", &["python3", "-c", "import model.py"]).unwrap();
}

fn check(file: &Path) -> (String, bool) {
    let args =
        crate::check::CheckArgs { paths: vec![file.to_owned()], pygeoapi: None, config: None, json: false };
    crate::check::report(&args, &Runs::new(UnitKind::Command, "local")).unwrap()
}
