//! The engine: submit, find, list, wait, dismiss. What happens to a job between is the [reconciler](crate::reconcile)'s.

use std::{fmt, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use rutter_types::{ExecuteRequest, Fault};
use serde_json::Value;
use tokio::sync::{Notify, mpsc};

use crate::{
    agents::{Agents, Sent},
    changes::Changes,
    clock::Clock,
    executor::Executor,
    id::{CallerId, InstanceId, JobId},
    job::{Job, JobKey, Mode, State},
    logs::Logs,
    plan::{self, PlanDefaults},
    process::{Process, UnitKinds},
    reconcile::Signal,
    removal::Leaving,
    results::{ObjectError, Objects},
    store::{Inserted, JobFilter, JobPage, JobStore, Page, StoreError},
    transition::Changed,
    validate::{self, OwnResult},
};

/// What the engine is told by the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What plans take when a package is silent.
    pub plan: PlanDefaults,
    /// Which units the executor runs.
    pub units: UnitKinds,
    /// Time between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// How long finished jobs stay.
    pub keep: SignedDuration,
    /// How long an `Idempotency-Key` is known.
    pub keep_keys: SignedDuration,
    /// How long it is known that a job was removed.
    pub keep_tombstones: SignedDuration,
    /// Share of the disk (0 to 1) over which the oldest finished jobs go before their time.
    pub disk_share: f64,
}

impl Settings {
    /// Keys used before this time are not known any more.
    pub fn keys_from(&self, now: Timestamp) -> Timestamp {
        now.checked_sub(self.keep_keys).unwrap_or(Timestamp::MIN)
    }
}

/// All that the core works with.
pub struct Parts {
    pub(crate) instance: InstanceId,
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) objects: Objects,
    pub(crate) logs: Logs,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) registry: Arc<crate::process::Registry>,
    pub(crate) settings: Settings,
    pub(crate) changes: Changes,
    /// Wakes the callback dispatcher.
    pub(crate) calls: Notify,
    /// What attempts have sent.
    pub(crate) sent: Sent,
    /// Jobs that are being removed.
    pub(crate) leaving: Leaving,
    /// Wakes the reconciler.
    pub(crate) signals: mpsc::UnboundedSender<Signal>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("instance", &self.instance).finish_non_exhaustive()
    }
}

/// The engine; cloning it gives another handle to the same one.
#[derive(Clone, Debug)]
pub struct Engine(pub(crate) Arc<Parts>);

/// An execute request to be accepted.
pub struct Submission<'a> {
    /// The process.
    pub process: &'a Process,
    /// Id that the job must have; absent = a new one.
    pub id: Option<JobId>,
    /// The request.
    pub request: ExecuteRequest,
    /// The same as received; kept with the job, secrets masked.
    pub body: &'a Value,
    /// SHA-256 of the body's bytes, hexadecimal.
    pub body_digest: String,
    /// Who asks.
    pub caller: Option<CallerId>,
    /// Whether the caller will wait.
    pub mode: Mode,
    /// `Idempotency-Key`.
    pub key: Option<String>,
    /// Tells whether a URL is a result of this server.
    pub own_results: &'a (dyn Fn(&str) -> Option<OwnResult> + Send + Sync),
}

/// An accepted request.
#[derive(Clone, Debug, PartialEq)]
pub struct Submitted {
    /// Its job.
    pub job: Job,
    /// Whether the job was there already, under the same key.
    pub known: bool,
}

/// Why a request was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// It breaks the process description.
    #[error("the request has {} faults", .0.len())]
    Invalid(Vec<Fault>),
    /// No unit of the process can run here.
    #[error("{reason}")]
    NotRunnable {
        /// Why.
        reason: String,
    },
    /// The key was used for another request.
    #[error("the Idempotency-Key was used for another request body")]
    KeyReused,
    /// The id is not new. Whether it is another caller's is not told.
    #[error("the id of the job is taken")]
    IdTaken,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What there is under a job id.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// A job.
    Job(Arc<Job>),
    /// A job that was removed then.
    Gone(Timestamp),
    /// Nothing.
    Unknown,
}

