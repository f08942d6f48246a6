//! A server for one attempt, on a Unix socket, that can fail on purpose; and the built agent run against it.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path as Segments, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use futures_util::StreamExt;
use rutter_types::agent::{Outcome, Progress, Report, Staged, Verdict, WorkOrder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

/// What the server knows; it survives the server like a database.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) order: Mutex<Value>,
    pub(crate) log: Mutex<Vec<u8>>,
    pub(crate) progress: Mutex<Vec<Progress>>,
    pub(crate) outputs: Mutex<BTreeMap<(String, usize), Vec<u8>>>,
    /// Outputs that come in parts and are not whole.
    pub(crate) drafts: Mutex<BTreeMap<(String, usize), Vec<u8>>>,
    /// Bytes of parts that came.
    pub(crate) came: AtomicUsize,
    /// As servers before there were parts.
    pub(crate) knows_no_parts: AtomicBool,
    /// What comes in parts is kept wrong.
    pub(crate) keeps_wrong: AtomicBool,
    pub(crate) staged: Mutex<Vec<Staged>>,
    pub(crate) reports: Mutex<Vec<Report>>,
    pub(crate) results: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Files of the package by the item of the order that names them.
    pub(crate) package_files: Mutex<BTreeMap<usize, Vec<u8>>>,
    pub(crate) refusal: Mutex<Option<Value>>,
    pub(crate) verdict: Mutex<Option<Verdict>>,
    /// Everything is answered with 410.
    pub(crate) gone: AtomicBool,
    /// So many of the next calls are answered with 503.
    pub(crate) failing: AtomicUsize,
    /// Log posts keep at most so many bytes; 0 for all.
    pub(crate) log_step: AtomicUsize,
    pub(crate) calls: Mutex<Vec<String>>,
    pub(crate) tokens: Mutex<Vec<String>>,
}

pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) known: Arc<Known>,
    server: Option<Runtime>,
}

/// A command run by the shell.
pub(crate) fn sh(script: &str) -> Value {
    json!([[{"text": "sh"}], [{"text": "-c"}], [{"text": script}]])
}

/// An output found by its name.
pub(crate) fn named(id: &str) -> Value {
    json!({"id": id, "find": "name", "required": true, "many": false})
}

impl Bench {
    /// A server whose order is a harmless one, changed by `order` member by member.
    pub(crate) fn new(order: Value) -> Self {
        let mut whole = json!({
            "job": "job-1", "process": "proc", "inputs": {}, "stage": [], "command": sh("true"), "outputs": [],
            "limits": {"command_seconds": 60, "grace_seconds": 5, "output_bytes": 1_000_000_000_u64,
                       "log_bytes": 10_000_000, "contact_seconds": 30},
            "fetch": {"max_bytes": 1_000_000, "idle_seconds": 5, "max_redirects": 3,
                      "private_networks": true, "allow": []}
        });
        merge(&mut whole, order);
        serde_json::from_value::<WorkOrder>(whole.clone()).expect("an order");
        let mut bench = Self { dir: tempfile::tempdir().unwrap(), known: Arc::default(), server: None };
        *bench.known.order.lock().unwrap() = json!({"do": "run"});
        merge(&mut bench.known.order.lock().unwrap(), whole);
        bench.start_server();
        bench
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.dir.path().join("attempt")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    pub(crate) fn start_server(&mut self) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let _ = std::fs::remove_file(self.socket());
        let listener = {
            let _guard = runtime.enter();
            tokio::net::UnixListener::bind(self.socket()).unwrap()
        };
        let router = router(Arc::clone(&self.known));
        runtime.spawn(async move { axum::serve(listener, router).await });
        self.server = Some(runtime);
    }

    /// As by kill -9: every connection breaks, the socket stays behind.
    pub(crate) fn kill_server(&mut self) {
        if let Some(runtime) = self.server.take() {
            runtime.shutdown_timeout(Duration::from_millis(500));
        }
    }

    /// Starts the agent.
    pub(crate) fn agent(&self) -> Child {
        self.agent_at(&format!("unix:{}", self.socket().display()))
    }

