//! `GET` and `DELETE /jobs/{id}`.

use rutter_core::id::JobId;
use rutter_types::{agent::Outcome, rel};
use serde_json::{Value, json};

use crate::{
    common::BROWSER,
    play::{EVERYTHING, server},
    schemas::{check_problem, check_status},
};

fn rels(status: &Value) -> Vec<&str> {
    status["links"].as_array().unwrap().iter().map(|link| link["rel"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_status_tells_where_the_job_is_and_what_can_be_had() {
    let server = server().await;
    let id = server.submit("both", &json!({})).await;
    let path = format!("/jobs/{id}");
    check_status(&server.json(&path).await);
    server.attempt(id).await;
    let running = server.json(&path).await;
    check_status(&running);
    assert_eq!(running["status"], "running");
    assert!(rels(&running).contains(&"monitor") && !rels(&running).contains(&rel::RESULTS));
    server.succeed(id, &EVERYTHING).await;
    let done = server.json(&path).await;
    check_status(&done);
    assert_eq!((&done["status"], &done["progress"]), (&json!("successful"), &json!(100)));
    assert!(rels(&done).contains(&rel::RESULTS) && done["expires"].is_string());
    for link in done["links"].as_array().unwrap() {
        let href = link["href"].as_str().unwrap().strip_prefix("http://127.0.0.1:8080").unwrap();
        let accept = link["type"].as_str().unwrap_or("*/*");
        assert_eq!(server.get(href, &[("accept", accept)]).await.status, 200, "{link}");
    }
}

#[tokio::test]
async fn a_failed_job_tells_why() {
    let server = server().await;
    let id = server.submit("both", &json!({})).await;
    server.fail(id, Outcome::OutOfMemory { peak_bytes: 5 }).await;
    let status = server.json(&format!("/jobs/{id}")).await;
    check_status(&status);
    assert_eq!(status["status"], "failed");
    check_problem(&status["exception"]);
    assert!(rels(&status).contains(&rel::EXCEPTIONS));
}

#[tokio::test]
async fn ids_that_are_none_are_unknown_jobs() {
    let server = server().await;
    let real = JobId::generate().to_string();
    let long = "x".repeat(300);
    for id in [
        "invalid-job-1",
        "..%2F..%2Fetc",
        "%00",
        "%0d%0aX:y",
        &long,
        &real,
        &real.to_uppercase(),
        &real.replace('-', ""),
    ] {
        let answer = server.get(&format!("/jobs/{id}"), &[("accept", "application/json")]).await;
        assert_eq!(answer.status, 404, "{id}");
        check_problem(&answer.json());
        assert!(answer.json()["type"].as_str().unwrap().ends_with("/no-such-job"));
    }
}

#[tokio::test]
async fn dismissing_ends_then_removes_then_is_gone() {
    let server = server().await;
    let active = server.submit("both", &json!({})).await;
    let path = format!("/jobs/{active}");
    for _ in 0..2 {
        let answer = server.delete(&path).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        check_status(&answer.json());
        assert_eq!(answer.json()["status"], "dismissed");
    }
    for answer in [
        server.delete(&path).await,
        server.get(&path, &[]).await,
        server.get(&format!("{path}/results"), &[]).await,
    ] {
        assert_eq!(answer.status, 410, "{}", answer.text());
    }
    let finished = server.done(&json!({}), &EVERYTHING).await;
    let answer = server.delete(&format!("/jobs/{finished}")).await;
    check_status(&answer.json());
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (200, &json!("dismissed")));
    assert_eq!(server.get(&format!("/jobs/{finished}"), &[]).await.status, 410);
    assert_eq!(server.delete(&format!("/jobs/{}", JobId::generate())).await.status, 404);
}

#[tokio::test]
async fn the_request_is_kept_without_its_secrets() {
    let server = server().await;
    let id = server.submit("both", &json!({"inputs": {"text": "seen", "secret": "s3cret"}})).await;
    let request = server.get(&format!("/jobs/{id}/request"), &[]).await;
    assert!(request.text().contains("seen") && !request.text().contains("s3cret"), "{}", request.text());
}

#[tokio::test]
async fn every_resource_of_a_job_has_a_page() {
    let server = server().await;
    let id = server.done(&json!({}), &EVERYTHING).await;
    for path in ["", "/results", "/logs", "/request"] {
        let page = server.get(&format!("/jobs/{id}{path}"), &[("accept", BROWSER)]).await;
        assert_eq!(
            (page.status.as_u16(), page.header("content-type")),
            (200, "text/html; charset=utf-8"),
            "{path}"
        );
        assert!(!page.text().contains("<script>alert"), "{path}");
    }
    let list = server.get("/jobs?status=successful&processID=both", &[("accept", BROWSER)]).await;
    assert!(list.text().contains(&id.to_string()));
}
