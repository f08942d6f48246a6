//! What clients of the older managers send: EOX's, where the server is told to understand it, and 52North's.

use rutter_core::process::UnitKind;
use rutter_server::{Access, ServerConfig, Tokens};
use serde_json::json;

use crate::{
    common::Server,
    play::{asking, server, server_with},
};

const TOKENS: &str = "- {name: ben, role: caller, token: callers-own-long-token}\n- {name: cyd, role: caller, token: another-callers-token}\n";
const BEN: (&str, &str) = ("authorization", "Bearer callers-own-long-token");
const CYD: (&str, &str) = ("authorization", "Bearer another-callers-token");
const ALIAS: &str = "/processes/both/jobs";
const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

async fn understanding() -> Server {
    server_with(ServerConfig { eox_requests: true, ..ServerConfig::default() }).await
}

#[tokio::test]
async fn their_address_executes_and_answers_with_a_job() {
    let server = understanding().await;
    for (path, prefer) in
        [(ALIAS, None), (ALIAS, Some("handling=strict")), ("/processes/both/execution", None)]
    {
        let headers: Vec<_> = prefer.map(|prefer| ("prefer", prefer)).into_iter().collect();
        let answer = server.post(path, &headers, &json!({"inputs": {"number": 3}})).await;
        assert_eq!(answer.status, 201, "{path}: {}", answer.text());
        assert!(answer.header("location").contains("/jobs/"), "{path}");
    }
    for prefer in ["wait", "wait=20", "respond-sync"] {
        let server = understanding().await;
        let play = async {
            let id = server.next(&[]).await;
            server.succeed(id, &[("text", "text/plain", "text.txt", b"x")]).await;
        };
        let body = asking(&["text"], json!({}));
        let headers = [("prefer", prefer)];
        let (answer, ()) = tokio::join!(server.post(ALIAS, &headers, &body), play);
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "x"), "{prefer}");
    }
    let invalid = server.post(ALIAS, &[], &json!({"inputs": {"number": 11}})).await;
    assert_eq!(invalid.status, 400, "it is held to the description like any other");
    assert_eq!(server.get(ALIAS, &[]).await.status, 405);
}

#[tokio::test]
async fn a_client_names_its_job_once() {
    let server = understanding().await;
    let body = json!({"job_id": ID, "inputs": {}});
    let answer = server.post(ALIAS, &[("idempotency-key", "k")], &body).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()["jobID"].as_str()),
        (201, Some(ID)),
        "{}",
        answer.text()
    );
    let again = server.post(ALIAS, &[("idempotency-key", "k")], &body).await;
    assert_eq!((again.status.as_u16(), again.json()["jobID"].as_str()), (201, Some(ID)), "the same request");
    let other = server.post("/processes/async/jobs", &[], &json!({"job_id": ID})).await;
    assert_eq!(other.status, 409, "{}", other.text());
    assert_eq!(server.json(&format!("/jobs/{ID}")).await["processID"], "both", "nobody overwrites it");
    let invalid = server.post(ALIAS, &[], &json!({"job_id": "mine"})).await;
    assert_eq!(
        (invalid.status.as_u16(), invalid.json()["errors"][0]["pointer"].as_str()),
        (400, Some("/job_id"))
    );
}

#[tokio::test]
async fn a_taken_id_tells_nothing_of_whose_it_is() {
    let access = Access::Tokens(Tokens::parse(TOKENS).unwrap());
    let server = server_with(ServerConfig { eox_requests: true, access, ..ServerConfig::default() }).await;
    let body = json!({"job_id": ID});
    assert_eq!(server.post(ALIAS, &[], &body).await.status, 401);
    assert_eq!(server.post(ALIAS, &[BEN], &body).await.status, 201);
    let (own, foreign) = (server.post(ALIAS, &[BEN], &body).await, server.post(ALIAS, &[CYD], &body).await);
    assert_eq!((own.status.as_u16(), own.text()), (409, foreign.text()));
    assert_eq!(server.get(&format!("/jobs/{ID}"), &[CYD]).await.status, 404);
    assert_eq!(server.get(&format!("/jobs/{ID}"), &[BEN]).await.status, 200);
}

#[tokio::test]
async fn without_the_setting_none_of_it_is_there() {
    let server = server().await;
    assert_eq!(server.post(ALIAS, &[], &json!({})).await.status, 404);
    let answer = server
        .post("/processes/both/execution", &[("prefer", "respond-async")], &json!({"job_id": ID}))
        .await;
    assert_ne!(answer.json()["jobID"], ID, "an unknown member, which the standard tolerates");
}

/// A real client of 52North's sends `respond-sync`, and its processes say `async-execute` unless they say otherwise.
#[tokio::test]
async fn whoever_wants_to_wait_for_an_image_of_the_older_managers_may() {
    let package = r#"
processDescription: {process: {id: model, version: "1", jobControlOptions: [async-execute], outputs: {o: {schema: {type: string}}}}}
validation: lenient
executionUnit: [{type: docker, image: "a:1", contract: pygeoapi, command: [run]}]
"#;
    for (prefer, status) in [("respond-sync", 200), ("wait=20", 200), ("respond-async", 201)] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("model.yaml"), package).unwrap();
        let packages = vec![folder.path().to_owned()];
        let server = Server::running(UnitKind::Docker.into(), ServerConfig::default(), packages).await;
        let play = async {
            let id = server.next(&[]).await;
            server.succeed(id, &[("o", "text/plain", "o.txt", b"x")]).await;
        };
        let (headers, body) = ([("prefer", prefer)], json!({"inputs": {}}));
        let (answer, ()) = tokio::join!(server.post("/processes/model/execution", &headers, &body), play);
        assert_eq!(answer.status, status, "{prefer}: {}", answer.text());
    }
}
