//! Servers that fail: answered late, gone for a while, gone for ever, or no longer interested.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::atomic::Ordering;
use std::time::Duration;

use rutter_types::agent::Outcome;
use serde_json::json;
use support::{Bench, finish, lives, named, sh, wait_until};

#[test]
fn every_call_is_tried_again() {
    let bench = Bench::new(json!({
        "command": sh("seq 1 1000; head -c 300000 /dev/zero > $RUTTER_OUT/big"), "outputs": [named("big")],
    }));
    bench.known.failing.store(4, Ordering::SeqCst);
    let agent = bench.agent();
    wait_until(|| (bench.known.failing.load(Ordering::SeqCst) == 0).then_some(()));
    bench.known.failing.store(3, Ordering::SeqCst);
    assert_eq!(finish(agent), 0);
    assert_eq!(bench.output("big", 0).len(), 300_000);
    assert_eq!(bench.log().len(), 1000);
}

/// Killed at a random moment, started again a little later, many times.
#[test]
fn a_server_killed_again_and_again() {
    let mut bench = Bench::new(json!({
        "command": sh("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo line $i; echo \"$((i*8)) step $i\" >> $RUTTER_PROGRESS; \
                       sleep 0.2; done; head -c 40000000 /dev/urandom > $RUTTER_OUT/big; cp $RUTTER_OUT/big ../copy"),
        "outputs": [named("big")],
    }));
    let mut agent = bench.agent();
    for round in 0.. {
        if let Some(status) = agent.try_wait().unwrap() {
            assert_eq!(status.code(), Some(0));
            break;
        }
        bench.kill_server();
        std::thread::sleep(Duration::from_millis(60));
        bench.start_server();
        std::thread::sleep(Duration::from_millis(200 + round * 37 % 300 + round * 20));
    }
    let lines: Vec<String> = bench.log().into_iter().map(|(_, text)| text).collect();
    assert_eq!(lines, (1..=12).map(|n| format!("line {n}")).collect::<Vec<_>>());
    assert_eq!(bench.output("big", 0), std::fs::read(bench.folder().join("copy")).unwrap());
}

#[test]
fn the_command_goes_on_while_the_server_is_away() {
    let mut bench = Bench::new(json!({"command": sh("echo up > up; sleep 0.5; echo late; echo x > ended")}));
    let agent = bench.agent();
    bench.wait_for_file("up");
    bench.kill_server();
    bench.wait_for_file("ended");
    std::thread::sleep(Duration::from_millis(300));
    bench.start_server();
    assert_eq!(finish(agent), 0);
    assert_eq!(bench.log(), [("out".to_owned(), "late".to_owned())]);
}

#[test]
fn a_server_that_never_comes_back() {
    let mut bench = Bench::new(json!({
        "command": sh("echo $$ > pid; exec sleep 600"), "limits": {"contact_seconds": 1, "grace_seconds": 1},
    }));
    let agent = bench.agent();
    let pid = bench.wait_for_file("pid");
    bench.kill_server();
    assert_eq!(finish(agent), 122);
    assert!(!lives(&pid));
}

#[test]
fn gone_while_the_command_runs() {
    let bench = Bench::new(json!({"command": sh("echo $$ > pid; while true; do echo x; sleep 0.1; done")}));
    let agent = bench.agent();
    let pid = bench.wait_for_file("pid");
    bench.known.gone.store(true, Ordering::SeqCst);
    assert_eq!(finish(agent), 0);
    assert!(!lives(&pid));
    assert!(bench.known.reports.lock().unwrap().is_empty());
}

#[test]
fn nothing_to_do() {
    let bench = Bench::new(json!({}));
    *bench.known.order.lock().unwrap() = json!({"do": "over"});
    assert_eq!(finish(bench.agent()), 0);
    assert!(!bench.folder().join("record.json").exists());
}

#[test]
fn an_agent_that_waits_for_its_order() {
    let bench = Bench::new(json!({}));
    let order = bench.known.order.lock().unwrap().clone();
    *bench.known.order.lock().unwrap() = json!({"do": "wait", "millis": 20});
    let agent = bench.agent();
    wait_until(|| (bench.known.calls.lock().unwrap().len() > 3).then_some(()));
    *bench.known.order.lock().unwrap() = order;
    assert_eq!(finish(agent), 0);
    assert_eq!(bench.report().outcome, Outcome::Exited { code: 0 });
}

/// A pod may start while there is no server: it waits as long as it was told, not for ever.
#[test]
fn a_server_that_is_away_before_there_is_an_order() {
    let mut bench = Bench::new(json!({}));
    bench.kill_server();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rutter-agent"));
    bench.tell(&mut command);
    let mut agent = command.env("RUTTER_AGENT_CONTACT_SECONDS", "2").spawn().unwrap();
    assert_eq!(agent.wait().unwrap().code(), Some(122));
}

