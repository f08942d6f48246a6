//! Who may call, by the answers that they get.

use axum::body::Body;
use http::Method;
use rutter_server::{Access, ServerConfig, Tokens};
use serde_json::json;

use crate::common::{Server, request};

const TOKENS: &str = "- {name: ada, role: operator, token: operators-long-token}\n- {name: ben, role: caller, token: callers-own-long-token}\n- {name: cyd, role: caller, token: another-callers-token}\n";
const ADA: (&str, &str) = ("authorization", "Bearer operators-long-token");
const BEN: (&str, &str) = ("authorization", "Bearer callers-own-long-token");
const CYD: (&str, &str) = ("authorization", "Bearer another-callers-token");

async fn guarded() -> Server {
    let access = Access::Tokens(Tokens::parse(TOKENS).unwrap());
    Server::with(ServerConfig { access, ..ServerConfig::default() }).await
}

#[tokio::test]
async fn without_a_token_only_what_is_public_answers() {
    let server = guarded().await;
    for path in ["/", "/conformance", "/api", "/processes", "/processes/echo", "/livez", "/readyz"] {
        assert_eq!(server.get(path, &[]).await.status, 200, "{path}");
    }
    for path in ["/jobs", "/jobs/x", "/jobs/x/results", "/metrics"] {
        let answer = server.get(path, &[]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("www-authenticate")),
            (401, "Bearer realm=\"rutter\""),
            "{path}"
        );
        assert_eq!(answer.json()["status"], 401);
    }
    let answer = server.post("/processes/echo/execution", &[], &json!({"inputs": {"str": "x"}})).await;
    assert_eq!(answer.status, 401);
    let answer = server.get("/jobs", &[("authorization", "Bearer wrong")]).await;
    assert!(answer.header("www-authenticate").contains("invalid_token"));
    assert_eq!(server.get("/metrics", &[BEN]).await.status, 403);
    assert_eq!(server.get("/metrics", &[ADA]).await.status, 200);
}

#[tokio::test]
async fn a_browser_may_ask_whether_it_may_ask() {
    let server = guarded().await;
    let asks = [("origin", "https://notebook.example"), ("access-control-request-method", "POST")];
    for path in ["/processes/echo/execution", "/jobs/x"] {
        let answer = server.send(request(Method::OPTIONS, path, &asks, Body::empty())).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("access-control-allow-origin")),
            (204, "*"),
            "{path}"
        );
        assert!(answer.header("access-control-allow-headers").contains("authorization"));
    }
    let refused = server.get("/jobs", &asks).await;
    assert_eq!((refused.status.as_u16(), refused.header("access-control-allow-origin")), (401, "*"));
}

#[tokio::test]
async fn each_caller_sees_own_jobs_and_operators_all() {
    let server = guarded().await;
    let made = server.post("/processes/countdown/execution", &[BEN], &json!({"inputs": {}})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let path = format!("/jobs/{}", made.json()["jobID"].as_str().unwrap());
    for (who, status, count) in [(BEN, 200, 1), (CYD, 404, 0), (ADA, 200, 1)] {
        assert_eq!(server.get(&path, &[who]).await.status, status, "{who:?}");
        let jobs = server.get("/jobs", &[who]).await.json();
        assert_eq!(jobs["jobs"].as_array().unwrap().len(), count, "{who:?}");
    }
    let answer = server.send(request(Method::DELETE, &path, &[CYD], Body::empty())).await;
    assert_eq!(answer.status, 404);
    let kind = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/no-such-job";
    assert_eq!(answer.json()["type"], kind);
    assert_eq!(server.get(&path, &[BEN]).await.json()["status"], "accepted");
}

#[tokio::test]
async fn no_web_page_runs_programs_on_a_laptop() {
    let server = Server::start().await;
    let run = "/processes/countdown/execution";
    let body = json!({"inputs": {}});
    for headers in [
        [("origin", "https://evil.example"), ("accept", "*/*")],
        [("origin", "null"), ("accept", "*/*")],
        [("sec-fetch-site", "cross-site"), ("accept", "*/*")],
    ] {
        let answer = server.post(run, &headers, &body).await;
        assert_eq!(answer.status, 403, "{headers:?}");
        assert!(answer.json()["detail"].as_str().unwrap().contains("server.allowedOrigins"));
    }
    assert_eq!(server.post(run, &[("origin", "http://127.0.0.1:8080")], &body).await.status, 201);
    assert_eq!(server.post(run, &[], &body).await.status, 201);
    assert_eq!(server.json("/jobs").await["jobs"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_foreign_host_gets_nothing_on_loopback() {
    let server = Server::start().await;
    for (method, path) in
        [(Method::GET, "/jobs"), (Method::GET, "/"), (Method::POST, "/processes/echo/execution")]
    {
        let answer =
            server.send(request(method, path, &[("host", "evil.example:8080")], Body::empty())).await;
        assert_eq!(answer.status, 421, "{path}");
        assert!(!answer.text().contains("evil.example"), "never echoed");
        assert!(answer.header("access-control-allow-origin") != "https://evil.example");
    }
    let page = server.get("/", &[("host", "evil.example"), ("accept", "text/html")]).await;
    assert_eq!(page.status, 421);
    assert!(!page.text().contains("evil.example"));
}
