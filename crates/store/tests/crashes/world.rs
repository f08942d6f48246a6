//! An installation in memory whose server can die and come back; a test speaks for the agents.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use rutter_core::{
    agents::AgentError,
    archive,
    clock::{Clock, ManualClock},
    engine::{Engine, Found, Submission, SubmitError, Submitted},
    executor::{AttemptName, Executor, ExecutorError, LaunchEnd, Observation, Waiting},
    id::{JobId, LaunchName},
    job::{Job, Mode, State},
    logs::Logs,
    plan::Plan,
    process::{
        UnitKind,
        registry::{Registry, Runs},
    },
    reconcile::{self, Ingredients},
    results::{Objects, hex},
};
use rutter_store::conformance::{at, settings};
use rutter_types::{
    ExecuteRequest,
    agent::{Outcome, OutputFile, Report, Usage, Verdict},
};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, watch};

use crate::fault::{FaultyObjects, FaultyStore, Switch};

const PACKAGE: &str = "
processDescription:
  process:
    id: make
    version: 1.0.0
    outputs:
      data: {schema: {type: string, contentEncoding: binary, contentMediaType: application/octet-stream}}
      word: {schema: {type: string}}
executionUnit: {type: command, command: [make]}
";
pub(crate) const LOG: &[u8] = b"2027-01-15T08:00:00.000000Z out made\n";
pub(crate) const DATA: &[u8] = b"a value that was uploaded";

/// What outlives a server.
pub(crate) struct World {
    pub(crate) switch: Switch,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) objects: Objects,
    pub(crate) executor: Arc<FakeExecutor>,
    pub(crate) clock: Arc<ManualClock>,
    registry: Arc<Registry>,
    folder: tempfile::TempDir,
}

/// A server that runs.
pub(crate) struct Server {
    pub(crate) engine: Engine,
    registry: Arc<Registry>,
    reconciler: tokio::task::JoinHandle<()>,
    _stop: watch::Sender<bool>,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let packages = folder.path().join("processes");
        fs::create_dir(&packages).unwrap();
        fs::create_dir(folder.path().join("logs")).unwrap();
        fs::write(packages.join("make.yaml"), PACKAGE).unwrap();
        let runs = Runs::new(UnitKind::Command, "local");
        let switch = Switch::default();
        Self {
            store: Arc::new(FaultyStore::empty(switch.clone())),
            objects: Objects::new(Arc::new(FaultyObjects::empty(switch.clone()))),
            executor: Arc::default(),
            clock: Arc::new(ManualClock::at(at(0))),
            registry: Arc::new(Registry::load(vec![packages], runs)),
            switch,
            folder,
        }
    }

    pub(crate) async fn start(&self) -> Server {
        self.switch.revive();
        let settings = settings();
        let keys_from = settings.keys_from(self.clock.now());
        let instance = archive::open(self.store.as_ref(), &self.objects, keys_from).await.unwrap();
        let (engine, reconciler) = reconcile::assemble(Ingredients {
            instance,
            store: self.store.clone(),
            executor: self.executor.clone(),
            objects: self.objects.clone(),
            logs: Logs::new(&self.folder.path().join("logs"), self.objects.clone()),
            clock: self.clock.clone(),
            registry: self.registry.clone(),
            settings,
        });
        engine.take_up_removals().await.unwrap();
        let (stop, stopped) = watch::channel(false);
        let registry = self.registry.clone();
        Server { engine, registry, reconciler: tokio::spawn(reconciler.run(stopped)), _stop: stop }
    }

    /// The server is killed and started again.
    pub(crate) async fn restart(&self, server: Server) -> Server {
        server.kill().await;
        self.start().await
    }

    /// The server is killed, the database is deleted, and it is started again.
    pub(crate) async fn restart_without_store(&mut self, server: Server) -> Server {
        server.kill().await;
        self.store = Arc::new(FaultyStore::empty(self.switch.clone()));
        self.start().await
    }

    /// Objects that are kept for a job, and its mark.
    pub(crate) async fn kept(&self, id: JobId) -> Vec<String> {
        let files = self.objects.list(&format!("jobs/{id}")).await.unwrap();
        let marks = self.objects.names().await.unwrap();
        let mark = marks.into_iter().filter(|name| name.ends_with(&id.to_string()));
        files.into_iter().map(|(key, _)| key).chain(mark).collect()
    }
}

impl Server {
    async fn kill(self) {
        self.reconciler.abort();
        let _ = self.reconciler.await;
    }

    pub(crate) async fn submit(&self, key: Option<&str>) -> Result<Submitted, SubmitError> {
        let process = self.registry.snapshot().get("make").unwrap().clone();
        let body = json!({});
        self.engine
            .submit(Submission {
                id: None,
                process: &process,
                request: ExecuteRequest::default(),
                body: &body,
                body_digest: "d".into(),
                caller: None,
                mode: Mode::Async,
                key: key.map(str::to_owned),
                own_results: &|_| None,
            })
            .await
    }

    /// A job that made its outputs and is archived.
    pub(crate) async fn done(&self, world: &World) -> JobId {
        let id = self.submit(None).await.unwrap().job.id;
        let attempt = world.launched(id).await;
        assert_eq!(self.succeed(world, &attempt).await.unwrap(), Verdict::Done);
        eventually(async || self.job(id).await.is_some_and(|job| job.archived)).await;
        id
    }

