//! Programs without an agent, whose log can be read late, or has no end.

use std::time::Duration;

use rutter_core::id::LaunchName;
use serde_json::json;

use crate::{
    common::Print::{Ends, Fails, Hangs},
    play::{asking, server},
};

const PAUSE: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_log_that_begins_late_or_never_ends_holds_up_no_job() {
    let server = server().await;
    // Not there yet; then followed, and the end is not told; then whole.
    let lines = &["one", "PYGEOAPI_K8S_MANAGER_RESULT_START", "{\"x\": 1}"];
    let mut prints = vec![Fails; 12];
    prints.extend([Hangs(&lines[..1]), Ends(lines)]);
    server.executor.run_alone(&prints);
    let id = server.submit("both", &asking(&["object"], json!({}))).await;
    let launch = LaunchName { job: id, launch: 1 };
    let path = format!("/jobs/{id}");
    while server.executor.prints_left() > 1 {
        tokio::time::sleep(PAUSE).await;
    }
    server.executor.alone_ended(launch);
    let mut status = server.json(&path).await;
    while !["successful", "failed"].contains(&status["status"].as_str().unwrap()) {
        tokio::time::sleep(PAUSE).await;
        status = server.json(&path).await;
    }
    assert_eq!(status["status"], "successful", "{status}");
    let log = server.get(&format!("/jobs/{id}/logs"), &[]).await.text();
    assert_eq!(log.matches("one").count(), 1, "what is read again is kept once: {log}");
}
