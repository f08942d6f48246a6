//! How attempts end: every outcome, seen from the server and from the executor.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::time::{Duration, Instant};

use rutter_types::agent::{Outcome, Verdict};
use serde_json::json;
use support::{Bench, finish, lives, named, sh, wait_until};

#[test]
fn a_command_that_succeeds() {
    let bench = Bench::new(json!({
        "inputs": {"n": 3, "text": "a b"},
        "command": sh("echo hello; echo oops >&2; cat \"$RUTTER_INPUTS_FILE\" > \"$RUTTER_OUT/copy.json\""),
        "outputs": [named("copy")],
    }));
    let (code, report) = bench.run();
    assert_eq!((code, &report.outcome), (0, &Outcome::Exited { code: 0 }));
    assert_eq!(bench.output("copy", 0), br#"{"n":3,"text":"a b"}"#);
    let file = &report.outputs[0];
    assert_eq!((file.name.as_str(), file.media_type.as_deref()), ("copy.json", Some("application/json")));
    let mut log = bench.log();
    log.sort();
    assert_eq!(log, [("err".to_owned(), "oops".to_owned()), ("out".to_owned(), "hello".to_owned())]);
    assert_eq!(report.log_bytes, bench.known.log.lock().unwrap().len() as u64);
    assert!(report.usage.command_seconds > 0.0 && report.usage.peak_memory_bytes > 0);
    assert!(bench.known.tokens.lock().unwrap().iter().all(|token| token == "Bearer secret"));
    assert!(bench.folder().join("report.json").exists());
}

#[test]
fn the_environment_of_the_contract() {
    let bench = Bench::new(json!({
        "inputs": {"n": 3},
        "command": sh("env > \"$RUTTER_OUT/env\"; pwd >> \"$RUTTER_OUT/env\"; ls -d \"$HOME\" \"$TMPDIR\" >/dev/null"),
        "outputs": [named("env")],
    }));
    assert_eq!(bench.run().0, 0);
    let text = String::from_utf8(bench.output("env", 0)).unwrap();
    let folder = bench.folder().display().to_string();
    for line in [
        "RUTTER_JOB_ID=job-1".to_owned(),
        "RUTTER_PROCESS_ID=proc".to_owned(),
        format!("RUTTER_IN={folder}/in"),
        format!("RUTTER_OUT={folder}/out"),
        format!("RUTTER_WORK={folder}/work"),
        format!("RUTTER_PROGRESS={folder}/progress"),
        format!("RUTTER_FAILURE={folder}/failure"),
        format!("RUTTER_INPUTS_FILE={folder}/inputs.json"),
        r#"RUTTER_INPUTS={"n":3}"#.to_owned(),
        format!("HOME={folder}/work"),
        "INHERITED=yes".to_owned(),
        format!("{folder}/work"),
    ] {
        assert!(text.lines().any(|have| have == line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("RUTTER_AGENT_"));
}

#[test]
fn exit_codes_and_signals() {
    for (script, outcome, code) in [
        ("exit 3", Outcome::Exited { code: 3 }, 3),
        ("exit 120", Outcome::Exited { code: 120 }, 1),
        ("exit 123", Outcome::Exited { code: 123 }, 1),
        ("kill -SEGV $$", Outcome::Signalled { signal: 11 }, 1),
        ("kill -KILL $$", Outcome::Signalled { signal: 9 }, 1),
    ] {
        let bench = Bench::new(json!({"command": sh(script), "outputs": [named("none")]}));
        let (exit, report) = bench.run();
        assert_eq!((report.outcome, exit), (outcome, code), "{script}");
        assert!(report.outputs.is_empty());
    }
}

#[test]
fn verdicts_decide_the_exit_code() {
    for (verdict, code) in
        [(Verdict::Retry { exit: 7 }, 7), (Verdict::Fail { exit: 0 }, 1), (Verdict::Done, 0)]
    {
        let bench = Bench::new(json!({"command": sh("exit 9")}));
        *bench.known.verdict.lock().unwrap() = Some(verdict);
        assert_eq!(bench.run().0, code);
    }
}

#[test]
fn what_cannot_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("plain"), "x").unwrap();
    std::fs::write(folder.path().join("script"), "#!/no/such/interpreter\n").unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder.path().join("script"), PermissionsExt::from_mode(0o755)).unwrap();
    for (program, words) in [
        ("no-such-program-here", "no such program: 'no-such-program-here'"),
        ("./missing", "no such program: './missing'"),
        ("./plain", "permission denied: './plain'"),
        ("./script", "interpreter"),
    ] {
        let bench = Bench::new(json!({"command": [[{"text": program}]], "package_folder": folder.path()}));
        let outcome = bench.outcome();
        assert!(matches!(&outcome, Outcome::CannotStart { reason } if reason.contains(words)), "{outcome:?}");
    }
}

