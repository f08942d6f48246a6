//! Every route of documents, by every kind of `Accept` and `f=`.

use crate::common::{ACCEPTS, BROWSER, Server};

/// What comes: the status and the media type.
type Wanted = (u16, &'static str);

const JSON: Wanted = (200, "application/json");
const HTML: Wanted = (200, "text/html");
const NONE: Wanted = (406, "application/problem+json");

fn by_accept(accept: Option<&str>) -> Wanted {
    match accept {
        None | Some("*/*" | "application/json") => JSON,
        Some("image/tiff" | "nonsense") => NONE,
        _ => HTML,
    }
}

fn wanted(accept: Option<&str>, f: Option<&str>) -> Wanted {
    match f {
        None => by_accept(accept),
        Some("json") => JSON,
        Some("html") => HTML,
        Some(_) => match accept {
            Some("application/json") => (406, "application/json"),
            Some("text/html" | BROWSER) => (406, "text/html"),
            _ => NONE,
        },
    }
}

#[tokio::test]
async fn every_document_by_every_accept_and_f() {
    let server = Server::start().await;
    let job = server.post("/processes/countdown/execution", &[], &serde_json::json!({"inputs": {}})).await;
    let job = format!("/jobs/{}", job.json()["jobID"].as_str().unwrap_or("none"));
    let routes = ["/", "/conformance", "/api", "/processes", "/processes/echo", "/jobs", &job];
    for route in routes {
        for accept in ACCEPTS {
            for f in [None, Some("json"), Some("html"), Some("xml-nonsense")] {
                let path = f.map_or_else(|| route.to_owned(), |f| format!("{route}?f={f}"));
                let headers: Vec<_> = accept.map(|accept| ("accept", accept)).into_iter().collect();
                let answer = server.get(&path, &headers).await;
                let (status, media_type) = wanted(accept, f);
                assert_eq!(answer.status, status, "{path} {accept:?}: {}", answer.text());
                let got = answer.header("content-type");
                let is_definition = route == "/api" && media_type == "application/json" && status == 200;
                let media_type = match accept {
                    Some("application/json") if f.is_none() => media_type,
                    _ if is_definition => "application/vnd.oai.openapi+json",
                    _ => media_type,
                };
                assert_eq!(got.split(';').next(), Some(media_type), "{path} {accept:?}");
                if media_type == "application/problem+json" {
                    assert_eq!(got, media_type, "no parameters: {path}");
                    assert!(
                        answer.json()["available"].as_array().is_some_and(|it| it.len() > 1),
                        "{}",
                        answer.text()
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn a_missing_process_is_told_in_each_format() {
    let server = Server::start().await;
    let path = "/processes/ecko";
    for (accept, media_type) in [
        (None, "application/problem+json"),
        (Some("*/*"), "application/problem+json"),
        (Some("application/json"), "application/json"),
        (Some(BROWSER), "text/html; charset=utf-8"),
    ] {
        let headers: Vec<_> = accept.map(|accept| ("accept", accept)).into_iter().collect();
        let answer = server.get(path, &headers).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (404, media_type), "{accept:?}");
        assert!(answer.text().contains("echo"), "the near one is named: {}", answer.text());
    }
    let problem = server.get(path, &[("accept", "application/json")]).await.json();
    let kind = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/no-such-process";
    assert_eq!(problem["type"], kind);
    assert_eq!(problem["status"], 404);
}
