//! The reconciler: what is stored and what the executor has, brought together.
//!
//! It is the only one that moves a job on after submission. It takes no input but the store and what the executor
//! reports; signals only say where to look, so a restart, a lost signal and a missed event are all just another pass.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};

use crate::{
    clock::Clock,
    engine::{Engine, EngineError, Parts, Settings},
    executor::{Executor, ExecutorError, LaunchEnd, Observation, Waiting},
    failure,
    id::{InstanceId, JobId, LaunchName},
    job::{Job, State},
    logs::Logs,
    plan::Needs,
    process::Registry,
    results::Objects,
    store::{JobStore, StoreError},
};

/// How many jobs at the head of the queue the executor chooses from.
const HEAD: usize = 256;
/// How many launches and passes go on at the same time.
const AT_ONCE: usize = 32;
/// How often everything that may have been missed is looked at again.
const PERIOD: Duration = Duration::from_secs(5);
/// How long a published attempt may take to end by itself.
const LINGER: Duration = Duration::from_secs(10);

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A new job waits to be launched.
    Waits(JobId, Needs),
    /// Something happened to a job.
    Look(JobId),
}

/// What an engine is made of.
pub struct Ingredients {
    /// Identifier of this installation, from [`crate::archive::open`].
    pub instance: InstanceId,
    /// Keeps jobs.
    pub store: Arc<dyn JobStore>,
    /// Runs plans.
    pub executor: Arc<dyn Executor>,
    /// Keeps results.
    pub objects: Objects,
    /// Keeps logs.
    pub logs: Logs,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Knows the processes.
    pub registry: Arc<Registry>,
    /// What the configuration told.
    pub settings: Settings,
}

/// The reconciler of an engine; [`Reconciler::run`] it once.
#[derive(Debug)]
pub struct Reconciler {
    parts: Arc<Parts>,
    signals: mpsc::UnboundedReceiver<Signal>,
    waiting: BTreeMap<JobId, Waiting>,
    starting: JoinSet<Started>,
    retry: HashMap<JobId, Instant>,
    /// Jobs whose last pass failed, for example because the disk was full.
    again: BTreeSet<JobId>,
    /// Whether everything that the last server left was looked at.
    taken_up: bool,
}

/// What became of a start.
#[derive(Debug)]
enum Started {
    /// Launched, or not to be launched any more.
    Done,
    /// To be tried again.
    Again(JobId, Needs, LaunchName),
}

/// An engine and its reconciler.
pub fn assemble(ingredients: Ingredients) -> (Engine, Reconciler) {
    let (sender, signals) = mpsc::unbounded_channel();
    let parts = Arc::new(Parts {
        instance: ingredients.instance,
        store: ingredients.store,
        executor: ingredients.executor,
        objects: ingredients.objects,
        logs: ingredients.logs,
        clock: ingredients.clock,
        registry: ingredients.registry,
        settings: ingredients.settings,
        changes: crate::changes::Changes::default(),
        calls: tokio::sync::Notify::new(),
        leaving: crate::removal::Leaving::default(),
        signals: sender,
    });
    let reconciler = Reconciler {
        parts: parts.clone(),
        signals,
        waiting: BTreeMap::new(),
        starting: JoinSet::new(),
        retry: HashMap::new(),
        again: BTreeSet::new(),
        taken_up: false,
    };
    (Engine(parts), reconciler)
}

impl Reconciler {
    /// Work until `stop` turns true. What is running then goes on without us.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut changes = self.parts.executor.changes();
        let mut period = tokio::time::interval(PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.take_up().await;
        loop {
            self.start_admitted();
            tokio::select! {
                () = crate::told_to_stop(&mut stop) => return,
                Some(signal) = self.signals.recv() => self.take(signal).await,
                Some(name) = next(&mut changes) => self.pass(name.job).await,
                Some(started) = self.starting.join_next() => self.started(started),
                _ = period.tick() => self.look_around().await,
            }
        }
    }

    /// After a start: every unfinished job waits or is found again; launches whose jobs are over are ended.
    async fn take_up(&mut self) {
        self.taken_up = true;
        match self.parts.store.unfinished().await {
            Ok(unfinished) => {
                for (id, needs, launched) in unfinished {
                    if launched { self.pass(id).await } else { self.enqueue(id, 1, needs) }
                }
            }
            Err(error) => {
                self.taken_up = false;
                tracing::error!(%error, "could not read the unfinished jobs; trying again");
            }
        }
        match self.parts.executor.list().await {
            Ok(launches) => {
                for name in launches {
                    self.pass(name.job).await;
                }
            }
            Err(error) => {
                self.taken_up = false;
                tracing::error!(%error, "could not list what runs; trying again");
            }
        }
    }

