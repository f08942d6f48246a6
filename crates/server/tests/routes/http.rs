//! What holds for every route: HEAD, OPTIONS, CORS, compression, wrong methods and paths.

use axum::body::Body;
use http::Method;
use rutter_server::ServerConfig;

use crate::common::{Server, request};

const ROUTES: [&str; 8] =
    ["/", "/conformance", "/api", "/processes", "/processes/echo", "/jobs", "/livez", "/readyz"];

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = Server::start().await;
    for path in ROUTES {
        let get = server.get(path, &[]).await;
        let head = server.send(request(Method::HEAD, path, &[], Body::empty())).await;
        assert_eq!(head.status, get.status, "{path}");
        assert!(head.bytes.is_empty());
        assert_eq!(head.header("content-type"), get.header("content-type"));
        assert_eq!(head.header("etag"), get.header("etag"));
        assert_eq!(head.header("content-length"), get.bytes.len().to_string(), "{path}");
    }
    let missing = server.send(request(Method::HEAD, "/nothing", &[], Body::empty())).await;
    assert_eq!(missing.status, 404);
    assert!(missing.bytes.is_empty());
}

#[tokio::test]
async fn slashes_at_the_end_do_not_count() {
    let server = Server::start().await;
    for path in ["/processes/", "/processes/echo/", "/conformance//", "/jobs/?limit=1"] {
        assert_eq!(server.get(path, &[]).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn wrong_methods_and_paths_are_problems() {
    let server = Server::start().await;
    for path in ["/", "/processes", "/processes/echo", "/conformance", "/api"] {
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = server.send(request(method.clone(), path, &[], Body::empty())).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert!(answer.header("allow").contains("GET"), "{path}: {:?}", answer.headers);
            assert_eq!(answer.json()["status"], 405);
        }
    }
    let answer = server.get("/processes/echo/execution", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "POST"));
    for path in
        ["/nothing", "/processes/echo/else", "/assets/../Cargo.toml", "/assets/nothing.js", "//evil.example/"]
    {
        let answer = server.get(path, &[]).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
}

#[tokio::test]
async fn options_tells_the_methods() {
    let server = Server::start().await;
    let answer = server.send(request(Method::OPTIONS, "/processes/echo/execution", &[], Body::empty())).await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (204, "POST,OPTIONS"));
    let answer = server.send(request(Method::OPTIONS, "/processes", &[], Body::empty())).await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (204, "GET,HEAD,OPTIONS"));
}

#[tokio::test]
async fn pages_of_other_origins_may_read_what_is_public() {
    let server = Server::start().await;
    let origin = [("origin", "https://notebook.example")];
    for path in ["/", "/processes", "/processes/echo", "/api", "/processes/missing"] {
        let answer = server.get(path, &origin).await;
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
        for name in
            ["location", "link", "preference-applied", "content-location", "content-disposition", "etag"]
        {
            assert!(answer.header("access-control-expose-headers").contains(name), "{name}");
        }
    }
    let jobs = server.get("/jobs", &origin).await;
    assert_eq!((jobs.status.as_u16(), jobs.header("access-control-allow-origin")), (200, ""));
}

#[tokio::test]
async fn preflights_are_answered_for_those_who_may() {
    let asks = |origin: &'static str| {
        [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type,prefer"),
        ]
    };
    let path = "/processes/echo/execution";
    let named = vec!["https://named.example".to_owned()];
    let server = Server::with(ServerConfig { allowed_origins: named, ..ServerConfig::default() }).await;
    let answer =
        server.send(request(Method::OPTIONS, path, &asks("https://named.example"), Body::empty())).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), "https://named.example");
    assert!(answer.header("access-control-allow-methods").contains("POST"));
    assert!(answer.header("access-control-allow-headers").contains("prefer"));
    assert!(answer.header("vary").contains("Origin"));
    let answer =
        server.send(request(Method::OPTIONS, path, &asks("https://evil.example"), Body::empty())).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
    let public = ServerConfig { listen: "0.0.0.0:8080".parse().unwrap(), ..ServerConfig::default() };
    let server = Server::with(public).await;
    let answer =
        server.send(request(Method::OPTIONS, path, &asks("https://any.example"), Body::empty())).await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn what_is_asked_for_compressed_comes_compressed() {
    use std::io::Read as _;
    let server = Server::start().await;
    for path in ["/processes/echo", "/processes?f=html", "/api", "/processes?limit=3", "/jobs?f=html"] {
        let plain = server.get(path, &[]).await;
        assert_eq!(plain.header("content-encoding"), "", "{path}");
        let answer = server.get(path, &[("accept-encoding", "gzip, br")]).await;
        assert_eq!(answer.header("content-encoding"), "gzip", "{path}");
        assert!(answer.bytes.len() < plain.bytes.len());
        assert!(answer.header("vary").to_ascii_lowercase().contains("accept-encoding"));
        let mut text = String::new();
        flate2::read::GzDecoder::new(&answer.bytes[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, plain.text(), "{path}");
        assert!(answer.header("etag").starts_with("W/"));
    }
}

#[tokio::test]
async fn nothing_is_sniffed() {
    let server = Server::start().await;
    for path in ["/", "/nothing", "/assets/rutter.css", "/metrics"] {
        assert_eq!(server.get(path, &[]).await.header("x-content-type-options"), "nosniff", "{path}");
    }
}
