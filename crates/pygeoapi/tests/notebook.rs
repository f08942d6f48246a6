//! Notebooks through the command that EOX's processes get, with papermill and scrapbook from PyPI.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/venv.rs"]
mod venv;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};

/// A home with a notebook, and the folders of a job.
struct Bed {
    folder: tempfile::TempDir,
}

impl Bed {
    fn with(cells: &[(&str, &[&str])]) -> Self {
        let bed = Self { folder: tempfile::tempdir().unwrap() };
        for name in ["home/work", "out"] {
            std::fs::create_dir_all(bed.at(name)).unwrap();
        }
        let cell = |(source, tags): &(&str, &[&str])| json!({"cell_type": "code", "source": source, "metadata": {"tags": tags}, "outputs": [], "execution_count": null});
        let notebook = json!({
            "cells": cells.iter().map(cell).collect::<Vec<_>>(), "nbformat": 4, "nbformat_minor": 4,
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        });
        std::fs::write(bed.at("home/work/a.ipynb"), notebook.to_string()).unwrap();
        bed
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, members: &str, inputs: Value) -> Output {
        std::fs::write(self.at("inputs.json"), inputs.to_string()).unwrap();
        let python = venv::papermill();
        let path = format!("{}:{}", python.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let words = command(members);
        Command::new(&words[0])
            .args(&words[1..])
            .envs([("HOME", self.at("home")), ("RUTTER_OUT", self.at("out"))])
            .envs([("RUTTER_PROGRESS", self.at("progress")), ("RUTTER_INPUTS_FILE", self.at("inputs.json"))])
            .env("RUTTER_FAILURE", self.at("failure"))
            .envs([("PATH", path.as_str()), ("RUTTER_JOB_ID", "J")])
            .output()
            .unwrap()
    }

    fn output(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.at("out").join(name)).unwrap();
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }

    /// Notebooks below the folder of results, relative to it.
    fn results(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.at("home/job-output")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => {
                        let below = path.strip_prefix(self.at("home/job-output")).unwrap();
                        found.push(below.display().to_string());
                    }
                }
            }
        }
        found
    }
}

/// The command of a process's package, without the part that says where its home is.
fn command(members: &str) -> Vec<String> {
    let text = format!(
        "resources:\n  run:\n    type: process\n    processor:\n      name: pygeoapi_kubernetes_papermill.PapermillNotebookKubernetesProcessor\n      \
         default_image: a\n      output_directory: job-output\n{members}"
    );
    let configuration = rutter_pygeoapi::read(&text, Path::new("f"), &|_| None).unwrap();
    let words = configuration.processes[0].package["executionUnit"][0]["command"].as_array().unwrap().clone();
    words[2..].iter().map(|word| word.as_str().unwrap().replace("$$(", "$(")).collect()
}

fn last_line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned()
}

#[test]
fn parameters_go_in_and_scraps_come_out() {
    let bed = Bed::with(&[
        ("a = 1\nb = ''", &["parameters"]),
        (
            "import scrapbook as sb, os\nsb.glue('sum', {'a': a, 'b': b, 'cwd': os.path.basename(os.getcwd())})",
            &[],
        ),
        ("sb.glue('text', 'second')", &[]),
    ]);
    let evil = "x'; touch ${HOME}/evil $(touch evil) \"`touch evil`";
    let output = bed.run(
        "",
        json!({"notebook": "work/a.ipynb", "parameters_json": {"a": 2, "b": evil}, "kernel": "python3"}),
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let sum = json!({"a": 2, "b": evil, "cwd": "work"});
    assert_eq!(bed.output("scraps.json"), json!({"sum": sum, "text": "second"}));
    assert_eq!(bed.output("result.json"), sum, "the first one is the answer");
    assert_eq!(bed.output("notebook.ipynb")["cells"].as_array().unwrap().len(), 4);
    let results = bed.results();
    assert_eq!(results.len(), 1);
    assert!(results[0].contains("/a_result_") && results[0].ends_with("_J.ipynb"), "{results:?}");
    let progress = std::fs::read_to_string(bed.at("progress")).unwrap_or_default();
    assert!(progress.lines().all(|line| line.contains(" cell ")), "{progress}");
}

#[test]
fn a_file_is_the_result_where_the_notebook_names_one() {
    let bed = Bed::with(&[(
        "import scrapbook as sb\nopen('depth.csv', 'w').write('a,b\\n1,2\\n')\nsb.glue('result-file', 'work/depth.csv')",
        &[],
    )]);
    let output = bed.run(
        "      results_in_output_dir: true\n",
        json!({"notebook": "work/a.ipynb", "output_dirname": "../x"}),
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(bed.output("result-file.csv"), "a,b\n1,2\n");
    let results = bed.results();
    assert!(results[0].contains("/x/") && results[0].ends_with("-a/a_result.ipynb"), "{results:?}");
}

#[test]
fn what_the_cell_raised_is_the_last_word() {
    let bed = Bed::with(&[("1/0", &[])]);
    let output = bed.run("", json!({"notebook": "work/a.ipynb", "output_filename": "mine.ipynb"}));
    assert!(!output.status.success());
    assert_eq!(last_line(&output), "ZeroDivisionError: division by zero");
    let reason = std::fs::read_to_string(bed.at("failure")).unwrap();
    assert_eq!(reason, "ZeroDivisionError: division by zero");
    let again = bed.run("", json!({"notebook": "work/a.ipynb", "output_filename": "mine.ipynb"}));
    assert!(last_line(&again).contains("File exists"), "{}", last_line(&again));
    assert!(bed.output("notebook.ipynb")["cells"].is_array(), "the failed notebook is there too");
}

#[test]
fn callers_choose_names_and_no_folders() {
    let bed = Bed::with(&[("1", &[])]);
    for (inputs, why) in [
        (json!({"notebook": "work/a.ipynb", "output_filename": ".."}), "is no name"),
        (json!({"notebook": "work/a.ipynb", "result_data_directory": "../../etc"}), "is not below"),
        (json!({"notebook": "work/a.ipynb", "git_revision": "--upload-pack=x"}), "can't be checked out"),
    ] {
        let output = bed.run("", inputs);
        assert!(!output.status.success());
        assert!(last_line(&output).contains(why), "{}", last_line(&output));
    }
}
