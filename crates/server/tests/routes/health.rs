//! Health and metrics.

use rutter_server::ServerConfig;

use crate::common::{BROWSER, Server};

#[tokio::test]
async fn health_answers_whatever_is_accepted() {
    let server = Server::start().await;
    for accept in ["*/*", "application/json", BROWSER, "image/tiff", "nonsense"] {
        for path in ["/livez", "/readyz"] {
            assert_eq!(server.get(path, &[("accept", accept)]).await.status, 200, "{path} {accept}");
        }
    }
    let ready = server.json("/readyz").await;
    assert_eq!((&ready["status"], &ready["brokenPackages"]), (&"ready".into(), &0.into()));
}

#[tokio::test]
async fn a_broken_package_is_seen_in_readiness_and_metrics() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("broken.yaml"), "processDescription: 1\n").unwrap();
    let server = Server::of(ServerConfig::default(), vec![folder.path().to_owned()]).await;
    assert_eq!(server.json("/readyz").await["brokenPackages"], 1);
    assert!(server.get("/metrics", &[]).await.text().contains("rutter_broken_packages 1"));
}

#[tokio::test]
async fn requests_and_jobs_are_counted() {
    let server = Server::start().await;
    server.get("/processes/echo", &[]).await;
    server.get("/processes/a", &[]).await;
    server.get("/processes/b", &[]).await;
    server.post("/processes/countdown/execution", &[], &serde_json::json!({"inputs": {}})).await;
    let answer = server.get("/metrics", &[]).await;
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = answer.text();
    for line in [
        r#"rutter_http_requests_total{route="/processes/{id}",method="GET",status="200"} 1"#,
        r#"rutter_http_requests_total{route="/processes/{id}",method="GET",status="404"} 2"#,
        r#"rutter_http_request_duration_seconds_count{route="/processes/{id}"} 3"#,
        r#"rutter_jobs{status="failed"} 0"#,
        "rutter_build_info{version=",
        "rutter_processes ",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(
        text.contains(r#"rutter_jobs{status="accepted"} 1"#)
            || text.contains(r#"rutter_jobs{status="running"} 1"#),
        "{text}"
    );
}
