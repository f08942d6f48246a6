//! The agents' listener, spoken to as an agent does.

use std::path::PathBuf;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use rutter_server::{AgentsListener, ServerConfig, serve_agents};
use rutter_types::agent::{
    OrderAnswer, Outcome, OutputFile, Report, Uploaded, Usage, VERSION, VERSION_HEADER, Verdict,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::watch,
};

use crate::{
    common::{FakeExecutor, Server},
    play::{asking, eventually, server},
};

pub(crate) struct Desk {
    pub(crate) server: Server,
    token: String,
    pub(crate) job: rutter_core::id::JobId,
    _stop: watch::Sender<bool>,
}

impl Desk {
    pub(crate) async fn open(body: &Value) -> Self {
        Self::of(server().await, body).await
    }

    pub(crate) async fn of(server: Server, body: &Value) -> Self {
        Self::at(server, "both", body).await
    }

    pub(crate) async fn at(server: Server, process: &str, body: &Value) -> Self {
        let listener = UnixListener::bind(server.folder.path().join("agents.sock")).unwrap();
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(serve_agents(AgentsListener::Machine(listener), server.state.clone(), stopped));
        let job = server.submit(process, body).await;
        let launch =
            eventually(|| server.executor.launched().into_iter().find(|launch| launch.job == job)).await;
        Self { server, token: FakeExecutor::token(launch), job, _stop: stop }
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Where agents come to.
    pub(crate) fn socket(&self) -> PathBuf {
        self.server.folder.path().join("agents.sock")
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, Bytes) {
        let stream = UnixStream::connect(self.socket()).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let answer = sender.send_request(request).await.unwrap();
        let status = answer.status();
        (status, answer.into_body().collect().await.unwrap().to_bytes())
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Body>,
    ) -> (StatusCode, Bytes) {
        let request = Request::builder()
            .method(method)
            .uri(format!("/agent/v1/{path}"))
            .header("host", "agents")
            .header("content-type", "application/json")
            .header(VERSION_HEADER, VERSION)
            .header("authorization", format!("Bearer {}", self.token));
        self.send(request.body(body.into()).unwrap()).await
    }
}

#[tokio::test]
async fn an_attempt_from_order_to_verdict() {
    let desk = Desk::open(&asking(&["map"], json!({}))).await;
    for _ in 0..2 {
        let (status, order) = desk.call(Method::POST, "order", Body::empty()).await;
        assert_eq!(status, 200);
        let OrderAnswer::Run(order) = serde_json::from_slice(&order).unwrap() else { panic!("no order") };
        assert_eq!(order.job, desk.job.to_string());
    }
    let (status, _) = desk.call(Method::POST, "progress", r#"{"phase":"running","percent":30}"#).await;
    assert_eq!(status, 204);
    let (status, answer) =
        desk.call(Method::POST, "log?offset=0", "2026-11-25T10:00:00.000001Z out x\n").await;
    assert_eq!((status.as_u16(), &answer[..]), (200, &b"{\"offset\":34}"[..]));
    let large = vec![7u8; 20 * 1024 * 1024];
    let (status, uploaded) = desk.call(Method::PUT, "outputs/map/0", large.clone()).await;
    assert_eq!(status, 200, "over every usual limit of bodies");
    let uploaded: Uploaded = serde_json::from_slice(&uploaded).unwrap();
    let file = OutputFile {
        output: "map".into(),
        index: 0,
        name: "map.tif".into(),
        media_type: Some("image/tiff".into()),
        size: uploaded.size,
        sha256: uploaded.sha256,
        inline: None,
    };
    let report = Report {
        outcome: Outcome::Exited { code: 0 },
        usage: Usage::default(),
        outputs: vec![file],
        reason: None,
        log_bytes: 34,
    };
    for _ in 0..2 {
        let (status, verdict) = desk.call(Method::POST, "report", serde_json::to_vec(&report).unwrap()).await;
        assert_eq!(status, 200);
        assert_eq!(serde_json::from_slice::<Verdict>(&verdict).unwrap(), Verdict::Done);
    }
    let got = desk.server.get(&format!("/jobs/{}/results/map", desk.job), &[]).await;
    assert_eq!(got.bytes.len(), large.len());
    let (_, order) = desk.call(Method::POST, "order", Body::empty()).await;
    assert_eq!(serde_json::from_slice::<OrderAnswer>(&order).unwrap(), OrderAnswer::Over);
    assert_eq!(desk.call(Method::POST, "log?offset=34", "x").await.0, 410, "over is over");
}

#[tokio::test]
async fn strangers_and_other_versions_are_not_served() {
    let desk = Desk::open(&json!({})).await;
    for (version, token, status) in [
        (Some("1"), None, 401),
        (Some("1"), Some("Bearer wrong"), 401),
        (Some("1"), Some("Basic wrong"), 401),
        (None, Some("Bearer wrong"), 400),
        (Some("x"), Some("Bearer wrong"), 400),
        (Some("999"), Some("Bearer wrong"), 426),
    ] {
        let mut request =
            Request::builder().method(Method::POST).uri("/agent/v1/order").header("host", "agents");
        if let Some(version) = version {
            request = request.header(VERSION_HEADER, version);
        }
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        assert_eq!(desk.send(request.body(Body::empty()).unwrap()).await.0, status, "{version:?} {token:?}");
    }
}

/// Another try would not help: the agent ends, and what stands here is its last word.
#[tokio::test]
async fn an_agent_of_another_release_is_told_what_to_do() {
    let desk = Desk::open(&json!({})).await;
    let ask = async |version: Option<&str>| {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri("/agent/v1/order")
            .header("host", "agents")
            .header("authorization", format!("Bearer {}", desk.token));
        if let Some(version) = version {
            request = request.header(VERSION_HEADER, version);
        }
        let (status, body) = desk.send(request.body(Body::empty()).unwrap()).await;
        let told = serde_json::from_slice::<Value>(&body).unwrap()["detail"].as_str().unwrap().to_owned();
        (status.as_u16(), told)
    };
    for (version, age) in [("0", "older version 0"), ("2", "newer version 2"), ("4294967295", "newer")] {
        let (status, told) = ask(Some(version)).await;
        assert_eq!(status, 426, "{version}");
        assert!(told.contains(age) && told.contains("agentImage"), "{told}");
    }
    for (version, word) in
        [(None, "missing"), (Some(""), "number"), (Some("-1"), "number"), (Some("1.0"), "number")]
    {
        let (status, told) = ask(version).await;
        assert_eq!(status, 400, "{version:?}");
        assert!(told.contains(word), "{told}");
    }
    assert_eq!(
        desk.server.json(&format!("/jobs/{}", desk.job)).await["status"],
        "accepted",
        "nothing happened"
    );
}

#[tokio::test]
async fn an_agent_reaches_nothing_but_its_order() {
    let desk = Desk::open(&asking(&["text"], json!({}))).await;
    desk.call(Method::POST, "order", Body::empty()).await;
    assert_eq!(desk.call(Method::PUT, "outputs/map/0", "x").await.0, 400, "an output that was not asked");
    assert_eq!(desk.call(Method::PUT, "outputs/..%2Fmap/0", "x").await.0, 400);
    let other = desk.server.done(&json!({}), &crate::play::EVERYTHING).await;
    assert_eq!(desk.call(Method::GET, &format!("results/{other}/text/0"), Body::empty()).await.0, 400);
    assert_eq!(desk.call(Method::POST, "report", "{").await.0, 400);
    assert_eq!(desk.call(Method::POST, "log?offset=0", vec![b'x'; 5 * 1024 * 1024]).await.0, 413);
}

/// In a container, files of the package come by this way: those that the order names, and nothing else.
#[tokio::test]
async fn files_of_the_package_are_those_that_were_planned() {
    let package = |file: &str| {
        format!(
            "processDescription: {{process: {{id: both, version: 1.0.0, inputs: {{\
             word: {{schema: {{type: string, default: x}}}}, \
             dem: {{schema: {{type: string, contentMediaType: text/csv, default: {{href: {file}}}}}}}}}}}}}\n\
             executionUnit: {{type: command, command: [cat, $(inputs.dem.path), $(inputs.word.path)]}}"
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["old.csv", "new.csv"] {
        std::fs::write(at(name), name).unwrap();
    }
    std::fs::write(at("package.yaml"), package("old.csv")).unwrap();
    let server = Server::of(ServerConfig::default(), vec![folder.path().to_owned()]).await;
    let desk = Desk::of(server, &json!({"inputs": {}})).await;
    let ask = async |stage: &str| desk.call(Method::GET, &format!("package/{stage}"), Body::empty()).await;
    desk.call(Method::POST, "order", Body::empty()).await;
    let (status, bytes) = ask("0").await;
    assert_eq!((status.as_u16(), &bytes[..]), (200, &b"old.csv"[..]));

    std::fs::write(at("package.yaml"), package("new.csv")).unwrap();
    desk.server.state.registry.poll();
    assert_eq!(ask("0").await.1, "old.csv", "a package that changed meanwhile");
    for other in ["1", "2", "-1", "..%2Fpackage.yaml", "package.yaml"] {
        assert_eq!(ask(other).await.0, 400, "{other}");
    }
    let mut stranger = Request::get("/agent/v1/package/0").header("host", "agents");
    stranger = stranger.header(VERSION_HEADER, VERSION).header("authorization", "Bearer x");
    assert_eq!(desk.send(stranger.body(Body::empty()).unwrap()).await.0, 401);

    std::fs::remove_file(at("old.csv")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", at("old.csv")).unwrap();
    let (status, told) = ask("0").await;
    assert_eq!(status, 400);
    assert!(String::from_utf8_lossy(&told).contains("outside of its folder"), "{told:?}");
}

/// Over the network the same, by TLS; a peer that talks something else, or nothing, holds up nobody.
#[tokio::test]
async fn agents_come_by_tls() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let identity = rutter_server::identity(certificate.as_bytes(), key.as_bytes()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let desk = Desk::open(&json!({"inputs": {}})).await;
    let (_stop, stopped) = watch::channel(false);
    let listener = AgentsListener::Network(listener, Some(identity));
    tokio::spawn(serve_agents(listener, desk.server.state.clone(), stopped));

    let _silent = TcpStream::connect(address).await.unwrap();
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"POST /agent/v1/order HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{:?}", String::from_utf8_lossy(&answer));

    let config = rutter_fetch::client_config(Some(certificate.as_bytes())).unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post("/agent/v1/order")
        .header("host", "localhost")
        .header(VERSION_HEADER, VERSION)
        .header("authorization", format!("Bearer {}", desk.token));
    let answer = sender.send_request(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}