    async fn take(&mut self, signal: Signal) {
        match signal {
            Signal::Waits(id, needs) => self.enqueue(id, 1, needs),
            Signal::Look(id) => self.pass(id).await,
        }
        // One round for many signals: the queue is looked at once.
        for _ in 0..HEAD {
            match self.signals.try_recv() {
                Ok(Signal::Waits(id, needs)) => self.enqueue(id, 1, needs),
                Ok(Signal::Look(id)) => self.pass(id).await,
                Err(_) => return,
            }
        }
    }

    /// What nobody signals: starts and passes to be tried again, and jobs that are over and not archived.
    async fn look_around(&mut self) {
        if !self.taken_up {
            self.take_up().await;
        }
        for id in std::mem::take(&mut self.again) {
            self.pass(id).await;
        }
        match self.parts.store.unarchived(HEAD).await {
            Ok(jobs) => {
                for id in jobs {
                    self.pass(id).await;
                }
            }
            Err(error) => tracing::error!(%error, "could not read the jobs to archive"),
        }
        let now = Instant::now();
        self.retry.retain(|_, due| *due > now);
    }

    fn enqueue(&mut self, job: JobId, launch: u32, needs: Needs) {
        self.waiting.insert(job, Waiting { name: LaunchName { job, launch }, needs });
    }

    /// Start what the executor has room for.
    fn start_admitted(&mut self) {
        if self.waiting.is_empty() || self.starting.len() >= AT_ONCE {
            return;
        }
        let head: Vec<Waiting> = self
            .waiting
            .values()
            .filter(|waiting| !self.retry.contains_key(&waiting.name.job))
            .take(HEAD)
            .copied()
            .collect();
        for name in self.parts.executor.admit(&head) {
            if let Some(waiting) = self.waiting.remove(&name.job) {
                let parts = self.parts.clone();
                self.starting.spawn(async move { start(&parts, waiting).await });
            }
        }
    }

    fn started(&mut self, started: Result<Started, tokio::task::JoinError>) {
        match started {
            Ok(Started::Done) => {}
            Ok(Started::Again(job, needs, name)) => {
                self.enqueue(job, name.launch, needs);
                self.retry.insert(job, Instant::now() + PERIOD);
            }
            Err(error) => tracing::error!(%error, "a start failed unexpectedly"),
        }
    }

    /// Bring one job together with its launch.
    async fn pass(&mut self, id: JobId) {
        let passed = self.try_pass(id).await;
        if passed.is_err() {
            self.again.insert(id);
        }
        match passed {
            Ok(()) => {}
            Err(PassError::Engine(error)) => {
                tracing::error!(job.id = %id, error = &error as &dyn std::error::Error, "a pass failed; it is repeated");
            }
            Err(PassError::Executor(error)) => {
                tracing::error!(job.id = %id, error = &error as &dyn std::error::Error, "the executor failed; the pass is repeated");
            }
        }
    }