/// What a dismissal did.
#[derive(Clone, Debug, PartialEq)]
pub enum Dismissed {
    /// The job was active and is ended.
    Ended(Arc<Job>),
    /// The job was over: its record and results are removed.
    Removed(Arc<Job>),
    /// It was removed before.
    Gone,
    /// There is no such job.
    Unknown,
}

/// Why the engine could not do something.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object store failed.
    #[error(transparent)]
    Objects(#[from] ObjectError),
    /// The logs failed.
    #[error(transparent)]
    Logs(#[from] crate::logs::LogError),
}

impl Engine {
    /// Validate, plan, store; then the reconciler is woken. `Ok` = the job is durable (invariant 1).
    pub async fn submit(&self, submission: Submission<'_>) -> Result<Submitted, SubmitError> {
        let parts = &self.0;
        let process = submission.process;
        let unit = process.unit_for(parts.settings.units).ok_or_else(|| SubmitError::NotRunnable {
            reason: parts.registry.why_not_runnable(process).unwrap_or_default(),
        })?;
        let context = validate::Context { own_results: submission.own_results };
        let valid =
            validate::validate(process, &submission.request, &context).map_err(SubmitError::Invalid)?;
        self.check_own_results(&valid, submission.caller.as_ref()).await?;
        let plan = plan::plan(process, unit, &valid, &parts.settings.plan);
        if let Some(over) = plan.inputs_too_long() {
            let detail = format!(
                "are {over} bytes longer than the environment variable in which this program looks for them can be: send less, or a link"
            );
            return Err(SubmitError::Invalid(vec![Fault::new("/inputs", detail)]));
        }
        let job = new_job(&submission, valid.shape, parts.clock.now());
        loop {
            match parts.store.insert(&job, &plan).await? {
                Inserted::New => {
                    tracing::info!(job.id = %job.id, job.process = %job.process, "job is accepted");
                    parts.signal(Signal::Waits(job.id, plan.needs));
                    return Ok(Submitted { job, known: false });
                }
                Inserted::Taken => return Err(SubmitError::IdTaken),
                Inserted::Known { body_digest, .. } if body_digest != submission.body_digest => {
                    return Err(SubmitError::KeyReused);
                }
                // One that was removed in between took its key with it: the next round inserts.
                Inserted::Known { id, .. } => {
                    if let Some(job) = parts.store.get(id).await? {
                        return Ok(Submitted { job: Arc::unwrap_or_clone(job), known: true });
                    }
                }
            }
        }
    }

    /// A result of this server may be an input of those who may see its job; others learn nothing of it.
    async fn check_own_results(
        &self,
        valid: &validate::Valid,
        caller: Option<&CallerId>,
    ) -> Result<(), SubmitError> {
        let mut faults = Vec::new();
        for (pointer, wanted) in valid.own_results() {
            let job = self.job(wanted.job).await?;
            let value =
                job.filter(|job| job.owner.as_ref() == caller || job.owner.is_none()).and_then(|job| {
                    match &job.state {
                        State::Successful { results, .. } => {
                            results.get(wanted.output.as_str())?.get(wanted.index).cloned()
                        }
                        _ => None,
                    }
                });
            if value.is_none() {
                faults
                    .push(Fault::new(pointer, "there is no such result here: name one of a successful job"));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(SubmitError::Invalid(faults)) }
    }

    /// What there is under an id.
    pub async fn find(&self, id: JobId) -> Result<Found, StoreError> {
        if let Some(since) = self.0.leaving.since(id) {
            return Ok(Found::Gone(since));
        }
        if let Some(job) = self.0.store.get(id).await? {
            return Ok(Found::Job(job));
        }
        Ok(self.0.store.gone(id).await?.map_or(Found::Unknown, Found::Gone))
    }

    async fn job(&self, id: JobId) -> Result<Option<Arc<Job>>, StoreError> {
        match self.find(id).await? {
            Found::Job(job) => Ok(Some(job)),
            Found::Gone(_) | Found::Unknown => Ok(None),
        }
    }

    /// A page of jobs, newest first.
    pub async fn list(&self, filter: &JobFilter, page: Page) -> Result<JobPage, StoreError> {
        let mut found = self.0.store.list(filter, page).await?;
        found.jobs.retain(|job| self.0.leaving.since(job.id).is_none());
        Ok(found)
    }

    /// Wait until a job is over, at most so long; then give it as it is. `None` = there is no such job.
    pub async fn wait(&self, id: JobId, limit: Duration) -> Result<Option<Arc<Job>>, StoreError> {
        let mut subscription = self.0.changes.subscribe(id);
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let job = self.job(id).await?;
            if job.as_ref().is_none_or(|job| job.status().is_terminal()) {
                return Ok(job);
            }
            if tokio::time::timeout_at(deadline, subscription.changed()).await.is_err() {
                return self.job(id).await;
            }
        }
    }

    /// End an active job, remove one that is over (Part 1, class `dismiss`).
    pub async fn dismiss(&self, id: JobId) -> Result<Dismissed, EngineError> {
        let now = self.0.clock.now();
        match self.0.change(id, |job| job.dismissed(now)).await? {
            Changed::Done(job) => {
                // What was answered must outlive the database. Where there is no room, the next pass writes it.
                let _ = self.0.write_final(&job).await;
                self.0.signal(Signal::Look(id));
                Ok(Dismissed::Ended(job))
            }
            Changed::Refused(job) if self.0.remove(id).await? => Ok(Dismissed::Removed(job)),
            Changed::Refused(_) | Changed::Missing => match self.find(id).await? {
                Found::Gone(_) => Ok(Dismissed::Gone),
                _ => Ok(Dismissed::Unknown),
            },
        }
    }

    /// Finish what the last server had begun to remove. To be done before anybody is shown a job.
    pub async fn take_up_removals(&self) -> Result<(), EngineError> {
        self.0.take_up_removals().await
    }

    /// When a job that is over will be removed; the disk may ask for it sooner.
    pub fn expires(&self, job: &Job) -> Option<Timestamp> {
        job.finished()?.checked_add(self.0.settings.keep).ok()
    }

    /// What agents ask.
    pub fn agents(&self) -> Agents {
        Agents(self.0.clone())
    }

    /// Signals of change.
    pub fn changes(&self) -> &Changes {
        &self.0.changes
    }

    /// Told whenever callbacks were queued.
    pub fn calls(&self) -> &Notify {
        &self.0.calls
    }

    /// Logs.
    pub fn logs(&self) -> &Logs {
        &self.0.logs
    }

    /// Objects.
    pub fn objects(&self) -> &Objects {
        &self.0.objects
    }

    /// The store, for what only reads it or keeps the outbox.
    pub fn store(&self) -> &dyn JobStore {
        self.0.store.as_ref()
    }

    /// The clock.
    pub fn clock(&self) -> &dyn Clock {
        self.0.clock.as_ref()
    }

    /// What the configuration told.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Identifier of this installation.
    pub fn instance(&self) -> InstanceId {
        self.0.instance
    }
}

impl Parts {
    pub(crate) fn signal(&self, signal: Signal) {
        // The reconciler is gone only while the server ends; the next start looks at every unfinished job.
        let _ = self.signals.send(signal);
    }
}

fn new_job(submission: &Submission<'_>, shape: crate::job::ResponseShape, now: Timestamp) -> Job {
    let process = submission.process;
    Job {
        id: submission.id.unwrap_or_else(JobId::generate),
        process: process.id.clone(),
        process_version: process.description.summary.version.clone(),
        owner: submission.caller.clone(),
        mode: submission.mode,
        shape,
        request: validate::mask(process, submission.body),
        subscriber: submission.request.subscriber.clone(),
        key: submission.key.clone().map(|key| JobKey { key, body_digest: submission.body_digest.clone() }),
        created: now,
        updated: now,
        progress: None,
        message: None,
        launches: 0,
        attempts: Vec::new(),
        state: State::Accepted,
        archived: false,
        revision: 0,
    }
}
