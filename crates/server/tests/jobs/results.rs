//! `GET /jobs/{id}/results` and below.

use std::io::{Cursor, Read};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Method;
use rutter_core::{id::JobId, results::hex};
use rutter_types::agent::{Outcome, OutputFile};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    common::{BROWSER, Server, request},
    play::{EVERYTHING, asking, server},
    schemas::{check_problem, check_results},
};

const NOT_AVAILABLE: &str =
    "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/result-not-available";

async fn problem(server: &Server, path: &str) -> (u16, String) {
    let answer = server.get(path, &[("accept", "application/json")]).await;
    check_problem(&answer.json());
    (answer.status.as_u16(), answer.json()["type"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn requests_of_1_get_the_shapes_of_its_table() {
    let server = server().await;
    let reference = json!({ "transmissionMode": "reference" });
    let value = json!({ "transmissionMode": "value" });
    let one = server.done(&json!({"outputs": {"text": value}}), &EVERYTHING).await;
    let answer = server.get(&format!("/jobs/{one}/results"), &[("accept", "application/json")]).await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "teststring"));

    let links = server.done(&json!({"outputs": {"text": reference, "map": reference}}), &EVERYTHING).await;
    let answer = server.get(&format!("/jobs/{links}/results"), &[]).await;
    assert_eq!(answer.status, 204);
    let headers: Vec<&str> = answer.headers.get_all("link").iter().map(|it| it.to_str().unwrap()).collect();
    assert_eq!(headers.len(), 2);
    assert!(headers[1].contains(&format!("/jobs/{links}/results/map>")) && headers[1].contains("image/tiff"));

    let mixed = server.done(&json!({"outputs": {"text": value, "map": reference}}), &EVERYTHING).await;
    let answer = server.get(&format!("/jobs/{mixed}/results"), &[("accept", "application/json")]).await;
    assert!(answer.header("content-type").starts_with("multipart/related; boundary="));
    assert_eq!(answer.header("content-length"), answer.bytes.len().to_string());
    let body = answer.text();
    assert!(
        body.contains("Content-ID: <text>") && body.contains("Content-ID: <map>") && !body.contains("II*")
    );

    let document =
        json!({"response": "document", "outputs": {"text": value, "map": reference, "object": value}});
    let document = server.done(&document, &EVERYTHING).await;
    let answer = server.get(&format!("/jobs/{document}/results"), &[]).await;
    check_results(&answer.json());
    assert!(answer.json()["map"]["href"].as_str().unwrap().ends_with("/results/map"));
    assert!(!answer.headers.contains_key("link"));
}

#[tokio::test]
async fn requests_of_2_are_negotiated() {
    let server = server().await;
    let id = server.done(&json!({}), &EVERYTHING).await;
    let path = format!("/jobs/{id}/results");
    let answer = server.get(&path, &[]).await;
    check_results(&answer.json());
    assert_eq!(answer.json().as_object().unwrap().len(), 6);
    for (accept, media_type) in [
        ("application/json", "application/json"),
        ("multipart/related", "multipart/related"),
        ("application/zip", "application/zip"),
        (BROWSER, "text/html"),
    ] {
        let answer = server.get(&path, &[("accept", accept)]).await;
        assert!(
            answer.header("content-type").starts_with(media_type),
            "{accept}: {}",
            answer.header("content-type")
        );
        assert!(answer.header("vary").contains("Accept"));
    }
    assert_eq!(server.get(&path, &[("accept", "image/png")]).await.status, 406);
    let some = server.json(&format!("{path}?outputs=number,text")).await;
    assert_eq!(some, json!({"text": "teststring", "number": 42}));
    assert_eq!(server.get(&format!("{path}?outputs=number"), &[]).await.text(), "42");
    let (status, kind) = problem(&server, &format!("{path}?outputs=number,nonsense")).await;
    assert_eq!((status, kind.rsplit('/').next()), (400, Some("invalid-query-parameter-value")));
}

#[tokio::test]
async fn each_output_has_a_url() {
    let server = server().await;
    let id = server.done(&json!({}), &EVERYTHING).await;
    let path = format!("/jobs/{id}/results");
    for (output, accept, media_type, text) in [
        ("text", "*/*", "text/plain; charset=utf-8", "teststring"),
        ("text/0", "*/*", "text/plain; charset=utf-8", "teststring"),
        ("text", "application/json", "application/json", "\"teststring\""),
        ("number", "application/json", "application/json", "42"),
        ("map", BROWSER, "image/tiff", "II*\0binary"),
        ("parts/1", "*/*", "text/csv; charset=utf-8", "c,d"),
    ] {
        let answer = server.get(&format!("{path}/{output}"), &[("accept", accept)]).await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, text), "{output} {accept}");
        assert_eq!(answer.header("content-type"), media_type, "{output} {accept}");
        assert_eq!(answer.header("content-length"), text.len().to_string());
    }
    let many = server.get(&format!("{path}/parts"), &[]).await;
    assert_eq!(many.header("ogc-output-values-count"), "2");
    assert_eq!(
        many.json(),
        json!([
            {"mediaType": "text/csv", "value": "a,b"},
            {"mediaType": "text/csv", "value": "c,d"},
        ])
    );
    assert_eq!(server.get(&format!("{path}/parts/0"), &[]).await.header("ogc-output-values-count"), "2");
}

