//! `GET` and `DELETE /jobs/{id}`.

use rutter_core::{
    executor::{AttemptName, LaunchEnd},
    id::JobId,
};
use rutter_types::{
    agent::{OrderAnswer, Outcome, Verdict},
    rel,
};
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

#[tokio::test]
async fn each_attempt_is_told_with_its_log_and_its_end() {
    let server = server().await;
    let id = server.submit("both", &json!({})).await;
    let path = format!("/jobs/{id}");
    let agents = server.state.engine.agents();
    let first = server.attempt(id).await;
    agents.log(&first, 0, "2026-11-25T10:00:00.000001Z out one\n".into()).await.unwrap();
    assert!(
        server.json(&path).await.get("attempts").is_none(),
        "one alone says nothing more than the status"
    );
    let second = AttemptName { uid: "2".into(), ..first.clone() };
    agents.order(&second).await.unwrap();
    agents.log(&second, 0, "2026-11-25T10:00:01.000001Z out two\n".into()).await.unwrap();
    server.report(&second, Outcome::Exited { code: 0 }, Vec::new()).await;
    let status = server.json(&path).await;
    check_status(&status);
    let attempts = status["attempts"].as_array().unwrap();
    assert_eq!((&attempts[0]["number"], &attempts[1]["number"], attempts.len()), (&json!(1), &json!(2), 2));
    assert!(attempts[0]["exception"]["type"].as_str().unwrap().ends_with("/agent-lost"), "{status}");
    assert!(attempts[1].get("exception").is_none() && attempts[1]["finished"].is_string(), "{status}");
    for (attempt, text) in attempts.iter().zip(["one", "two"]) {
        let log = attempt["log"].as_str().unwrap().strip_prefix("http://127.0.0.1:8080").unwrap();
        let log = server.get(log, &[]).await.text();
        assert!(log.lines().count() == 1 && log.contains(text), "{log}");
    }
    let page = server.get(&path, &[("accept", BROWSER)]).await.text();
    assert!(page.contains("Attempts") && page.contains("logs?attempt=2"), "{page}");
    for (wrong, code) in
        [("attempt=3", 400), ("attempt=0", 400), ("attempt=x", 400), ("attempt=1&follow=true", 400)]
    {
        assert_eq!(server.get(&format!("{path}/logs?{wrong}"), &[]).await.status, code, "{wrong}");
    }
    // A pod that was published may be moved before it has ended: what comes after it does nothing.
    let third = AttemptName { uid: "3".into(), ..first };
    assert_eq!(agents.order(&third).await.unwrap(), OrderAnswer::Over);
    assert_eq!(server.json(&path).await, status);
}

#[tokio::test]
async fn an_attempt_that_was_stopped_is_no_failure_of_the_program() {
    let server = server().await;
    let id = server.submit("both", &json!({})).await;
    let attempt = server.attempt(id).await;
    let verdict = server.report(&attempt, Outcome::Stopped, Vec::new()).await;
    assert!(matches!(verdict, Verdict::Retry { exit } if exit != 0), "{verdict:?}");
    assert_eq!(server.json(&format!("/jobs/{id}")).await["status"], "running", "its executor decides");
    server.executor.over(attempt.launch, LaunchEnd::Disrupted { times: 5 });
    let mut status = Value::Null;
    for _ in 0..2000 {
        status = server.json(&format!("/jobs/{id}")).await;
        if status["status"] == "failed" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(status["exception"]["type"].as_str().unwrap().ends_with("/disrupted"), "{status}");
}
