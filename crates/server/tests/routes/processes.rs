//! The process list and the descriptions.

use std::fmt::Write as _;

use rutter_server::ServerConfig;
use serde_json::Value;

use crate::common::{Answer, Server};

#[tokio::test]
async fn the_list_and_each_description() {
    let server = Server::start().await;
    insta::assert_json_snapshot!("processes", server.json("/processes").await);
    insta::assert_json_snapshot!("process-echo", server.json("/processes/echo").await);
    insta::assert_json_snapshot!("process-flood-extent", server.json("/processes/flood-extent").await);
}

#[tokio::test]
async fn descriptions_have_no_null_and_keep_the_order_of_inputs() {
    let server = Server::start().await;
    let answer = server.get("/processes/echo", &[]).await;
    assert!(!answer.text().contains("null"));
    let inputs = answer.json()["inputs"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(inputs, ["str", "arr", "obj", "box", "mix", "pause"]);
}

async fn many(count: usize) -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..count {
        let mut package = String::new();
        write!(
            package,
            "processDescription: {{process: {{id: p{number:02}, version: 1.0.0, inputs: {{}}, outputs: {{y: {{schema: {{type: string}}}}}}}}}}\n\
             executionUnit: [{{type: command, command: [echo, a], bindings: {{outputBindings: {{y: {{stdout: true}}}}}}}}]\n"
        )
        .unwrap();
        std::fs::write(folder.path().join(format!("p{number:02}.yaml")), package).unwrap();
    }
    (Server::of(ServerConfig::default(), vec![folder.path().to_owned()]).await, folder)
}

fn link<'v>(list: &'v Value, rel: &str) -> Option<&'v str> {
    let links = list["links"].as_array().unwrap();
    links.iter().find(|link| link["rel"] == rel).map(|link| link["href"].as_str().unwrap())
}

#[tokio::test]
async fn a_walk_by_next_sees_each_process_once() {
    let (server, _folder) = many(23).await;
    let mut seen = Vec::new();
    let mut path = "/processes?limit=5".to_owned();
    let mut last = None;
    loop {
        let list = server.json(&path).await;
        let page = list["processes"].as_array().unwrap();
        assert!(page.len() <= 5);
        seen.extend(page.iter().map(|process| process["id"].as_str().unwrap().to_owned()));
        let before = last.replace(path.clone());
        assert_eq!(link(&list, "prev").is_some(), before.is_some());
        match link(&list, "next") {
            Some(next) => path = next.trim_start_matches("http://127.0.0.1:8080").to_owned(),
            None => break,
        }
    }
    assert_eq!(seen.len(), 23);
    assert!(seen.is_sorted() && seen.windows(2).all(|pair| pair[0] != pair[1]));
    assert!(link(&server.json("/processes").await, "next").is_none());
}

#[tokio::test]
async fn limits_are_checked_and_capped() {
    let server = Server::start().await;
    for bad in
        ["limit=0", "limit=abc", "limit=-1", "limit=1.5", "limit=", "limit=%2B5", "offset=-1", "offset=x"]
    {
        let answer = server.get(&format!("/processes?{bad}"), &[]).await;
        assert_eq!(answer.status, 400, "{bad}");
        let kind =
            "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/invalid-query-parameter-value";
        assert_eq!(answer.json()["type"], kind);
        assert_eq!(answer.json()["parameter"], bad.split('=').next().unwrap());
    }
    assert_eq!(server.json("/processes?limit=1").await["processes"].as_array().unwrap().len(), 1);
    assert_eq!(
        server.json("/processes?limit=99999999").await["links"][0]["href"],
        "http://127.0.0.1:8080/processes?limit=10000"
    );
    assert!(server.json("/processes?offset=1000").await["processes"].as_array().unwrap().is_empty());
    assert!(server.json("/processes?unknown=1").await["processes"].is_array());
}

#[tokio::test]
async fn ids_that_lead_elsewhere_are_unknown() {
    let server = Server::start().await;
    let long = "x".repeat(300);
    for id in ["..%2F..%2Fetc", "a%00b", "a%0Ab", &long, "%FF", "echo%2F"] {
        let answer = server.get(&format!("/processes/{id}"), &[]).await;
        assert!(answer.status == 404 || answer.status == 400, "{id}: {}", answer.status);
        assert!(answer.json()["type"].is_string());
        assert!(answer.bytes.len() < 1000);
    }
}

async fn conditional(server: &Server, path: &str, tag: &str) -> Answer {
    server.get(path, &[("if-none-match", tag)]).await
}

#[tokio::test]
async fn documents_that_did_not_change_are_not_sent_again() {
    let server = Server::start().await;
    for path in [
        "/",
        "/conformance",
        "/api",
        "/processes",
        "/processes/echo",
        "/processes?limit=2",
        "/processes?f=html",
    ] {
        let tag = server.get(path, &[]).await.header("etag").to_owned();
        for known in [tag.as_str(), "*", tag.trim_start_matches("W/"), &format!("\"x\", {tag}")] {
            let answer = conditional(&server, path, known).await;
            assert_eq!(answer.status, 304, "{path} {known}");
            assert!(answer.bytes.is_empty());
            assert_eq!(answer.header("etag"), tag);
            assert!(answer.header("vary").contains("Accept"));
        }
        assert_eq!(conditional(&server, path, "\"other\"").await.status, 200);
    }
}

#[tokio::test]
async fn a_changed_package_is_a_changed_document() {
    let (server, folder) = many(1).await;
    let before = server.get("/processes/p00", &[]).await;
    let file = folder.path().join("p00.yaml");
    let changed = std::fs::read_to_string(&file).unwrap().replace("1.0.0", "2.0.0-changed");
    std::fs::write(&file, changed).unwrap();
    // A change counts when a second look finds it again.
    for _ in 0..4 {
        server.state.registry.poll();
    }
    let after = server.get("/processes/p00", &[]).await;
    assert_eq!(after.json()["version"], "2.0.0-changed");
    assert_ne!(before.header("etag"), after.header("etag"));
}