    /// Starts the agent for a server at that address.
    pub(crate) fn agent_at(&self, server: &str) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rutter-agent"));
        self.tell(&mut command);
        command.env("RUTTER_AGENT_SERVER", server).spawn().unwrap()
    }

    /// Tells an agent where everything is.
    pub(crate) fn tell(&self, command: &mut Command) {
        std::fs::write(self.dir.path().join("token"), "secret\n").unwrap();
        command
            .env("RUTTER_AGENT_SERVER", format!("unix:{}", self.socket().display()))
            .env("RUTTER_AGENT_FOLDER", self.folder())
            .env("RUTTER_AGENT_TOKEN_FILE", self.dir.path().join("token"))
            .env("INHERITED", "yes")
            .stdin(Stdio::null());
    }

    /// A TCP port that leads to the server.
    pub(crate) fn tcp(&self) -> u16 {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let socket = self.socket();
        std::thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                let unix = std::os::unix::net::UnixStream::connect(&socket).unwrap();
                let (mut there, mut back) = (tcp.try_clone().unwrap(), unix.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut there, &mut { unix }));
                std::thread::spawn(move || std::io::copy(&mut back, &mut { tcp }));
            }
        });
        port
    }

    /// Runs the agent to its end.
    pub(crate) fn run(&self) -> (i32, Report) {
        let code = finish(self.agent());
        (code, self.report())
    }

    /// Runs the agent and gives what happened.
    pub(crate) fn outcome(&self) -> Outcome {
        self.run().1.outcome
    }

    pub(crate) fn report(&self) -> Report {
        self.known.reports.lock().unwrap().last().cloned().expect("a report")
    }

    /// Bytes of an output, inline or uploaded.
    pub(crate) fn output(&self, id: &str, index: usize) -> Vec<u8> {
        use base64::Engine;
        let report = self.report();
        let file =
            report.outputs.iter().find(|file| file.output == id && file.index == index).expect("the output");
        let bytes = match &file.inline {
            Some(text) => base64::engine::general_purpose::STANDARD.decode(text).unwrap(),
            None => self.known.outputs.lock().unwrap()[&(id.to_owned(), index)].clone(),
        };
        assert_eq!(file.size, bytes.len() as u64);
        assert_eq!(file.sha256, hex(&bytes));
        bytes
    }

    /// The log as (tag, text).
    pub(crate) fn log(&self) -> Vec<(String, String)> {
        let bytes = self.known.log.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        let entry = |line: &str| {
            let mut parts = line.splitn(3, ' ');
            let time = parts.next().unwrap();
            assert!(time.len() == 27 && time.ends_with('Z'), "{line}");
            (parts.next().unwrap().to_owned(), parts.next().unwrap().to_owned())
        };
        text.lines().map(entry).collect()
    }

    /// Waits until the command wrote this file into its work directory.
    pub(crate) fn wait_for_file(&self, name: &str) -> String {
        let path = self.folder().join("work").join(name);
        wait_until(|| std::fs::read_to_string(&path).ok().filter(|text| !text.is_empty()))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.kill_server();
    }
}

/// Waits for the agent's end.
pub(crate) fn finish(mut child: Child) -> i32 {
    wait_until(|| child.try_wait().unwrap()).code().unwrap_or(-1)
}

/// Waits generously for something.
pub(crate) fn wait_until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(120), "waited too long");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process exists and is no zombie.
pub(crate) fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.trim()).join("stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with(['Z', 'X']))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

type Shared = State<Arc<Known>>;

fn router(known: Arc<Known>) -> Router {
    Router::new()
        .route(
            "/agent/v1/order",
            post(|known: Shared| async move { Json(known.order.lock().unwrap().clone()) }),
        )
        .route("/agent/v1/results/{job}/{output}/{index}", get(result))
        .route("/agent/v1/package/{stage}", get(package_file))
        .route("/agent/v1/staged", post(staged))
        .route("/agent/v1/progress", post(progress))
        .route("/agent/v1/log", post(log))
        .route("/agent/v1/outputs/{output}/{index}", put(output).get(received).post(part))
        .route("/agent/v1/report", post(report))
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(Arc::clone(&known), gate))
        .with_state(known)
}

async fn gate(State(known): Shared, request: Request, next: Next) -> Response {
    known.calls.lock().unwrap().push(request.uri().path().to_owned());
    assert_eq!(header(&request, "rutter-agent-protocol"), "1");
    known.tokens.lock().unwrap().push(header(&request, "authorization"));
    if known.gone.load(Ordering::SeqCst) {
        return StatusCode::GONE.into_response();
    }
    let failing = known.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if failing.is_ok() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    next.run(request).await
}