    pub(crate) async fn succeed(&self, world: &World, attempt: &AttemptName) -> Result<Verdict, AgentError> {
        let agents = self.engine.agents();
        agents.order(attempt).await?;
        agents.log(attempt, 0, Bytes::from_static(LOG)).await?;
        let body = stream::iter([Ok(Bytes::from_static(DATA))]).boxed();
        agents.upload(attempt, "data", 0, body).await?;
        let file = |output: &str, bytes: &[u8], inline: Option<String>| OutputFile {
            output: output.into(),
            index: 0,
            name: output.into(),
            media_type: None,
            size: bytes.len() as u64,
            sha256: hex(&Sha256::digest(bytes)),
            inline,
        };
        let outputs = vec![file("data", DATA, None), file("word", b"made", Some(STANDARD.encode(b"made")))];
        let verdict = agents.report(attempt, report(Outcome::Exited { code: 0 }, outputs)).await?;
        world.executor.over(attempt.launch);
        Ok(verdict)
    }

    pub(crate) async fn fail(&self, world: &World, attempt: &AttemptName) -> Result<Verdict, AgentError> {
        let agents = self.engine.agents();
        agents.order(attempt).await?;
        let verdict = agents.report(attempt, report(Outcome::Exited { code: 3 }, Vec::new())).await?;
        world.executor.over(attempt.launch);
        Ok(verdict)
    }

    pub(crate) async fn job(&self, id: JobId) -> Option<Job> {
        match self.engine.find(id).await.unwrap() {
            Found::Job(job) => Some(Arc::unwrap_or_clone(job)),
            Found::Gone(_) | Found::Unknown => None,
        }
    }

    /// Whether a job is shown, or known to be gone. One that is shown as successful has its results, whole.
    pub(crate) async fn shown(&self, id: JobId) -> Shown {
        let job = match self.engine.find(id).await.unwrap() {
            Found::Job(job) => job,
            Found::Gone(_) => return Shown::Gone,
            Found::Unknown => return Shown::Unknown,
        };
        if let State::Successful { results, .. } = &job.state {
            let values: Vec<_> = results.values().flatten().collect();
            assert_eq!(values.len(), 2, "{job:?}");
            for value in values {
                let bytes = self.engine.objects().read_value(value, 1_000).await.unwrap();
                assert_eq!(hex(&Sha256::digest(&bytes)), value.sha256);
            }
            let log = self.engine.logs().read(&job, 0, 1_000).await.unwrap();
            assert_eq!(log, LOG);
        }
        Shown::Job(job)
    }
}

#[derive(Debug, PartialEq)]
pub(crate) enum Shown {
    Job(Arc<Job>),
    Gone,
    Unknown,
}

impl World {
    /// The attempt of a job, once it is launched.
    pub(crate) async fn launched(&self, id: JobId) -> AttemptName {
        let launch = LaunchName { job: id, launch: 1 };
        eventually(async || self.executor.is_there(launch)).await;
        AttemptName { launch, uid: "1".into() }
    }
}

fn report(outcome: Outcome, outputs: Vec<OutputFile>) -> Report {
    let usage = Usage { cpu_seconds: 0.0, peak_memory_bytes: 1, staging_seconds: 0.0, command_seconds: 0.0 };
    Report { outcome, usage, outputs, reason: None, log_bytes: LOG.len() as u64 }
}

/// Wait for something that comes in any case.
pub(crate) async fn eventually(mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it comes");
}

/// Remembers what was launched and runs nothing. It outlives servers, as agents do.
#[derive(Debug, Default)]
pub(crate) struct FakeExecutor {
    launches: Mutex<BTreeMap<LaunchName, Observation>>,
    /// Every launch that there ever was.
    pub(crate) begun: Mutex<Vec<LaunchName>>,
    changes: Mutex<Option<mpsc::UnboundedSender<LaunchName>>>,
}

impl FakeExecutor {
    pub(crate) fn is_there(&self, launch: LaunchName) -> bool {
        self.launches.lock().unwrap().contains_key(&launch)
    }

    pub(crate) fn was_begun(&self, id: JobId) -> bool {
        self.begun.lock().unwrap().iter().any(|launch| launch.job == id)
    }

    pub(crate) fn assert_nothing_ran_twice(&self) {
        let mut begun = self.begun.lock().unwrap().clone();
        let all = begun.len();
        begun.sort();
        begun.dedup();
        assert_eq!(begun.len(), all, "a launch began twice");
    }

    /// The agent of a launch has ended.
    pub(crate) fn over(&self, launch: LaunchName) {
        match self.launches.lock().unwrap().get_mut(&launch) {
            Some(observed) => *observed = Observation::Ended { end: LaunchEnd::Exited { code: 0 } },
            None => return,
        }
        if let Some(changes) = &*self.changes.lock().unwrap() {
            // Nobody listens between two servers.
            let _ = changes.send(launch);
        }
    }
}

#[async_trait]
impl Executor for FakeExecutor {
    fn admit(&self, waiting: &[Waiting]) -> Vec<LaunchName> {
        waiting.iter().map(|waiting| waiting.name).collect()
    }

    async fn launch(&self, name: LaunchName, _: &Plan) -> Result<(), ExecutorError> {
        let mut launches = self.launches.lock().unwrap();
        launches.entry(name).or_insert_with(|| {
            self.begun.lock().unwrap().push(name);
            Observation::Running
        });
        Ok(())
    }

    async fn end(&self, name: LaunchName, _: Duration) -> Result<(), ExecutorError> {
        self.over(name);
        Ok(())
    }

    async fn observe(&self, name: LaunchName) -> Result<Option<Observation>, ExecutorError> {
        Ok(self.launches.lock().unwrap().get(&name).cloned())
    }

    async fn list(&self) -> Result<Vec<LaunchName>, ExecutorError> {
        Ok(self.launches.lock().unwrap().keys().copied().collect())
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

    async fn identify(&self, _: &str) -> Result<Option<AttemptName>, ExecutorError> {
        Ok(None)
    }
}
