//! `GET /jobs/{id}/events`.

use std::time::Duration;

use axum::body::Body;
use http::Method;
use http_body_util::BodyExt;
use rutter_core::id::JobId;
use rutter_types::agent::{Outcome, Phase, Progress};
use serde_json::{Value, json};

use crate::{
    common::{Server, request},
    play::{EVERYTHING, server},
    schemas::check_status,
};

#[derive(Clone, Debug, PartialEq)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

struct Stream {
    body: Body,
    text: String,
}

impl Stream {
    async fn open(server: &Server, id: JobId, last: Option<&str>) -> Self {
        let headers: Vec<_> = last.map(|last| ("last-event-id", last)).into_iter().collect();
        let answer = server
            .app
            .answer(request(Method::GET, &format!("/jobs/{id}/events"), &headers, Body::empty()))
            .await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { body: answer.into_body(), text: String::new() }
    }

    /// `None` = the stream ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let event = event(block);
                self.text = rest.to_owned();
                match event {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let frame = tokio::time::timeout(Duration::from_secs(20), self.body.frame())
                .await
                .expect("nothing comes")?;
            self.text.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
        }
    }

    async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

fn event(block: &str) -> Option<Event> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let data = serde_json::from_str(field("data")?).unwrap();
    Some(Event { name: field("event")?.into(), id: field("id")?.into(), data })
}

async fn played(server: &Server) -> JobId {
    let id = server.submit("both", &json!({})).await;
    let attempt = server.attempt(id).await;
    let log = "2026-11-25T10:00:00.000001Z out one\n2026-11-25T10:00:00.000002Z err+ two, \n2026-11-25T10:00:00.000003Z err three\n";
    server.state.engine.agents().log(&attempt, 0, log.into()).await.unwrap();
    server.succeed(id, &EVERYTHING).await;
    id
}

#[tokio::test]
async fn a_job_is_told_as_it_goes() {
    let server = server().await;
    let id = server.submit("both", &json!({})).await;
    let mut stream = Stream::open(&server, id, None).await;
    let accepted = stream.next().await.unwrap();
    assert_eq!((accepted.name.as_str(), &accepted.data["status"]), ("status", &json!("accepted")));
    check_status(&accepted.data);
    let attempt = server.attempt(id).await;
    assert_eq!(stream.next().await.unwrap().data["status"], "running");
    let agents = server.state.engine.agents();
    agents.log(&attempt, 0, "2026-11-25T10:00:00.000001Z out half".into()).await.unwrap();
    agents.log(&attempt, 36, " a line\n".into()).await.unwrap();
    let line = stream.next().await.unwrap();
    assert_eq!(
        line.data,
        json!({"stream": "out", "time": "2026-11-25T10:00:00.000001Z", "text": "half a line"})
    );
    let progress =
        Progress { phase: Phase::Running, percent: Some(40), message: Some("at it".into()), usage: None };
    agents.progress(&attempt, progress).await.unwrap();
    let told = stream.next().await.unwrap();
    assert_eq!((told.name.as_str(), told.data), ("progress", json!({"progress": 40, "message": "at it"})));
    server.succeed(id, &EVERYTHING).await;
    let rest = stream.rest().await;
    let names: Vec<&str> = rest.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["progress", "status", "end"]);
    check_status(&rest[1].data);
    assert_eq!(rest[1].data["status"], "successful");
}

#[tokio::test]
async fn whoever_comes_back_misses_nothing_and_gets_nothing_twice() {
    let server = server().await;
    let id = played(&server).await;
    let all = Stream::open(&server, id, None).await.rest().await;
    let names: Vec<&str> = all.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["status", "status", "log", "log", "log", "progress", "status", "end"]);
    let statuses: Vec<&Value> =
        all.iter().filter(|it| it.name == "status").map(|it| &it.data["status"]).collect();
    assert_eq!(statuses, ["accepted", "running", "successful"]);
    assert_eq!(all[3].data["continues"], true);
    for (at, event) in all.iter().enumerate().take(all.len() - 1) {
        let rest = Stream::open(&server, id, Some(&event.id)).await.rest().await;
        assert_eq!(rest, all[at + 1..], "after {}", event.id);
    }
    let end = &all.last().unwrap().id;
    assert_eq!(
        server.get(&format!("/jobs/{id}/events?lastEventId={end}"), &[]).await.status,
        204,
        "don't come back"
    );
    assert_eq!(server.get(&format!("/jobs/{id}/events"), &[("last-event-id", "<script>")]).await.status, 400);
}

#[tokio::test]
async fn ends_that_are_none_of_success_are_told_too() {
    let server = server().await;
    let failed = server.submit("both", &json!({})).await;
    server.fail(failed, Outcome::Exited { code: 1 }).await;
    let events = Stream::open(&server, failed, None).await.rest().await;
    assert_eq!(events.last().unwrap().data, json!({"status": "failed"}));
    let dismissed = server.submit("async", &json!({})).await;
    let mut stream = Stream::open(&server, dismissed, None).await;
    stream.next().await.unwrap();
    server.delete(&format!("/jobs/{dismissed}")).await;
    let rest = stream.rest().await;
    assert_eq!(rest.last().unwrap().name, "end");
    assert_eq!(rest[rest.len() - 2].data["status"], "dismissed");
}
