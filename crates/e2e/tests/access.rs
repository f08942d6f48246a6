//! Who may do what, with a token file.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use rutter_e2e::{Client, Server, shell};
use serde_json::json;

const ADA: &str = "ada-token-0123456789abcdef";
const BOB: &str = "bob-token-0123456789abcdef";
const OPS: &str = "ops-token-0123456789abcdef";

fn server() -> Server {
    let builder = Server::builder()
        .package(&shell("say", "printf hello"))
        .config("server: {auth: {tokenFile: tokens.yaml}}");
    let entry =
        |name: &str, role: &str, token: &str| format!("- {{name: {name}, role: {role}, token: {token}}}\n");
    let text = entry("ada", "caller", ADA) + &entry("bob", "caller", BOB) + &entry("ops", "operator", OPS);
    builder.file("tokens.yaml", &text).start()
}

fn get(client: &Client, path: &str, token: &str) -> rutter_e2e::Answer {
    client.send(client.request("GET", path).bearer_auth(token))
}

#[test]
fn each_caller_sees_own_jobs_and_operators_see_all() {
    let server = server();
    let client = server.client();
    let submit = client.request("POST", "/processes/say/execution").json(&json!({"inputs": {}}));
    client.send(submit).expect(401);
    let submit = client.request("POST", "/processes/say/execution").bearer_auth("wrong-token-wrong-token");
    client.send(submit.json(&json!({"inputs": {}}))).expect(401);
    let submit =
        client.request("POST", "/processes/say/execution").bearer_auth(ADA).header("Prefer", "respond-async");
    let answer = client.send(submit.json(&json!({"inputs": {}}))).expect(201);
    let job = answer.header("location").unwrap().to_owned();
    get(&client, &job, ADA).expect(200);
    get(&client, &job, OPS).expect(200);
    get(&client, &job, BOB).expect(404);
    client.get(&job).expect(401);
    client.send(client.request("DELETE", &job).bearer_auth(BOB)).expect(404);
    let count = |token| get(&client, "/jobs", token).expect(200).json()["jobs"].as_array().unwrap().len();
    assert_eq!((count(ADA), count(BOB), count(OPS)), (1, 0, 1));
    assert!(!server.log().contains(ADA), "no token in the log");
}

#[test]
fn what_the_server_offers_is_public() {
    let server = server();
    let client = server.client();
    for path in ["/", "/conformance", "/processes", "/processes/say", "/api", "/livez", "/readyz"] {
        client.get(path).expect(200);
    }
    client.get("/jobs").expect(401);
}

#[test]
fn web_pages_of_others_cannot_run_programs_here() {
    let server = Server::builder().package(&shell("say", "printf hello")).start();
    let client = server.client();
    let from_page =
        client.request("POST", "/processes/say/execution").header("Origin", "https://evil.example");
    client.send(from_page.json(&json!({"inputs": {}}))).expect(403);
    let rebound = client.request("GET", "/processes").header("Host", "evil.example");
    let answer = client.send(rebound);
    assert!(answer.status >= 400, "{}", answer.text());
    assert!(!answer.text().contains("evil.example/"), "an untrusted Host is not echoed: {}", answer.text());
}
