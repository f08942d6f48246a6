//! Every part of the benchmark works against the built server. Speed is no matter here: only that rows come out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

/// A piece of a row of each kind.
const ROWS: [&str; 11] = [
    "| GET process list, 1000 jobs stored |",
    "| GET job status, 2000 jobs stored |",
    "| p99 of GET /jobs, minDuration, 2000 jobs stored, 3 run |",
    "| POST async, 32 at once, 2000 jobs stored |",
    "| GET /jobs, no filter: ratio with 2000 to ratio with 1000 jobs stored |",
    "| POST sync of `true`, p50 |",
    "| 4 async jobs of `sleep 0.02` to completion,",
    "| start to first 200 |",
    "| resident, 100 live jobs |",
    "| peak of resident memory while 8.0 MiB go in and out |",
    "| agent of a `sleep`: resident |",
];

/// The same on a cluster.
const KUBE_ROWS: [&str; 5] = [
    "| the command's end in the pod to the synchronous answer, p99 |",
    "| agent in a pod: resident |",
    "| Jobs made, from 10 requests at once to the last Job |",
    "| resident, 50 live Jobs (without pods) |",
    "| API calls per minute of an idle server, 10 finished jobs stored |",
];

#[test]
fn prints_every_row() {
    has(&run(&[]), &ROWS);
}

#[test]
fn prints_every_row_of_a_cluster() {
    let agent = rutter_e2e::static_agent();
    has(&run(&["--kube", "--agent", agent.to_str().unwrap()]), &KUBE_ROWS);
}

fn run(arguments: &[&str]) -> String {
    let mut bench = Command::new(env!("CARGO_BIN_EXE_rutter-bench"));
    let output =
        bench.args(["--quick", "--rutter"]).arg(rutter_e2e::binary()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn has(table: &str, rows: &[&str]) {
    for row in rows {
        assert!(table.contains(row), "no row {row} in\n{table}");
    }
    assert!(!table.contains("NaN") && !table.contains("inf"), "{table}");
}