    async fn try_pass(&mut self, id: JobId) -> Result<(), PassError> {
        let parts = self.parts.clone();
        let Some(job) = parts.store.get(id).await? else {
            self.waiting.remove(&id);
            return parts.end_orphans(id).await;
        };
        if job.status().is_terminal() {
            self.waiting.remove(&id);
            return parts.close(&job).await;
        }
        let Some(name) = job.launch_name() else { return Ok(()) };
        match parts.executor.observe(name).await? {
            Some(Observation::Pending { reason: Some(reason) }) => parts.waits_for(&job, &reason).await,
            Some(Observation::Pending { reason: None } | Observation::Running) => Ok(()),
            Some(Observation::Ended { end }) => parts.conclude(&job, &end).await,
            None if self.waiting.contains_key(&id) => Ok(()),
            None => {
                let needs = parts.store.plan(id).await?.map_or(Needs::default(), |plan| plan.needs);
                self.enqueue(id, name.launch, needs);
                Ok(())
            }
        }
    }
}

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
enum PassError {
    #[error(transparent)]
    Engine(EngineError),
    #[error(transparent)]
    Executor(#[from] ExecutorError),
}

impl<E: Into<EngineError>> From<E> for PassError {
    fn from(error: E) -> Self {
        Self::Engine(error.into())
    }
}

/// Launch a waiting job: order written, launch counted, executor told. Each step finds what an earlier try did.
async fn start(parts: &Parts, waiting: Waiting) -> Started {
    let name = waiting.name;
    match try_start(parts, name).await {
        Ok(true) => Started::Done,
        Ok(false) => {
            // Dismissed or removed while it waited: its room is free again.
            let _ = parts.executor.release(name).await;
            Started::Done
        }
        Err(PassError::Executor(ExecutorError::Impossible { reason })) => {
            let now = parts.clock.now();
            let problem = failure::cannot_start(&reason);
            let changed = parts.change(name.job, |job| job.failed(problem.clone(), now)).await;
            parts.signal(Signal::Look(name.job));
            let _ = parts.executor.release(name).await;
            match changed {
                Ok(_) => Started::Done,
                Err(_) => Started::Again(name.job, waiting.needs, name),
            }
        }
        Err(error) => {
            tracing::warn!(job.id = %name.job, error = &error as &dyn std::error::Error, "could not start; trying again");
            let _ = parts.executor.release(name).await;
            Started::Again(name.job, waiting.needs, name)
        }
    }
}

async fn try_start(parts: &Parts, name: LaunchName) -> Result<bool, PassError> {
    let Some(job) = parts.store.get(name.job).await? else { return Ok(false) };
    let Some(plan) = parts.store.plan(name.job).await? else { return Ok(false) };
    if job.status().is_terminal() {
        return Ok(false);
    }
    if job.launches < name.launch {
        let now = parts.clock.now();
        let launched = Arc::unwrap_or_clone(job).launched(now).map_err(|_| StoreError::Record {
            id: name.job.to_string(),
            source: serde::de::Error::custom("a waiting job that can't be launched"),
        })?;
        parts.write_order(&launched, &plan).await?;
        if !parts.store.replace(&launched, &[]).await? {
            // Somebody was faster. Dismissed: its room is free again. Launched by another start of the same launch (a
            // job is waited for twice when it comes while a server takes up its work): that one must not be released.
            let now = parts.store.get(name.job).await?;
            if now.is_none_or(|job| job.status().is_terminal() || job.launches < name.launch) {
                return Ok(false);
            }
        }
        parts.changes.tell(name.job);
    }
    parts.executor.launch(name, &plan).await?;
    Ok(true)
}

impl Parts {
    /// What a launch waits for, for whoever reads the status.
    async fn waits_for(&self, job: &Job, reason: &str) -> Result<(), PassError> {
        if job.message.as_deref() != Some(reason) {
            let now = self.clock.now();
            self.change(job.id, |job| job.progressed(None, Some(reason.to_owned()), now)).await?;
        }
        Ok(())
    }

    /// The launch ended and the job did not: it failed. A report that came before has said why.
    async fn conclude(&self, job: &Job, end: &LaunchEnd) -> Result<(), PassError> {
        let now = self.clock.now();
        let told = job.attempts.last().and_then(|attempt| attempt.exception.as_deref().cloned());
        let problem = told.unwrap_or_else(|| failure::exception_of_end(end));
        self.change(job.id, |job| {
            job.earlier_attempts_lost("", problem.clone(), now).failed(problem.clone(), now)
        })
        .await?;
        self.signal(Signal::Look(job.id));
        Ok(())
    }

    /// A job that is over: written whole, its log kept, its launch ended and forgotten.
    async fn close(&self, job: &Job) -> Result<(), PassError> {
        let ended = match job.launch_name() {
            None => true,
            Some(name) => match self.executor.observe(name).await? {
                None => true,
                Some(Observation::Ended { .. }) => true,
                Some(_) => {
                    if !self.ends_by_itself(job) {
                        self.executor.end(name, self.settings.grace).await?;
                    }
                    false
                }
            },
        };
        if !ended {
            return Ok(());
        }
        if !job.archived {
            self.archive(job).await?;
        }
        if let Some(name) = job.launch_name() {
            self.executor.release(name).await?;
        }
        Ok(())
    }

    /// A published attempt exits on its own once it has its verdict; killing it at once would be rude to its cleaning.
    fn ends_by_itself(&self, job: &Job) -> bool {
        let State::Successful { finished, .. } = job.state else { return false };
        let since = self.clock.now().duration_since(finished);
        since < jiff::SignedDuration::try_from(LINGER).unwrap_or_default()
    }

    /// Launches of a job that is not stored: ended, then forgotten.
    async fn end_orphans(&self, id: JobId) -> Result<(), PassError> {
        for name in self.executor.list().await?.into_iter().filter(|name| name.job == id) {
            match self.executor.observe(name).await? {
                Some(Observation::Ended { .. }) | None => self.executor.release(name).await?,
                Some(_) => self.executor.end(name, self.settings.grace).await?,
            }
        }
        Ok(())
    }
}

async fn next(changes: &mut Option<mpsc::UnboundedReceiver<LaunchName>>) -> Option<LaunchName> {
    match changes {
        Some(changes) => changes.recv().await,
        None => std::future::pending().await,
    }
}
