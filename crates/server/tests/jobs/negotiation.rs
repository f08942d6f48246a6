//! Every route below a job, and execution, by every kind of `Accept` and `f=`.

use rutter_core::id::JobId;
use serde_json::json;

use crate::{
    common::{ACCEPTS, Answer, BROWSER, Server},
    play::{EVERYTHING, asking, server},
};

const JSON: &str = "application/json";
const HTML: &str = "text/html";
const TEXT: &str = "text/plain";
const TIFF: &str = "image/tiff";
const EVENTS: &str = "text/event-stream";
/// Refused with 406.
const NO: &str = "";

/// What a route sends: by `Accept` in the order above, and by `f=`, which beats every `Accept`.
struct Row {
    route: &'static str,
    by_accept: [&'static str; 7],
    by_f: &'static [(&'static str, &'static str)],
}

const TABLE: [Row; 7] = [
    Row {
        route: "",
        by_accept: [JSON, JSON, HTML, JSON, HTML, NO, NO],
        by_f: &[("json", JSON), ("html", HTML), ("raw", NO), ("nonsense", NO)],
    },
    Row {
        route: "/request",
        by_accept: [JSON, JSON, HTML, JSON, HTML, NO, NO],
        by_f: &[("json", JSON), ("html", HTML), ("nonsense", NO)],
    },
    Row {
        route: "/logs",
        by_accept: [TEXT, TEXT, HTML, NO, HTML, NO, NO],
        by_f: &[("text", TEXT), ("html", HTML), ("json", NO), ("nonsense", NO)],
    },
    Row {
        route: "/events",
        by_accept: [EVENTS, EVENTS, EVENTS, NO, NO, NO, NO],
        by_f: &[("events", EVENTS), ("json", NO), ("html", NO), ("nonsense", NO)],
    },
    Row {
        route: "/results",
        by_accept: [JSON, JSON, HTML, JSON, HTML, NO, NO],
        by_f: &[
            ("json", JSON),
            ("html", HTML),
            ("multipart", "multipart/related"),
            ("zip", "application/zip"),
            ("nonsense", NO),
        ],
    },
    Row {
        route: "/results/text",
        by_accept: [TEXT, TEXT, TEXT, JSON, HTML, NO, NO],
        by_f: &[("raw", TEXT), ("json", JSON), ("html", HTML), ("zip", "application/zip"), ("nonsense", NO)],
    },
    Row {
        route: "/results/map",
        by_accept: [TIFF, TIFF, TIFF, JSON, HTML, TIFF, NO],
        by_f: &[("raw", TIFF), ("json", JSON), ("html", HTML), ("zip", "application/zip"), ("nonsense", NO)],
    },
];

#[tokio::test]
async fn every_route_of_a_job_by_every_accept_and_f() {
    let server = server().await;
    let id = server.done(&json!({}), &EVERYTHING).await;
    for row in TABLE {
        for (accept, wanted) in ACCEPTS.into_iter().zip(row.by_accept) {
            check(&get(&server, id, row.route, accept, None).await, wanted, &row, accept, None);
            for &(f, wanted) in row.by_f {
                let answer = get(&server, id, row.route, accept, Some(f)).await;
                check(&answer, wanted, &row, accept, Some(f));
            }
        }
    }
}

async fn get(server: &Server, id: JobId, route: &str, accept: Option<&str>, f: Option<&str>) -> Answer {
    let query = f.map(|f| format!("?f={f}")).unwrap_or_default();
    let headers: Vec<_> = accept.map(|accept| ("accept", accept)).into_iter().collect();
    server.get(&format!("/jobs/{id}{route}{query}"), &headers).await
}

fn check(answer: &Answer, wanted: &str, row: &Row, accept: Option<&str>, f: Option<&str>) {
    let what = format!("{} {accept:?} f={f:?}: {}", row.route, answer.text());
    let got = answer.header("content-type").split(';').next().unwrap_or_default().to_owned();
    if wanted == NO {
        assert_eq!(answer.status, 406, "{what}");
        let told = match (f, accept) {
            (Some("html"), _) => HTML,
            (_, Some(JSON)) => JSON,
            (f, Some(HTML | BROWSER)) if f != Some("json") => HTML,
            _ => "application/problem+json",
        };
        assert_eq!(got, told, "{what}");
    } else {
        assert_eq!((answer.status.as_u16(), got.as_str()), (200, wanted), "{what}");
    }
    if f.is_none() {
        assert!(answer.header("vary").to_ascii_lowercase().contains("accept"), "{:?} {what}", answer.headers);
    }
}

/// Synchronous execution of one output sends what a GET of the results would; an asynchronous answer is the status.
#[tokio::test]
async fn execution_by_every_accept_and_f() {
    let by_accept = [TEXT, TEXT, HTML, JSON, HTML, NO, NO];
    let by_f = [("raw", TEXT), ("json", JSON), ("html", HTML), ("zip", "application/zip"), ("nonsense", NO)];
    let server = server().await;
    let mut seen = Vec::new();
    for (accept, wanted) in ACCEPTS.into_iter().zip(by_accept) {
        check_execution(&server, &mut seen, accept, None, wanted).await;
        for (f, wanted) in by_f {
            check_execution(&server, &mut seen, accept, Some(f), wanted).await;
        }
    }
}

async fn check_execution(
    server: &Server,
    seen: &mut Vec<JobId>,
    accept: Option<&str>,
    f: Option<&str>,
    wanted: &str,
) {
    let query = f.map(|f| format!("?f={f}")).unwrap_or_default();
    let path = format!("/processes/sync/execution{query}");
    let headers: Vec<_> = accept.map(|accept| ("accept", accept)).into_iter().collect();
    let body = asking(&["text"], json!({}));
    let asked = server.post(&path, &headers, &body);
    let answer = if wanted == NO {
        asked.await
    } else {
        let played = async {
            let id = server.next(seen).await;
            server.succeed(id, &EVERYTHING).await;
            seen.push(id);
        };
        tokio::join!(asked, played).0
    };
    let what = format!("{accept:?} f={f:?}: {}", answer.text());
    let got = answer.header("content-type").split(';').next().unwrap_or_default();
    match wanted {
        NO => assert_eq!(answer.status, 406, "refused before it runs: {what}"),
        wanted => assert_eq!((answer.status.as_u16(), got), (200, wanted), "{what}"),
    }
}
