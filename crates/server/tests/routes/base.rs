//! Every URL that the server writes starts where the client sees it.

use rutter_server::{Connection, ServerConfig};
use serde_json::{Value, json};

use crate::common::{Answer, Server, request};

fn urls(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.starts_with("http") && !text.contains("opengis.net") => {
            found.push(text.clone())
        }
        Value::Array(items) => items.iter().for_each(|item| urls(item, found)),
        Value::Object(members) => members.values().for_each(|member| urls(member, found)),
        _ => {}
    }
}

async fn check_all(base: &str, ask: impl AsyncFn(&str) -> Answer) {
    for path in ["/", "/processes", "/processes/hello", "/jobs", "/processes?limit=1"] {
        let answer = ask(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let mut found = Vec::new();
        urls(&answer.json(), &mut found);
        assert!(!found.is_empty());
        for url in found {
            assert!(url == base || url.starts_with(&format!("{base}/")), "{path}: {url}");
        }
    }
    assert_eq!(ask("/api").await.json()["servers"][0]["url"], base);
    let page = ask("/?f=html").await.text();
    let escaped = base.replace('/', "&#x2f;");
    for attribute in ["href=\"", "src=\"", "action=\""] {
        for part in page.split(attribute).skip(1) {
            let url = part.split('"').next().unwrap();
            assert!(
                url.starts_with(&escaped) || url.starts_with('#') || url.contains("opengis.net"),
                "{url}"
            );
        }
    }
}

#[tokio::test]
async fn the_public_url_is_in_every_link_and_its_path_may_be_there_or_not() {
    let url = "https://example.org/rutter".parse().unwrap();
    let server = Server::with(ServerConfig { public_url: Some(url), ..ServerConfig::default() }).await;
    for prefix in ["", "/rutter"] {
        check_all("https://example.org/rutter", async |path| {
            server.get(&format!("{prefix}{path}"), &[]).await
        })
        .await;
    }
    let made = server.post("/rutter/processes/countdown/execution", &[], &json!({"inputs": {}})).await;
    assert!(made.header("location").starts_with("https://example.org/rutter/jobs/"), "{:?}", made.headers);
    assert_eq!(server.get("/rutter", &[]).await.status, 200);
    assert_eq!(server.get("/rutterevil", &[]).await.status, 404);
}

#[tokio::test]
async fn a_trusted_proxy_tells_the_url() {
    let config = ServerConfig {
        listen: "10.0.0.5:8080".parse().unwrap(),
        trusted_proxies: vec!["10.0.0.7/32".parse().unwrap()],
        ..ServerConfig::default()
    };
    let server = Server::with(config).await;
    let ask = async |peer: &str, path: &str| {
        let headers = [
            ("host", "inner"),
            ("x-forwarded-host", "example.org"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-prefix", "/x"),
        ];
        let mut request = request(http::Method::GET, path, &headers, axum::body::Body::empty());
        let connection = Connection {
            peer: format!("{peer}:9").parse().unwrap(),
            local: "10.0.0.5:8080".parse().unwrap(),
        };
        request.extensions_mut().insert(connection);
        server.send(request).await
    };
    check_all("https://example.org/x", async |path| ask("10.0.0.7", path).await).await;
    check_all("https://example.org/x", async |path| ask("10.0.0.7", &format!("/x{path}")).await).await;
    check_all("http://10.0.0.5:8080", async |path| ask("192.0.2.1", path).await).await;
}
