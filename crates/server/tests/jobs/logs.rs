//! `GET /jobs/{id}/logs`.

use std::time::Duration;

use axum::body::Body;
use http::Method;
use http_body_util::BodyExt;
use serde_json::json;

use crate::{
    common::request,
    play::{EVERYTHING, server},
};

const ONE: &str = "2026-11-25T10:00:00.000001Z out one\n";
const TWO: &str = "2026-11-25T10:00:00.000002Z err two\n";

#[tokio::test]
async fn a_log_is_had_so_far_and_in_part() {
    let server = server().await;
    let id = server.submit("both", &json!({})).await;
    let path = format!("/jobs/{id}/logs");
    assert_eq!(server.get(&path, &[]).await.text(), "");
    let attempt = server.attempt(id).await;
    server.state.engine.agents().log(&attempt, 0, ONE.into()).await.unwrap();
    let answer = server.get(&path, &[]).await;
    assert_eq!(answer.text(), ONE);
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.header("content-length"), ONE.len().to_string());
    server.state.engine.agents().log(&attempt, ONE.len() as u64, TWO.into()).await.unwrap();
    let rest = server.get(&format!("{path}?offset={}", ONE.len()), &[]).await;
    assert_eq!(rest.text(), TWO);
    let range = server.get(&path, &[("range", "bytes=28-34")]).await;
    assert_eq!((range.status.as_u16(), range.text().len()), (206, 7));
    assert_eq!(server.get(&format!("{path}?offset=99999"), &[]).await.text(), "");
    assert_eq!(server.get(&path, &[("range", "bytes=9999-")]).await.status, 416);
    assert_eq!(server.get(&format!("{path}?offset=x"), &[]).await.status, 400);
    let head = server.send(request(Method::HEAD, &path, &[], Body::empty())).await;
    assert_eq!(head.header("content-length"), (ONE.len() + TWO.len()).to_string());
    server.succeed(id, &EVERYTHING).await;
    assert_eq!(server.get(&path, &[]).await.text(), format!("{ONE}{TWO}"), "ever after");
    let page = server.get(&path, &[("accept", "text/html")]).await;
    assert!(page.text().contains("two"));
}

#[tokio::test]
async fn a_log_can_be_followed_to_its_end() {
    let server = server().await;
    let id = server.submit("both", &json!({})).await;
    let asked = request(Method::GET, &format!("/jobs/{id}/logs?follow=true"), &[], Body::empty());
    let mut body = server.app.answer(asked).await.into_body();
    let attempt = server.attempt(id).await;
    let mut sent = String::new();
    for line in [ONE, TWO] {
        server.state.engine.agents().log(&attempt, sent.len() as u64, line.into()).await.unwrap();
        sent.push_str(line);
        let frame =
            tokio::time::timeout(Duration::from_secs(20), body.frame()).await.unwrap().unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), line.as_bytes());
    }
    server.succeed(id, &EVERYTHING).await;
    let end = tokio::time::timeout(Duration::from_secs(20), body.frame()).await.unwrap();
    assert!(end.is_none());
}