#[tokio::test]
async fn content_of_programs_is_kept_from_browsers() {
    let server = server().await;
    let id = server.done(&json!({}), &EVERYTHING).await;
    let page = server.get(&format!("/jobs/{id}/results/page"), &[("accept", BROWSER)]).await;
    assert!(page.header("content-security-policy").starts_with("sandbox"), "{:?}", page.headers);
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    let part = server.get(&format!("/jobs/{id}/results/parts/0"), &[]).await;
    assert_eq!(part.header("content-disposition"), "inline; filename=\"a__b.csv\"; filename*=UTF-8''ab.csv");
    let zip = server.get(&format!("/jobs/{id}/results?f=zip"), &[]).await;
    assert_eq!(zip.header("content-length"), zip.bytes.len().to_string());
    let mut zip = zip::ZipArchive::new(Cursor::new(zip.bytes)).unwrap();
    let names: Vec<String> =
        (0..zip.len()).map(|at| zip.by_index(at).unwrap().name().unwrap().into_owned()).collect();
    assert_eq!(
        names,
        [
            "text/text.txt",
            "number/number.json",
            "object/object.json",
            "map/map.tif",
            "page/page.html",
            "parts/0-a__b.csv",
            "parts/1-c.csv"
        ]
    );
    let mut text = String::new();
    zip.by_index(0).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "teststring");
}

