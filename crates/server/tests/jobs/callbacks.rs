//! Callbacks: signed, repeated, and never in each other's way.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use rutter_core::store::{Call as StoredCall, CallId, CallKind};
use rutter_server::callbacks::{self, KEY_PLACE};
use rutter_types::agent::{Outcome, Phase, Progress};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::watch,
};

use crate::{
    common::Server,
    play::{EVERYTHING, asking, eventually, server},
    schemas::{check_results, check_status},
};

#[derive(Clone, Debug)]
struct Call {
    path: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Call {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A receiver: `/hang` never answers, `/gone` answers 410, `/busy` 503 the first time, everything else 200.
#[derive(Clone)]
struct Receiver {
    url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let receiver = Self { url, calls: Arc::default() };
        let calls = receiver.calls.clone();
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let calls = calls.clone();
                tokio::spawn(async move {
                    let Some(call) = read(&mut socket).await else { return };
                    let earlier = calls.lock().unwrap().iter().filter(|it| it.path == call.path).count();
                    let status = match call.path.as_str() {
                        "/hang" => return tokio::time::sleep(Duration::from_secs(3600)).await,
                        "/gone" => 410,
                        "/busy" if earlier == 0 => 503,
                        _ => 200,
                    };
                    calls.lock().unwrap().push(call);
                    let answer =
                        format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                    let _ = socket.write_all(answer.as_bytes()).await;
                });
            }
        });
        receiver
    }

    fn at(&self, path: &str) -> Vec<Call> {
        self.calls.lock().unwrap().iter().filter(|call| call.path == path).cloned().collect()
    }

    async fn wait(&self, path: &str, count: usize) -> Vec<Call> {
        eventually(|| Some(self.at(path)).filter(|calls| calls.len() >= count)).await
    }
}

async fn read(socket: &mut tokio::net::TcpStream) -> Option<Call> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let length = socket.read(&mut piece).await.ok().filter(|length| *length > 0)?;
        bytes.extend_from_slice(&piece[..length]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let path = lines.next()?.split(' ').nth(1)?.to_owned();
        let headers: HashMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let wanted: usize = headers.get("content-length")?.parse().ok()?;
        while bytes.len() < end + 4 + wanted {
            let length = socket.read(&mut piece).await.ok().filter(|length| *length > 0)?;
            bytes.extend_from_slice(&piece[..length]);
        }
        return Some(Call { path, headers, body: bytes[end + 4..].to_vec() });
    }
}

struct Setting {
    server: Server,
    receiver: Receiver,
    _stop: watch::Sender<bool>,
}

async fn setting() -> Setting {
    let server = server().await;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(callbacks::run(server.state.clone(), stopped));
    Setting { server, receiver: Receiver::start().await, _stop: stop }
}

fn subscriber(receiver: &Receiver, success: &str) -> Value {
    let url = |path: &str| format!("{}{path}", receiver.url);
    json!({"subscriber": {"successUri": url(success), "failedUri": url("/failed"), "inProgressUri": url("/progress")}})
}

#[tokio::test]
async fn the_results_are_posted_and_signed() {
    let Setting { server, receiver, _stop } = setting().await;
    server.done(&asking(&["text", "map"], subscriber(&receiver, "/ok")), &EVERYTHING).await;
    let call = receiver.wait("/ok", 1).await.remove(0);
    check_results(&call.json());
    assert_eq!(call.json()["text"], "teststring");
    let key = server.state.engine.objects().get(KEY_PLACE).await.unwrap().unwrap();
    let key = STANDARD.decode(key.strip_prefix(b"whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{}.{}.", call.headers["webhook-id"], call.headers["webhook-timestamp"]).as_bytes());
    mac.update(&call.body);
    assert_eq!(
        call.headers["webhook-signature"],
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    );
    eventually(|| Some(())).await;
    assert!(receiver.at("/failed").is_empty());
}

#[tokio::test]
async fn progress_and_failure_are_statuses() {
    let Setting { server, receiver, _stop } = setting().await;
    let id = server.submit("both", &asking(&["text"], subscriber(&receiver, "/ok"))).await;
    let attempt = server.attempt(id).await;
    assert_eq!(receiver.wait("/progress", 1).await[0].json()["status"], "running");
    let progress = Progress { phase: Phase::Running, percent: Some(40), message: None, usage: None };
    server.state.engine.agents().progress(&attempt, progress).await.unwrap();
    eventually(|| receiver.at("/progress").iter().any(|call| call.json()["progress"] == 40).then_some(()))
        .await;
    server.report(&attempt, Outcome::Exited { code: 2 }, Vec::new()).await;
    let failed = receiver.wait("/failed", 1).await.remove(0).json();
    check_status(&failed);
    assert_eq!(failed["status"], "failed");
    assert!(failed["links"][0]["href"].as_str().unwrap().starts_with("http://127.0.0.1:8080/jobs/"));
}

#[tokio::test]
async fn a_busy_receiver_is_called_again_with_the_same_id_and_a_gone_one_is_not() {
    let Setting { server, receiver, _stop } = setting().await;
    server.done(&asking(&["text"], subscriber(&receiver, "/gone")), &EVERYTHING).await;
    server.done(&asking(&["text"], subscriber(&receiver, "/busy")), &EVERYTHING).await;
    let calls = receiver.wait("/busy", 2).await;
    assert_eq!(calls[0].headers["webhook-id"], calls[1].headers["webhook-id"]);
    assert_eq!(receiver.at("/gone").len(), 1);
    let far = server.state.engine.clock().now() + jiff::SignedDuration::from_hours(48);
    for _ in 0..400 {
        if server.state.engine.store().calls_due(far, 10).await.unwrap().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("calls are left");
}

#[tokio::test]
async fn what_may_not_be_called_is_refused_at_once_and_given_up_at_once() {
    let Setting { server, _stop, .. } = setting().await;
    let never = "http://169.254.169.254/latest";
    let asked = asking(&["text"], json!({"subscriber": {"successUri": never}}));
    let answer = server.post("/processes/both/execution", &[("prefer", "respond-async")], &asked).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["errors"][0]["pointer"], "/subscriber/successUri");
    // A name that leads there is found out when it is called.
    let id = server.submit("both", &asking(&["text"], json!({}))).await;
    let engine = &server.state.engine;
    let now = engine.clock().now();
    let id_of_call = CallId { job: id, kind: CallKind::Success };
    let call = StoredCall {
        id: id_of_call,
        kind: id_of_call.kind,
        url: never.into(),
        tries: 0,
        created: now,
        due: now,
    };
    loop {
        let mut job = (*engine.store().get(id).await.unwrap().unwrap()).clone();
        job.revision += 1;
        if engine.store().replace(&job, std::slice::from_ref(&call)).await.unwrap() {
            break;
        }
    }
    engine.calls().notify_one();
    let far = now + jiff::SignedDuration::from_hours(48);
    for _ in 0..400 {
        if engine.store().calls_due(far, 10).await.unwrap().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it is tried again");
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_up_nobody_else() {
    let Setting { server, receiver, _stop } = setting().await;
    let other = Receiver::start().await;
    // Another name of the same machine is another host.
    let other_url = other.url.replace("127.0.0.1", "localhost");
    for _ in 0..20 {
        server.done(&asking(&["text"], subscriber(&receiver, "/hang")), &EVERYTHING).await;
    }
    let elsewhere = json!({"subscriber": {"successUri": format!("{other_url}/ok")}});
    server.done(&asking(&["text"], elsewhere), &EVERYTHING).await;
    other.wait("/ok", 1).await;
}
