//! The reconciler: what is stored and what the executor has, brought together.
//!
//! It is the only one that moves a job on after submission. It takes no input but the store and what the executor
//! reports; signals only say where to look, so a restart, a lost signal and a missed event are all just another pass.

mod adopt;
mod pass;
mod start;
mod turns;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};

use self::{
    pass::{PassError, Passed},
    start::{Started, start},
    turns::Turns,
};
use crate::{
    alone,
    clock::Clock,
    engine::{Engine, Parts, Settings},
    executor::{AttemptName, Executor, Waiting},
    id::{InstanceId, JobId, LaunchName},
    logs::Logs,
    plan::Needs,
    process::Registry,
    results::Objects,
    store::JobStore,
};

/// How many jobs at the head of the queue the executor chooses from.
const HEAD: usize = 256;
/// How many launches go on at the same time: more than an executor makes at once, so that it never waits for the store.
const LAUNCHES: usize = 64;
/// How many looks at jobs go on at the same time.
const AT_ONCE: usize = 32;
/// How often everything that may have been missed is looked at again.
const PERIOD: Duration = Duration::from_secs(5);

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A new job waits to be launched.
    Waits(JobId, Needs),
    /// Something happened to a job.
    Look(JobId),
    /// The executor may have room for another launch.
    Room,
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
    turns: Turns,
    passing: JoinSet<(JobId, Looked)>,
    retry: HashMap<JobId, Instant>,
    /// Jobs whose last pass failed, for example because the disk was full.
    again: BTreeSet<JobId>,
    /// Whether everything that the last server left was looked at.
    taken_up: bool,
    /// Attempts without an agent that are followed.
    followed: HashSet<AttemptName>,
    following: JoinSet<AttemptName>,
}

/// What a look at a job gave; `None` = it panicked.
type Looked = Option<Result<Passed, PassError>>;

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
        sent: crate::agents::Sent::default(),
        leaving: crate::removal::Leaving::default(),
        signals: sender,
    });
    let reconciler = Reconciler {
        parts: parts.clone(),
        signals,
        waiting: BTreeMap::new(),
        starting: JoinSet::new(),
        turns: Turns::default(),
        passing: JoinSet::new(),
        retry: HashMap::new(),
        again: BTreeSet::new(),
        taken_up: false,
        followed: HashSet::new(),
        following: JoinSet::new(),
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
            self.start_passes();
            tokio::select! {
                () = crate::told_to_stop(&mut stop) => return,
                Some(signal) = self.signals.recv() => self.take(signal),
                Some(name) = next(&mut changes) => self.turns.ask(name.job),
                Some(started) = self.starting.join_next() => self.started(started),
                Some(Ok((id, looked))) = self.passing.join_next() => self.looked(id, looked),
                Some(Ok(attempt)) = self.following.join_next() => {
                    self.followed.remove(&attempt);
                    self.turns.ask(attempt.launch.job);
                }
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
                    if launched { self.turns.ask(id) } else { self.enqueue(id, 1, needs) }
                }
            }
            Err(error) => {
                self.taken_up = false;
                tracing::error!(%error, "could not read the unfinished jobs; trying again");
            }
        }
        match self.parts.logs.spooled().await {
            Ok(jobs) => jobs.into_iter().for_each(|id| self.turns.ask(id)),
            Err(error) => {
                self.taken_up = false;
                tracing::error!(%error, "could not list the spooled logs; trying again");
            }
        }
        match self.parts.executor.list().await {
            Ok(launches) => {
                launches.into_iter().for_each(|name| self.turns.ask(name.job));
            }
            Err(error) => {
                self.taken_up = false;
                tracing::error!(%error, "could not list what runs; trying again");
            }
        }
    }

    fn take(&mut self, signal: Signal) {
        self.heed(signal);
        // One round for many signals: the queue is looked at once.
        for _ in 0..HEAD {
            let Ok(signal) = self.signals.try_recv() else { return };
            self.heed(signal);
        }
    }

    fn heed(&mut self, signal: Signal) {
        match signal {
            Signal::Waits(id, needs) => self.enqueue(id, 1, needs),
            Signal::Look(id) => self.turns.ask(id),
            // The queue is looked at after every signal.
            Signal::Room => {}
        }
    }

    /// What nobody signals: starts and passes to be tried again, and jobs that are over and not archived.
    async fn look_around(&mut self) {
        if !self.taken_up {
            self.take_up().await;
        }
        for id in std::mem::take(&mut self.again) {
            self.turns.ask(id);
        }
        match self.parts.store.unarchived(HEAD).await {
            Ok(jobs) => {
                jobs.into_iter().for_each(|id| self.turns.ask(id));
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
        if self.waiting.is_empty() || self.starting.len() >= LAUNCHES {
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

    /// Look at those whose turn it is, side by side: a look may have to wait for the disk, or for a cluster.
    fn start_passes(&mut self) {
        while let Some(id) = self.turns.begin(AT_ONCE) {
            let parts = self.parts.clone();
            // A panic must not keep the job from its next turn.
            let look = async move { AssertUnwindSafe(parts.pass(id)).catch_unwind().await.ok() };
            self.passing.spawn(async move { (id, look.await) });
        }
    }

    /// As long as its program runs, and until it is reported.
    fn follow(&mut self, attempt: AttemptName) {
        if self.followed.insert(attempt.clone()) {
            let parts = self.parts.clone();
            self.following.spawn(async move {
                if AssertUnwindSafe(alone::follow(parts, attempt.clone())).catch_unwind().await.is_err() {
                    // The next pass follows it again.
                    tokio::time::sleep(PERIOD).await;
                }
                attempt
            });
        }
    }

    fn looked(&mut self, id: JobId, looked: Looked) {
        self.turns.end(id);
        match looked {
            Some(Ok(Passed::AsItWas)) => {}
            Some(Ok(Passed::Over)) => {
                self.waiting.remove(&id);
            }
            Some(Ok(Passed::ToLaunch(launch, needs))) => {
                self.waiting.entry(id).or_insert(Waiting { name: LaunchName { job: id, launch }, needs });
            }
            Some(Ok(Passed::ToFollow(attempt))) => self.follow(attempt),
            Some(Err(error)) => {
                self.again.insert(id);
                let cause: &dyn std::error::Error = &error;
                if error.is_told() {
                    tracing::debug!(job.id = %id, error = cause, "a pass failed; it is repeated");
                } else {
                    tracing::error!(job.id = %id, error = cause, "a pass failed; it is repeated");
                }
            }
            None => {
                self.again.insert(id);
                tracing::error!(job.id = %id, "a pass panicked; it is repeated");
            }
        }
    }
}

async fn next(changes: &mut Option<mpsc::UnboundedReceiver<LaunchName>>) -> Option<LaunchName> {
    match changes {
        Some(changes) => changes.recv().await,
        None => std::future::pending().await,
    }
}
