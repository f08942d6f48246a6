//! A whole server in memory, asked without a socket.

#![allow(dead_code, reason = "each test target uses its own part")]

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use rutter_core::{
    clock::SystemClock,
    engine::Settings,
    executor::{
        AloneAttempt, AloneEnd, AttemptName, Executor, ExecutorError, LaunchEnd, Observation, Printed,
        PrintedLine, Waiting,
    },
    id::{InstanceId, LaunchName},
    logs::Logs,
    plan::Plan,
    process::{
        UnitKind, UnitKinds,
        registry::{Registry, Runs},
    },
    reconcile::{self, Ingredients},
    results::Objects,
    store::JobStore,
};
use rutter_server::{App, AppState, ServerConfig};
use rutter_store::{MemoryStore, conformance::settings};
use serde_json::Value;
use tokio::sync::{mpsc, watch};

/// A browser's `Accept`.
pub(crate) const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

/// Every kind of `Accept` that clients send.
pub(crate) const ACCEPTS: [Option<&str>; 7] = [
    None,
    Some("*/*"),
    Some(BROWSER),
    Some("application/json"),
    Some("text/html"),
    Some("image/tiff"),
    Some("nonsense"),
];

/// A server in memory with the shipped processes, and an executor that runs nothing.
pub(crate) struct Server {
    pub(crate) app: App,
    pub(crate) state: AppState,
    pub(crate) executor: Arc<FakeExecutor>,
    pub(crate) folder: tempfile::TempDir,
    _stop: watch::Sender<bool>,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Server {
    /// With the shipped processes and the default configuration.
    pub(crate) async fn start() -> Self {
        Self::with(ServerConfig::default()).await
    }

    pub(crate) async fn with(config: ServerConfig) -> Self {
        Self::of(config, vec![shipped()]).await
    }

    /// With packages from these folders.
    pub(crate) async fn of(config: ServerConfig, packages: Vec<PathBuf>) -> Self {
        Self::running(UnitKind::Command.into(), config, packages).await
    }

    /// The same for these units.
    pub(crate) async fn running(kinds: UnitKinds, config: ServerConfig, packages: Vec<PathBuf>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["objects", "logs"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let objects = Objects::in_folder(&folder.path().join("objects")).unwrap();
        let store = Arc::new(MemoryStore::default());
        let instance = InstanceId::generate();
        store.set_instance(instance).await.unwrap();
        let executor = Arc::new(FakeExecutor::default());
        let runs = Runs::new(kinds, "local");
        let registry = Arc::new(Registry::load(packages, runs));
        let (engine, reconciler) = reconcile::assemble(Ingredients {
            instance,
            store,
            executor: executor.clone(),
            objects: objects.clone(),
            logs: Logs::new(&folder.path().join("logs"), objects),
            clock: Arc::new(SystemClock),
            registry: registry.clone(),
            settings: Settings { units: kinds, ..settings() },
        });
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(reconciler.run(stopped));
        let state = AppState::new(engine, registry, config);
        Self { app: App::new(state.clone()), state, executor, folder, _stop: stop }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        Answer::read(self.app.answer(request).await).await
    }

    /// GET with headers.
    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(request(Method::GET, path, headers, Body::empty())).await
    }

    /// GET as JSON.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path, &[("accept", "application/json")]).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        answer.json()
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend(headers);
        self.send(request(Method::POST, path, &all, Body::from(body.to_string()))).await
    }
}

impl Answer {
    pub(crate) async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Self { status: parts.status, headers: parts.headers, bytes }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) fn request(method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "127.0.0.1:8080");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

/// The processes that Rutter ships.
pub(crate) fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../processes")
}

/// Remembers what was launched and runs nothing: a test speaks for the agents, with `LAUNCH#UID` as their token.
#[derive(Debug, Default)]
pub(crate) struct FakeExecutor {
    launches: Mutex<BTreeMap<LaunchName, Observation>>,
    changes: Mutex<Option<mpsc::UnboundedSender<LaunchName>>>,
    alone: Mutex<BTreeMap<LaunchName, AloneAttempt>>,
    /// What reading a program without an agent gives, one after the other.
    prints: Mutex<VecDeque<Print>>,
}

/// What comes of reading what a program prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Print {
    /// Nothing can be read.
    Fails,
    /// These lines, and no end.
    Hangs(&'static [&'static str]),
    /// These lines and the end.
    Ends(&'static [&'static str]),
}

