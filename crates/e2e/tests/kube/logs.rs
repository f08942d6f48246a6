//! Logs: long ones, and many at once.

use rutter_e2e::{shell, wait_until};
use serde_json::json;

use crate::bed;

/// Megabytes of the long log; a gigabyte takes minutes.
const USUAL: u64 = 60;
/// Most that the server may grow by.
const ROOM: u64 = 48 * 1024 * 1024;

#[test]
fn a_long_log_costs_the_server_no_memory_and_no_more_disk_than_itself() {
    let _turn = bed::turn();
    let megabytes = std::env::var("RUTTER_TEST_LOG_MB").map_or(USUAL, |text| text.parse().unwrap());
    let lines = megabytes * 5000;
    let line = format!("yes $$(printf '%0199d' 7) | head -n {lines}; echo the end >&2");
    let server = bed::server(&[shell("short", "echo short"), long(&line)]).start();
    let client = server.client();
    client.execute("short", &json!({"inputs": {}})).expect(200);
    let before = server.memory();
    let job = client.submit("long", &json!({}));
    let mut most = before;
    let mut status = client.status(&job);
    while !["successful", "failed"].contains(&status["status"].as_str().unwrap()) {
        most = most.max(server.memory());
        std::thread::sleep(std::time::Duration::from_millis(100));
        status = client.status(&job);
    }
    assert_eq!(status["status"], "successful", "{status}");
    let folder = server.data().join("logs").join(job.rsplit('/').next().unwrap());
    wait_until("it is archived", || {
        most = most.max(server.memory());
        !folder.exists()
    });
    assert!(most < before + ROOM, "{before} bytes before, {most} at most");
    let log = client.request("HEAD", &format!("{job}/logs"));
    let length: u64 = client.send(log).header("content-length").unwrap().parse().unwrap();
    let of_a_line = 200 + "2026-11-25T10:00:00.000001Z out ".len() as u64;
    assert!(length >= lines * of_a_line, "{length}");
    // What was still in the pipe of standard output may be read after it.
    let end = client.get(&format!("{job}/logs?offset={}", length - 300_000)).text();
    assert!(end.contains("err the end"), "{end}");
    assert!(kept(&server.data()) < length + 16_000_000, "{} bytes on disk", kept(&server.data()));
}

/// Without an output, so that it is only a log.
fn long(line: &str) -> rutter_e2e::Package {
    rutter_e2e::Package::new("long", json!(["sh", "-c", line]))
}

/// Bytes of all files in a folder.
fn kept(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => kept(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

#[test]
fn many_jobs_log_at_once_and_every_line_arrives_once() {
    let _turn = bed::turn();
    let line = "for i in $$(seq 100); do echo line $i.; sleep 0.02; done";
    let talks = shell("talks", line).config("cpuMin", json!(0.01)).config("memoryMin", json!(0.03));
    let server = bed::server(&[talks]).start();
    let client = server.client();
    let jobs: Vec<_> = (0..12).map(|_| client.submit("talks", &json!({}))).collect();
    for job in &jobs {
        let status = client.finish(job);
        assert_eq!(status["status"], "successful", "{status}");
        let log = client.get(&format!("{job}/logs")).text();
        let lines: Vec<_> = log.lines().filter_map(|line| line.split(" out ").nth(1)).collect();
        let wanted: Vec<_> = (1..=100).map(|number| format!("line {number}.")).collect();
        assert_eq!(lines, wanted);
    }
    assert!(server.open_files() < 200, "no connection is held for each job");
}