#[test]
fn a_package_program_starts_in_its_folder_and_runs_in_the_work_directory() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("model");
    std::fs::write(
        &script,
        "#!/bin/sh\npwd > \"$RUTTER_OUT/where\"\ncat \"$RUTTER_PACKAGE_DIR/model\" >/dev/null\n",
    )
    .unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let bench = Bench::new(json!({
        "command": [[{"text": "./model"}]], "package_folder": folder.path(), "outputs": [named("where")],
    }));
    assert_eq!(bench.run().0, 0);
    let work = format!("{}/work\n", bench.folder().display());
    assert_eq!(bench.output("where", 0), work.as_bytes());
}

#[test]
fn the_time_limit_ends_even_what_ignores_sigterm() {
    let bench = Bench::new(json!({
        "command": sh("trap '' TERM; echo $$ > pid; while true; do sleep 1; done"),
        "limits": {"command_seconds": 1, "grace_seconds": 1},
    }));
    assert_eq!(bench.outcome(), Outcome::TimeLimit);
    assert!(!lives(&bench.wait_for_file("pid")));
    assert!(bench.log().iter().any(|(tag, text)| tag == "sys" && text.contains("time limit of 1 s")));
}

#[test]
fn grace_lets_a_program_tidy_up() {
    let bench = Bench::new(json!({
        "command": sh("trap 'echo tidy; exit 0' TERM; while true; do sleep 0.05; done"),
        "limits": {"command_seconds": 1, "grace_seconds": 30},
    }));
    let started = Instant::now();
    assert_eq!(bench.outcome(), Outcome::TimeLimit);
    assert!(started.elapsed() < Duration::from_secs(25));
    assert!(bench.log().iter().any(|(_, text)| text == "tidy"));
}

/// Allocates that many MiB and keeps them.
fn hog(mebibytes: u32) -> String {
    format!("exec python3 -c 'import time; x = bytearray(b\"1\") * ({mebibytes} << 20); time.sleep(60)'")
}

#[test]
fn a_memory_hog() {
    let bench = Bench::new(json!({"command": sh(&hog(400)), "limits": {"memory_bytes": 200 << 20}}));
    let Outcome::OutOfMemory { peak_bytes } = bench.outcome() else { panic!("{:?}", bench.report()) };
    assert!(peak_bytes > 200 << 20);
}

#[test]
fn a_hog_that_is_gone_before_it_is_seen() {
    let script = "exec python3 -c 'x = bytearray(b\"1\") * (300 << 20)'";
    let bench = Bench::new(json!({"command": sh(script), "limits": {"memory_bytes": 150 << 20}}));
    assert!(matches!(bench.outcome(), Outcome::OutOfMemory { .. }));
}

#[test]
fn memory_of_children_counts_but_shared_pages_only_once() {
    let children = "import os, time
x = bytearray(b'1') * (60 << 20)
for _ in range(4):
    if os.fork() == 0:
        time.sleep(1)
        os._exit(0)
for _ in range(4): os.wait()";
    let bench = Bench::new(json!({
        "command": [[{"text": "python3"}], [{"text": "-c"}], [{"text": children}]],
        "limits": {"memory_bytes": 150 << 20},
    }));
    assert_eq!(bench.outcome(), Outcome::Exited { code: 0 });
    let own = children.replace(
        "        time.sleep(1)\n",
        "        y = bytearray(b'2') * (50 << 20)\n        time.sleep(60)\n",
    );
    let bench = Bench::new(json!({
        "command": [[{"text": "python3"}], [{"text": "-c"}], [{"text": own}]],
        "limits": {"memory_bytes": 150 << 20},
    }));
    assert!(matches!(bench.outcome(), Outcome::OutOfMemory { .. }));
}

#[test]
fn too_much_disk_space() {
    let bench = Bench::new(json!({
        "command": sh("dd if=/dev/zero of=big bs=1M count=30 2>/dev/null; sleep 60"),
        "limits": {"scratch_bytes": 20 << 20},
    }));
    assert_eq!(bench.outcome(), Outcome::ScratchLimit);
    let quick = Bench::new(json!({
        "command": sh("dd if=/dev/zero of=big bs=1M count=30 2>/dev/null"),
        "limits": {"scratch_bytes": 20 << 20},
    }));
    assert_eq!(quick.outcome(), Outcome::ScratchLimit);
}

#[test]
fn nothing_is_left_of_a_command_that_daemonises() {
    let daemon = "import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open('pid', 'w').write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
while not os.path.exists('pid') or not os.path.getsize('pid'): time.sleep(0.01)";
    let bench = Bench::new(json!({"command": [[{"text": "python3"}], [{"text": "-c"}], [{"text": daemon}]]}));
    assert_eq!(bench.run().0, 0);
    assert!(!lives(&bench.wait_for_file("pid")));
}