#[tokio::test]
async fn ranges_and_conditions() {
    let server = server().await;
    let id = server.done(&json!({}), &EVERYTHING).await;
    let path = format!("/jobs/{id}/results/text");
    let tag = server.get(&path, &[]).await.header("etag").to_owned();
    assert_eq!(tag, format!("\"{}\"", hex(&Sha256::digest(b"teststring"))));
    for (headers, status, text) in [
        (vec![("range", "bytes=4-6")], 206, "str"),
        (vec![("range", "bytes=-3")], 206, "ing"),
        (vec![("range", "bytes=10-")], 416, ""),
        (vec![("range", "bytes=4-6"), ("if-range", "\"other\"")], 200, "teststring"),
        (vec![("range", "bytes=4-6"), ("if-range", tag.as_str())], 206, "str"),
        (vec![("if-none-match", tag.as_str())], 304, ""),
        (vec![("if-none-match", "\"other\"")], 200, "teststring"),
    ] {
        let answer = server.get(&path, &headers).await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (status, text), "{headers:?}");
        if status == 206 {
            assert_eq!(answer.header("content-length"), "3");
            assert!(answer.header("content-range").ends_with("/10"));
        }
        if status == 416 {
            assert_eq!(answer.header("content-range"), "bytes */10");
        }
    }
    for path in [format!("/jobs/{id}/results"), format!("/jobs/{id}/results?f=zip"), path] {
        let got = server.get(&path, &[]).await;
        let known = server.get(&path, &[("if-none-match", got.header("etag"))]).await;
        assert_eq!(known.status, 304, "{path}");
        let head = server.send(request(Method::HEAD, &path, &[], Body::empty())).await;
        assert_eq!((head.status.as_u16(), head.bytes.len()), (200, 0));
        assert_eq!(head.header("content-length"), got.bytes.len().to_string(), "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let server = server().await;
    let unfinished = server.submit("both", &json!({})).await;
    let (status, kind) = problem(&server, &format!("/jobs/{unfinished}/results")).await;
    assert_eq!(
        (status, kind.as_str()),
        (404, "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/result-not-ready")
    );
    assert_eq!(problem(&server, &format!("/jobs/{unfinished}/results/text")).await.0, 404);

    server.fail(unfinished, Outcome::TimeLimit).await;
    let (status, kind) = problem(&server, &format!("/jobs/{unfinished}/results")).await;
    assert!(status >= 500 && kind.contains("time-limit"), "{status} {kind}");

    let none = server.done(&json!({"outputs": {}}), &EVERYTHING).await;
    assert_eq!(problem(&server, &format!("/jobs/{none}/results")).await, (404, NOT_AVAILABLE.to_owned()));

    let some = server.done(&asking(&["text", "number"], json!({})), &EVERYTHING[..1]).await;
    let (status, kind) = problem(&server, &format!("/jobs/{some}/results/nonsense")).await;
    assert_eq!((status, kind.rsplit('/').next()), (400, Some("no-such-output")));
    for path in ["map", "number", "text/1", "text/x", "text/00", "text/-1"] {
        let got = problem(&server, &format!("/jobs/{some}/results/{path}")).await;
        assert_eq!(got, (404, NOT_AVAILABLE.to_owned()), "{path}");
    }

    let dismissed = server.submit("both", &json!({})).await;
    assert_eq!(server.delete(&format!("/jobs/{dismissed}")).await.status, 200);
    assert_eq!(
        problem(&server, &format!("/jobs/{dismissed}/results")).await,
        (404, NOT_AVAILABLE.to_owned())
    );
    let unknown = JobId::generate();
    let (status, kind) = problem(&server, &format!("/jobs/{unknown}/results")).await;
    assert_eq!((status, kind.rsplit('/').next()), (404, Some("no-such-job")));
}

#[tokio::test]
async fn a_large_output_streams_in_every_shape() {
    const PIECE: usize = 1024 * 1024;
    const PIECES: usize = 40;
    let server = server().await;
    let id = server.submit("both", &asking(&["map", "text"], json!({}))).await;
    let attempt = server.attempt(id).await;
    let pieces = (0..PIECES).map(|number| Ok(Bytes::from(vec![number as u8; PIECE])));
    let uploaded =
        server.state.engine.agents().upload(&attempt, "map", 0, stream::iter(pieces).boxed()).await.unwrap();
    assert_eq!(uploaded.size, (PIECE * PIECES) as u64);
    let file = OutputFile {
        output: "map".into(),
        index: 0,
        name: "map.tif".into(),
        media_type: Some("image/tiff".into()),
        size: uploaded.size,
        sha256: uploaded.sha256,
        inline: None,
    };
    server.report(&attempt, Outcome::Exited { code: 0 }, vec![file]).await;
    let path = format!("/jobs/{id}/results");
    let raw = server.get(&format!("{path}/map"), &[]).await;
    assert_eq!(raw.bytes.len(), PIECE * PIECES);
    let part = server.get(&format!("{path}/map"), &[("range", "bytes=1048575-1048576")]).await;
    assert_eq!(part.bytes.to_vec(), [0, 1]);
    let zip = server.get(&path, &[("accept", "application/zip")]).await;
    let mut zip = zip::ZipArchive::new(Cursor::new(zip.bytes)).unwrap();
    let mut file = zip.by_name("map/map.tif").unwrap();
    assert_eq!(std::io::copy(&mut file, &mut std::io::sink()).unwrap(), uploaded.size);
    let multipart = server.get(&path, &[("accept", "multipart/related")]).await;
    assert_eq!(multipart.header("content-length"), multipart.bytes.len().to_string());
    let linked = server.json(&path).await;
    assert_eq!(linked["map"]["length"], uploaded.size);
    let inline = server.get(&path, &[("prefer", "return=representation")]).await.json();
    assert_eq!(inline["map"]["value"].as_str().unwrap().len(), (PIECE * PIECES).div_ceil(3) * 4);
}