impl FakeExecutor {
    /// What was launched so far.
    pub(crate) fn launched(&self) -> Vec<LaunchName> {
        self.launches.lock().unwrap().keys().copied().collect()
    }

    /// The token of the first attempt of a launch.
    pub(crate) fn token(launch: LaunchName) -> String {
        format!("{launch}#1")
    }

    /// Let what is launched from now on run without an agent, and be read so.
    pub(crate) fn run_alone(&self, prints: &[Print]) {
        self.prints.lock().unwrap().extend(prints);
    }

    /// How often what is printed will still be read as told.
    pub(crate) fn prints_left(&self) -> usize {
        self.prints.lock().unwrap().len()
    }

    /// The program of a launch without an agent has ended well.
    pub(crate) fn alone_ended(&self, launch: LaunchName) {
        let end = AloneEnd { end: LaunchEnd::Exited { code: 0 }, message: None };
        self.alone.lock().unwrap().insert(launch, AloneAttempt { uid: "1".into(), end: Some(end) });
        self.tell(launch);
    }

    fn tell(&self, launch: LaunchName) {
        if let Some(changes) = &*self.changes.lock().unwrap() {
            changes.send(launch).unwrap();
        }
    }

    /// The agent of a launch is gone.
    pub(crate) fn over(&self, launch: LaunchName, end: LaunchEnd) {
        self.launches.lock().unwrap().insert(launch, Observation::Ended { end });
        self.tell(launch);
    }
}

#[async_trait]
impl Executor for FakeExecutor {
    fn admit(&self, waiting: &[Waiting]) -> Vec<LaunchName> {
        waiting.iter().map(|waiting| waiting.name).collect()
    }

    async fn launch(&self, name: LaunchName, _: &Plan) -> Result<(), ExecutorError> {
        self.launches.lock().unwrap().entry(name).or_insert(Observation::Running);
        if !self.prints.lock().unwrap().is_empty() {
            self.alone.lock().unwrap().insert(name, AloneAttempt { uid: "1".into(), end: None });
            self.tell(name);
        }
        Ok(())
    }

    async fn end(&self, name: LaunchName, _: Duration) -> Result<(), ExecutorError> {
        if self.launches.lock().unwrap().contains_key(&name) {
            self.over(name, LaunchEnd::Exited { code: 143 });
        }
        Ok(())
    }

    async fn observe(&self, name: LaunchName) -> Result<Option<Observation>, ExecutorError> {
        Ok(self.launches.lock().unwrap().get(&name).cloned())
    }

    async fn list(&self) -> Result<Vec<LaunchName>, ExecutorError> {
        Ok(self.launched())
    }

    async fn release(&self, name: LaunchName) -> Result<(), ExecutorError> {
        self.launches.lock().unwrap().remove(&name);
        Ok(())
    }

    fn changes(&self) -> Option<mpsc::UnboundedReceiver<LaunchName>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.changes.lock().unwrap() = Some(sender);
        Some(receiver)
    }

    fn alone(&self, name: LaunchName) -> Vec<AloneAttempt> {
        self.alone.lock().unwrap().get(&name).cloned().into_iter().collect()
    }

    async fn printed(&self, _: &AttemptName) -> Result<Printed, ExecutorError> {
        let print = self.prints.lock().unwrap().pop_front().unwrap_or(Print::Fails);
        let line = |text: &&str| {
            Ok(PrintedLine {
                time: "2026-11-28T10:00:00Z".parse().unwrap(),
                text: text.to_string().into(),
                goes_on: false,
            })
        };
        match print {
            Print::Fails => Err(ExecutorError::NotYet { reason: "nothing to read".into() }),
            Print::Hangs(lines) => Ok(stream::iter(lines.iter().map(line)).chain(stream::pending()).boxed()),
            Print::Ends(lines) => Ok(stream::iter(lines.iter().map(line)).boxed()),
        }
    }

    async fn identify(&self, token: &str) -> Result<Option<AttemptName>, ExecutorError> {
        let Some((launch, uid)) = token.split_once('#') else { return Ok(None) };
        let Ok(launch) = launch.parse() else { return Ok(None) };
        Ok(Some(AttemptName { launch, uid: uid.into() }))
    }
}
