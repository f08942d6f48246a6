//! Lines of a shell through the command that EOX's image processes get.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

/// Runs the command of a process whose line prints variables; `path` = where programs are looked for.
fn run(line: &str, inputs: &Value, path: Option<&Path>) -> Output {
    let text = format!(
        "resources:\n  run:\n    type: process\n    processor:\n      name: pygeoapi_kubernetes_papermill.ContainerImageKubernetesProcessor\n      \
         default_image: a\n      parameters_env: {{MODE: fast}}\n      command: {}\n",
        json!(line)
    );
    let configuration = rutter_pygeoapi::read(&text, Path::new("f"), &|_| None).unwrap();
    let words = configuration.processes[0].package["executionUnit"][0]["command"].as_array().unwrap().clone();
    let words: Vec<String> = words.iter().map(|word| word.as_str().unwrap().replace("$$(", "$(")).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("inputs.json");
    std::fs::write(&file, inputs.to_string()).unwrap();
    let mut command = Command::new("/bin/bash");
    command
        .args(&words[1..])
        .env("MODE", "fast")
        // What this machine's user has in its shell is nobody's business.
        .env("HOME", folder.path())
        .env("RUTTER_INPUTS_FILE", &file)
        .env("RUTTER_OUT", folder.path());
    if let Some(path) = path {
        command.env("PATH", path);
    }
    command.output().unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn callers_give_variables_and_no_code() {
    let evil = "'; echo evil; $(echo evil) `echo evil`\n\"";
    let inputs = json!({"parameters_env": {"TEXT": evil, "MODE": "slow", "NUMBER": 3}});
    let output = run("printf '%s|' \"$TEXT\" \"$MODE\" \"$NUMBER\" \"$(echo ours)\"", &inputs, None);
    assert_eq!(printed(&output), format!("{evil}|fast|3|ours|"), "the configuration's own MODE counts");
    assert_eq!(run("exit 7", &json!({}), None).status.code(), Some(7));
}

#[test]
fn an_image_without_python_runs_what_needs_none() {
    let folder = tempfile::tempdir().unwrap();
    for program in ["bash", "grep"] {
        let found = ["/bin", "/usr/bin"].map(|bin| Path::new(bin).join(program));
        let found = found.iter().find(|path| path.exists()).unwrap();
        std::os::unix::fs::symlink(found, folder.path().join(program)).unwrap();
    }
    let plain = run("echo \"$MODE\"", &json!({"cpu_limit": "1"}), Some(folder.path()));
    assert_eq!(printed(&plain), "fast\n", "{}", String::from_utf8_lossy(&plain.stderr));
    let asked = run("echo x", &json!({"parameters_env": {"A": "b"}}), Some(folder.path()));
    assert_eq!((asked.status.code(), printed(&asked).as_str()), (Some(1), ""));
    assert!(String::from_utf8_lossy(&asked.stderr).contains("no python3"));
}
