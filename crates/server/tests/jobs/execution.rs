//! `POST /processes/{id}/execution`.

use std::{collections::HashSet, time::Duration};

use axum::body::Body;
use http::Method;
use rutter_server::{Limits, ServerConfig};
use rutter_types::agent::Outcome;
use serde_json::{Value, json};

use crate::{
    common::{Answer, Server, request},
    play::{EVERYTHING, asking, server, server_with},
    schemas::{check_problem, check_results, check_status},
};

const BOTH: &str = "/processes/both/execution";

/// Asks and plays the agent of the job that comes of it.
async fn asked(server: &Server, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let before: Vec<_> = server.executor.launched().iter().map(|launch| launch.job).collect();
    let play = async {
        let id = server.next(&before).await;
        server.succeed(id, &EVERYTHING).await;
    };
    tokio::join!(server.post(path, headers, body), play).0
}

async fn raw(server: &Server, content_type: &str, body: impl Into<Body>) -> Answer {
    server.send(request(Method::POST, BOTH, &[("content-type", content_type)], body.into())).await
}

fn short_wait() -> ServerConfig {
    ServerConfig {
        limits: Limits { sync_wait: Duration::from_millis(50), body_bytes: 10_000, ..Limits::default() },
        ..ServerConfig::default()
    }
}

#[tokio::test]
async fn a_job_is_there_as_soon_as_it_is_told() {
    let server = server().await;
    let answer = server.post(BOTH, &[("prefer", "respond-async ")], &json!({})).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("preference-applied"), "respond-async");
    assert!(answer.header("vary").contains("Prefer"));
    check_status(&answer.json());
    let location = answer.header("location").strip_prefix("http://127.0.0.1:8080").unwrap();
    let status = server.get(location, &[]).await;
    assert_eq!((status.status.as_u16(), status.header("content-type")), (200, "application/json"));
    check_status(&status.json());
    assert!(!answer.headers.contains_key("link"));
}

#[tokio::test]
async fn process_and_preference_decide_the_mode() {
    let server = server().await;
    let body = asking(&["text"], json!({}));
    for (process, prefer, status, applied) in [
        ("both", None, 200, ""),
        ("both", Some("respond-async"), 201, "respond-async"),
        ("both", Some("wait=20"), 200, "wait=20"),
        ("both", Some("RESPOND-ASYNC, wait=20"), 200, "wait=20"),
        ("sync", None, 200, ""),
        ("sync", Some("respond-async"), 200, ""),
        ("async", None, 201, ""),
        ("async", Some("wait=1"), 201, ""),
        ("async", Some("respond-async, handling=lenient"), 201, "respond-async"),
    ] {
        let headers: Vec<_> = prefer.map(|prefer| ("prefer", prefer)).into_iter().collect();
        let answer = asked(&server, &format!("/processes/{process}/execution"), &headers, &body).await;
        assert_eq!(answer.status, status, "{process} {prefer:?}: {}", answer.text());
        assert_eq!(answer.header("preference-applied"), applied, "{process} {prefer:?}");
    }
}

#[tokio::test]
async fn a_synchronous_answer_names_its_job() {
    let server = server().await;
    let answer = asked(&server, BOTH, &[], &asking(&["text"], json!({}))).await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "teststring"));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.header("content-length"), "10");
    let results = answer.header("content-location").to_owned();
    assert!(answer.header("link").contains("rel=\"monitor\""));
    let again = server.get(results.strip_prefix("http://127.0.0.1:8080").unwrap(), &[]).await;
    assert_eq!(again.text(), "teststring");
}

#[tokio::test]
async fn a_client_of_1_gets_no_link_header() {
    let server = server().await;
    for further in [json!({"response": "raw"}), json!({"response": "document"})] {
        let answer =
            asked(&server, BOTH, &[("accept", "application/json")], &asking(&["text"], further)).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.headers.contains_key("link"), "{:?}", answer.headers);
        assert!(answer.text().contains("teststring"));
    }
}