#[test]
fn settings_that_are_missing() {
    let bench = Bench::new(json!({}));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rutter-agent"));
    let output = command.env_remove("RUTTER_AGENT_SERVER").output().unwrap();
    assert_eq!(output.status.code(), Some(123));
    assert!(String::from_utf8_lossy(&output.stderr).contains("RUTTER_AGENT_SERVER"));
    let output = command
        .env("RUTTER_AGENT_SERVER", "ftp://x")
        .env("RUTTER_AGENT_FOLDER", bench.folder())
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("unix:/path/to/socket"));
}

#[test]
fn a_server_behind_tcp_found_by_name() {
    let bench = Bench::new(json!({
        "command": sh("head -c 300000 /dev/zero > $RUTTER_OUT/big"), "outputs": [named("big")],
    }));
    assert_eq!(finish(bench.agent_at(&format!("http://localhost:{}", bench.tcp()))), 0);
    assert_eq!(bench.output("big", 0).len(), 300_000);
}

/// Connections that carry only so many bytes: what arrived is not sent again.
#[test]
fn a_large_output_goes_on_where_a_connection_broke() {
    for limit in [1_234_567, 7_000_001] {
        let bench = Bench::new(large());
        let listener = std::os::unix::net::UnixListener::bind(bench.dir.path().join("cut")).unwrap();
        let socket = bench.socket();
        std::thread::spawn(move || {
            for agent in listener.incoming().flatten() {
                carry(agent, std::os::unix::net::UnixStream::connect(&socket).unwrap(), limit);
            }
        });
        assert_eq!(finish(bench.agent_at(&format!("unix:{}", bench.dir.path().join("cut").display()))), 0);
        assert_eq!(bench.output("big", 0), std::fs::read(bench.folder().join("copy")).unwrap());
        let came = bench.known.came.load(Ordering::SeqCst);
        assert!(came < LARGE * 5 / 4, "{came} bytes came for {LARGE}");
    }
}

const LARGE: usize = 40_000_000;

fn large() -> serde_json::Value {
    json!({
        "command": sh(&format!("head -c {LARGE} /dev/urandom > $RUTTER_OUT/big; cp $RUTTER_OUT/big ../copy")),
        "outputs": [named("big")],
    })
}

/// Carries so many bytes to the server and cuts both ways then.
fn carry(agent: std::os::unix::net::UnixStream, server: std::os::unix::net::UnixStream, limit: u64) {
    use std::io::{Read, copy};
    use std::net::Shutdown;
    let (mut back, mut answers) = (agent.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || copy(&mut answers, &mut back));
    std::thread::spawn(move || {
        let _ = copy(&mut (&agent).take(limit), &mut &server);
        let _ = (agent.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
    });
}

#[test]
fn a_server_that_knows_no_parts_gets_large_outputs_at_once() {
    let bench = Bench::new(large());
    bench.known.knows_no_parts.store(true, Ordering::SeqCst);
    assert_eq!(finish(bench.agent()), 0);
    assert_eq!(bench.output("big", 0), std::fs::read(bench.folder().join("copy")).unwrap());
}

#[test]
fn parts_that_a_server_keeps_wrong_are_not_believed() {
    let bench = Bench::new(large());
    bench.known.keeps_wrong.store(true, Ordering::SeqCst);
    assert_eq!(finish(bench.agent()), 0);
    assert_eq!(bench.output("big", 0), std::fs::read(bench.folder().join("copy")).unwrap());
}

/// Every answer is cut off behind its head, for a while: as by a server killed at that moment.
#[test]
fn answers_that_break_off() {
    use std::io::{Read, Write};
    let bench = Bench::new(json!({"command": sh("echo x")}));
    let listener = std::os::unix::net::UnixListener::bind(bench.dir.path().join("cut")).unwrap();
    let socket = bench.socket();
    std::thread::spawn(move || {
        for (turn, mut agent) in listener.incoming().flatten().enumerate() {
            if turn % 3 != 2 {
                let _ = agent.read(&mut [0; 4096]);
                let _ = agent.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{\"do\"");
                continue;
            }
            let server = std::os::unix::net::UnixStream::connect(&socket).unwrap();
            let (mut there, mut back) = (agent.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut there, &mut { server }));
            std::thread::spawn(move || std::io::copy(&mut back, &mut { agent }));
        }
    });
    assert_eq!(finish(bench.agent_at(&format!("unix:{}", bench.dir.path().join("cut").display()))), 0);
    assert_eq!(bench.log(), [("out".to_owned(), "x".to_owned())]);
}