#[test]
fn a_background_child_that_holds_the_pipe_does_not_hold_up_the_end() {
    let bench = Bench::new(json!({"command": sh("sleep 600 & echo $! > pid; echo done")}));
    assert_eq!(bench.run().0, 0);
    assert!(!lives(&bench.wait_for_file("pid")));
    assert_eq!(bench.log(), [("out".to_owned(), "done".to_owned())]);
}

#[test]
fn killing_the_agent_kills_the_command() {
    let bench = Bench::new(json!({"command": sh("echo $$ > pid; exec sleep 600")}));
    let mut agent = bench.agent();
    let pid = bench.wait_for_file("pid");
    assert!(lives(&pid));
    agent.kill().unwrap();
    agent.wait().unwrap();
    support::wait_until(|| (!lives(&pid)).then_some(()));
    // And it is not run again.
    assert_eq!(finish(bench.agent()), 123);
    assert!(bench.known.reports.lock().unwrap().is_empty());
}

#[test]
fn only_one_agent_has_an_attempt() {
    let bench = Bench::new(json!({"command": sh("echo x >> ran; sleep 2")}));
    let first = bench.agent();
    bench.wait_for_file("ran");
    assert_eq!(finish(bench.agent()), 0);
    assert_eq!(finish(first), 0);
    assert_eq!(bench.wait_for_file("ran"), "x\n");
    let record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(bench.folder().join("record.json")).unwrap()).unwrap();
    assert_eq!(record["job"], "job-1");
}

#[test]
fn asked_to_stop() {
    let bench = Bench::new(
        json!({"command": sh("trap 'exit 0' TERM; echo x > up; while true; do sleep 0.05; done")}),
    );
    let agent = bench.agent();
    bench.wait_for_file("up");
    let pid = rustix::process::Pid::from_child(&agent);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(finish(agent), 1);
    assert_eq!(bench.report().outcome, Outcome::Stopped);
}

#[test]
fn asked_to_stop_before_there_is_an_order() {
    let bench = Bench::new(json!({}));
    *bench.known.order.lock().unwrap() = json!({"do": "wait", "millis": 100_000});
    let agent = bench.agent();
    wait_until(|| (!bench.known.calls.lock().unwrap().is_empty()).then_some(()));
    let pid = rustix::process::Pid::from_child(&agent);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(finish(agent), 143, "0 would say that nothing is left to do");
}

#[test]
fn a_command_that_fails_leaves_its_words_and_what_is_wanted_of_it() {
    let mut draft = named("draft");
    draft["when_failed"] = json!(true);
    let failing = |line: &str| {
        let line =
            format!("echo half > \"$RUTTER_OUT/draft.txt\"; echo x > \"$RUTTER_OUT/whole.txt\"; {line}");
        Bench::new(json!({"command": sh(&line), "outputs": [draft, named("whole")]}))
    };
    let bench = failing("printf ' no water\\n\\033[1m' > \"$RUTTER_FAILURE\"; exit 3");
    let (code, report) = bench.run();
    assert_eq!((code, &report.outcome), (3, &Outcome::Exited { code: 3 }));
    assert_eq!(report.reason.as_deref(), Some("no water\n[1m"), "nothing that steers a terminal");
    assert_eq!(report.outputs.len(), 1, "{:?}", report.outputs);
    assert_eq!(bench.output("draft", 0), b"half\n");

    for (line, what) in [
        ("ln -s /etc/passwd \"$RUTTER_FAILURE\"; exit 1", "a link"),
        ("mkfifo \"$RUTTER_FAILURE\"; exit 1", "a FIFO"),
        ("printf ' \\n' > \"$RUTTER_FAILURE\"; exit 1", "nothing"),
    ] {
        assert_eq!(failing(line).run().1.reason, None, "{what}");
    }
    let long = failing("head -c 100000 /dev/zero | tr '\\0' x > \"$RUTTER_FAILURE\"; exit 1").run().1;
    assert_eq!(long.reason.map(|text| text.len()), Some(4096));
    let unusable =
        failing("rm \"$RUTTER_OUT/draft.txt\"; ln -s /etc/passwd \"$RUTTER_OUT/draft.txt\"; exit 4").run();
    assert_eq!((unusable.0, unusable.1.outputs.len()), (4, 0), "how it failed counts");
    let fine = failing("echo x > \"$RUTTER_FAILURE\"").run().1;
    assert_eq!((fine.outputs.len(), fine.reason), (2, None), "words of a failure that was none");
}