#[tokio::test]
async fn many_outputs_are_a_document_by_the_official_schemas() {
    let server = server().await;
    let answer = asked(&server, BOTH, &[("prefer", "return=representation")], &json!({})).await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("preference-applied"), "return=representation");
    assert!(answer.headers.get_all("link").iter().any(|link| link.to_str().unwrap().contains("ogc-results")));
    let document = answer.json();
    check_results(&document);
    assert_eq!(document["text"], "teststring");
    assert_eq!(document["number"], 42);
    assert_eq!(document["object"]["value"]["href"], "x");
    assert_eq!(document["parts"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn no_outputs_are_no_content() {
    let server = server().await;
    let answer = asked(&server, BOTH, &[], &json!({ "outputs": {} })).await;
    assert_eq!((answer.status.as_u16(), answer.bytes.len()), (204, 0));
}

#[tokio::test]
async fn after_the_cap_a_job_or_504_and_the_job_goes_on() {
    let server = server_with(short_wait()).await;
    let answer = server.post(BOTH, &[], &json!({})).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let answer =
        server.post("/processes/sync/execution", &[("accept", "application/json")], &json!({})).await;
    assert_eq!(answer.status, 504);
    check_problem(&answer.json());
    let job = answer.json()["job"].as_str().unwrap().to_owned();
    let id = job.rsplit('/').next().unwrap().parse().unwrap();
    server.succeed(id, &EVERYTHING).await;
    let status = server.json(&format!("/jobs/{id}")).await;
    assert_eq!(status["status"], "successful");
}

#[tokio::test]
async fn a_failed_job_is_its_problem_with_its_status() {
    let server = server().await;
    let play = async {
        let id = server.next(&[]).await;
        server.fail(id, Outcome::Exited { code: 3 }).await;
    };
    let body = json!({});
    let (answer, ()) = tokio::join!(server.post(BOTH, &[("accept", "application/json")], &body), play);
    assert_eq!(answer.status, 500);
    assert_eq!(answer.header("content-type"), "application/json");
    check_problem(&answer.json());
    assert_eq!(answer.json()["exitCode"], 3);
}

#[tokio::test]
async fn faults_of_references_are_the_clients() {
    let server = server().await;
    let faults = vec![rutter_types::Fault::new("/inputs/text", "the source answered 404")];
    let play = async {
        let id = server.next(&[]).await;
        server.fail(id, Outcome::StagingFailed { faults }).await;
    };
    let body = json!({});
    let (answer, ()) = tokio::join!(server.post(BOTH, &[], &body), play);
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["errors"][0]["pointer"], "/inputs/text");
}

#[tokio::test]
async fn a_client_that_goes_away_stops_nothing() {
    let server = server().await;
    let body = json!({});
    let asking = server.post(BOTH, &[], &body);
    assert!(tokio::time::timeout(Duration::from_millis(300), asking).await.is_err());
    let id = server.next(&[]).await;
    server.succeed(id, &EVERYTHING).await;
    assert_eq!(server.json(&format!("/jobs/{id}")).await["status"], "successful");
}

#[tokio::test]
async fn a_client_that_goes_away_at_any_moment_leaves_no_job_that_is_never_started() {
    let server = server().await;
    let body = json!({});
    for polls in 1..20 {
        let asking = server.post(BOTH, &[], &body);
        let mut asking = std::pin::pin!(asking);
        for _ in 0..polls {
            let _ = futures_util::poll!(asking.as_mut());
            tokio::task::yield_now().await;
        }
    }
    let unstarted = async || {
        let unfinished = server.state.engine.store().unfinished().await.unwrap();
        unfinished
            .into_iter()
            .filter(|(id, ..)| !server.executor.launched().iter().any(|it| it.job == *id))
            .count()
    };
    for _ in 0..400 {
        if unstarted().await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} jobs are never started", unstarted().await);
}

#[tokio::test]
async fn bad_bodies_are_refused_with_their_place() {
    let server = server_with(short_wait()).await;
    for (body, pointer) in [
        (r#"{"inputs": {"text": "a", "text": "b"}}"#, "/inputs/text"),
        (r#"{"inputs": {"number": 1e999}}"#, "/inputs/number"),
        (r#"{"inputs": {"number": 11}}"#, "/inputs/number"),
        (r#"{"inputs": {"number": 123456789012345678901234567890}}"#, ""),
        (r#"{"inputs": []}"#, "/inputs"),
        (r#"{"response": "boiled"}"#, "/response"),
        (r#"{"inputs": {"../../etc/passwd": 1}}"#, "/inputs/..~1..~1etc~1passwd"),
        ("[1]", ""),
    ] {
        let answer = raw(&server, "application/json", body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        check_problem(&answer.json());
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body}");
    }
    for broken in
        [&b"{\"inputs\": {\"text\": \"\xff\"}}"[..], b"{", b"nonsense", "[".repeat(9_000).as_bytes()]
    {
        assert_eq!(raw(&server, "application/json", broken.to_vec()).await.status, 400);
    }
    for content_type in
        ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"]
    {
        let answer = raw(&server, content_type, "{}").await;
        assert_eq!(answer.status, 415, "{content_type}");
        assert_eq!(answer.header("accept-post"), "application/json");
    }
    assert_eq!(raw(&server, "application/json", " ".repeat(10_001)).await.status, 413);
    assert!(server.executor.launched().is_empty(), "nothing ran");
}

#[tokio::test]
async fn an_unacceptable_answer_is_refused_before_anything_runs() {
    let server = server().await;
    let answer = server.post(BOTH, &[("accept", "video/mp4")], &json!({})).await;
    assert_eq!(answer.status, 406, "{}", answer.text());
    assert!(server.state.engine.store().unfinished().await.unwrap().is_empty());
}

#[tokio::test]
async fn fifty_equal_requests_with_one_key_are_one_job() {
    let server = server().await;
    let headers = [("prefer", "respond-async"), ("idempotency-key", "abc-1")];
    let body = asking(&["text"], json!({}));
    let answers = futures_util::future::join_all((0..50).map(|_| server.post(BOTH, &headers, &body))).await;
    let locations: HashSet<&str> = answers.iter().map(|answer| answer.header("location")).collect();
    assert!(answers.iter().all(|answer| answer.status == 201));
    assert_eq!(locations.len(), 1);
    let other = server.post(BOTH, &headers, &asking(&["number"], json!({}))).await;
    assert_eq!(other.status, 422);
    let elsewhere = server.post("/processes/async/execution", &headers, &body).await;
    assert_eq!(elsewhere.status, 201, "keys belong to a process");
    let id = server.next(&[elsewhere.json()["id"].as_str().unwrap().parse().unwrap()]).await;
    server.succeed(id, &EVERYTHING).await;
    let waited = server.post(BOTH, &[("idempotency-key", "abc-1")], &body).await;
    assert_eq!((waited.status.as_u16(), waited.text().as_str()), (200, "teststring"));
    for bad in ["", "a b"] {
        assert_eq!(server.post(BOTH, &[("idempotency-key", bad)], &body).await.status, 400, "{bad:?}");
    }
}

#[tokio::test]
async fn unknown_processes_and_methods_are_told() {
    let server = server().await;
    assert_eq!(server.post("/processes/bth/execution", &[], &json!({})).await.status, 404);
    assert_eq!(server.get(BOTH, &[]).await.status, 405);
}

#[tokio::test]
async fn a_fault_of_the_whole_body_is_told_without_a_place() {
    let server = server().await;
    let answer = raw(&server, "application/json", "[]").await;
    assert_eq!(answer.status, 400);
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("the body must be a JSON object"), "{detail}");
}