fn header(request: &Request, name: &str) -> String {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

async fn result(
    State(known): Shared,
    Segments((job, output, index)): Segments<(String, String, usize)>,
) -> Response {
    let found = known.results.lock().unwrap().get(&format!("{job}/{output}/{index}")).cloned();
    found.map_or(StatusCode::BAD_REQUEST.into_response(), |bytes| Body::from(bytes).into_response())
}

async fn package_file(State(known): Shared, Segments(stage): Segments<usize>) -> Response {
    let found = known.package_files.lock().unwrap().get(&stage).cloned();
    let refusal =
        || (StatusCode::BAD_REQUEST, Json(json!({"type": "about:blank", "detail": "there is no such file"})));
    found.map_or_else(|| refusal().into_response(), |bytes| Body::from(bytes).into_response())
}

async fn staged(State(known): Shared, Json(staged): Json<Staged>) -> Json<Value> {
    known.staged.lock().unwrap().push(staged);
    Json(known.refusal.lock().unwrap().clone().unwrap_or(json!({"answer": "go"})))
}

async fn progress(State(known): Shared, Json(progress): Json<Progress>) -> StatusCode {
    known.progress.lock().unwrap().push(progress);
    StatusCode::NO_CONTENT
}

async fn log(
    State(known): Shared,
    Query(query): Query<BTreeMap<String, usize>>,
    bytes: Bytes,
) -> Json<Value> {
    let mut log = known.log.lock().unwrap();
    let step = known.log_step.load(Ordering::SeqCst);
    let offset = query["offset"];
    if offset <= log.len() {
        log.truncate(offset);
        let kept = if step == 0 { bytes.len() } else { step.min(bytes.len()) };
        log.extend_from_slice(&bytes[..kept]);
    }
    Json(json!({"offset": log.len()}))
}

async fn output(
    State(known): Shared,
    Segments((output, index)): Segments<(String, usize)>,
    bytes: Bytes,
) -> Json<Value> {
    let answer = json!({"size": bytes.len(), "sha256": hex(&bytes)});
    known.outputs.lock().unwrap().insert((output, index), bytes.to_vec());
    Json(answer)
}

fn so_far(known: &Known, key: &(String, usize)) -> Json<Value> {
    match known.outputs.lock().unwrap().get(key) {
        Some(whole) => Json(json!({"offset": whole.len(), "sha256": hex(whole)})),
        None => Json(json!({"offset": known.drafts.lock().unwrap().get(key).map_or(0, Vec::len)})),
    }
}

async fn received(State(known): Shared, Segments(key): Segments<(String, usize)>) -> Response {
    if known.knows_no_parts.load(Ordering::SeqCst) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    so_far(&known, &key).into_response()
}

async fn part(
    State(known): Shared,
    Segments(key): Segments<(String, usize)>,
    Query(query): Query<BTreeMap<String, usize>>,
    request: Request,
) -> Response {
    let (mut at, size) = (query["offset"], query["size"]);
    let mut pieces = request.into_body().into_data_stream();
    while let Some(piece) = pieces.next().await {
        // What came before the connection broke stays.
        let Ok(piece) = piece else { return StatusCode::BAD_REQUEST.into_response() };
        known.came.fetch_add(piece.len(), Ordering::SeqCst);
        let mut drafts = known.drafts.lock().unwrap();
        let draft = drafts.entry(key.clone()).or_default();
        let fresh = draft.len().checked_sub(at).and_then(|have| piece.get(have..)).unwrap_or_default();
        draft.extend_from_slice(fresh);
        at += piece.len();
    }
    let mut drafts = known.drafts.lock().unwrap();
    if drafts.get(&key).is_some_and(|draft| draft.len() == size) {
        let mut whole = drafts.remove(&key).unwrap();
        if known.keeps_wrong.load(Ordering::SeqCst) {
            whole[size / 2] ^= 1;
        }
        known.outputs.lock().unwrap().insert(key.clone(), whole);
    }
    drop(drafts);
    so_far(&known, &key).into_response()
}

async fn report(State(known): Shared, Json(report): Json<Report>) -> Json<Verdict> {
    let own = match &report.outcome {
        Outcome::Exited { code: 0 } => Verdict::Done,
        Outcome::Exited { code } => Verdict::Fail { exit: *code },
        Outcome::BadInput { .. } => Verdict::Fail { exit: 120 },
        Outcome::StagingFailed { .. } => Verdict::Retry { exit: 121 },
        _ => Verdict::Fail { exit: 1 },
    };
    known.reports.lock().unwrap().push(report);
    Json(known.verdict.lock().unwrap().unwrap_or(own))
}
