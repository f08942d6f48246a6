//! What is different in a container: installing, the working directory, the echo.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

use std::process::{Command, Stdio};

use rutter_types::agent::Outcome;
use serde_json::json;
use support::{Bench, sh};

#[test]
fn the_installed_agent_runs_the_command_where_the_image_would_and_echoes_it() {
    let script = "pwd; echo loud >&2; echo x > \"$RUTTER_OUT/y\"; echo \"$RUTTER_WORK\"";
    let bench = Bench::new(json!({"command": sh(script), "outputs": [support::named("y")]}));
    let root = tempfile::tempdir().unwrap();
    let installed =
        Command::new(env!("CARGO_BIN_EXE_rutter-agent")).arg("install").arg(root.path()).status().unwrap();
    assert!(installed.success());

    let image = tempfile::tempdir().unwrap();
    let mut agent = Command::new(root.path().join("bin/rutter-agent"));
    bench.tell(&mut agent);
    let output = agent.arg("run").current_dir(image.path()).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let image = image.path().canonicalize().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(out.lines().next(), image.to_str(), "the command runs in the image's directory");
    assert!(out.lines().nth(1).unwrap().ends_with("/work"), "and has a private one besides: {out}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "loud\n");
    let reports = bench.known.reports.lock().unwrap();
    assert_eq!(reports[0].outcome, Outcome::Exited { code: 0 });
    assert_eq!(reports[0].outputs.len(), 1);
}

#[test]
fn a_reader_who_does_not_read_holds_up_nothing_and_misses_the_rest() {
    let bench = Bench::new(json!({
        "command": sh("head -c 20000000 /dev/zero | tr '\\0' 'x'"),
        "limits": {"log_bytes": 1000},
    }));
    let mut agent = Command::new(env!("CARGO_BIN_EXE_rutter-agent"));
    bench.tell(&mut agent);
    let mut agent = agent.arg("run").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // Nobody reads the pipe until the agent has ended.
    let code = agent.wait().unwrap().code();
    assert_eq!(code, Some(0));
    assert_eq!(bench.known.reports.lock().unwrap()[0].outcome, Outcome::Exited { code: 0 });
}

/// What an image runs by itself is given to the agent; it counts only for an order that names no command.
#[test]
fn the_images_own_command_runs_when_the_order_names_none() {
    for (ordered, word) in [(json!([]), "own a b  c\n"), (sh("echo ordered"), "ordered\n")] {
        let bench = Bench::new(json!({"command": ordered}));
        let mut agent = Command::new(env!("CARGO_BIN_EXE_rutter-agent"));
        bench.tell(&mut agent);
        agent.args(["run", "--", "sh", "-c", "echo \"$0\" \"$@\"", "own", "a", "b  c"]);
        let output = agent.stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
    }
}

#[test]
fn without_any_command_it_says_so() {
    let bench = Bench::new(json!({"command": []}));
    let mut agent = Command::new(env!("CARGO_BIN_EXE_rutter-agent"));
    bench.tell(&mut agent);
    let status =
        agent.arg("run").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert_ne!(status.code(), Some(0));
    let reports = bench.known.reports.lock().unwrap();
    assert!(
        matches!(&reports[0].outcome, Outcome::CannotStart { reason } if reason.contains("empty")),
        "{reports:?}"
    );
}
