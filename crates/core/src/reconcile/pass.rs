//! One look at one job: what is stored, and what the executor has of it, brought together.

use std::{sync::Once, time::Duration};

use super::Signal;
use crate::{
    archive,
    engine::{EngineError, Parts},
    executor::{AttemptName, ExecutorError, LaunchEnd, Observation},
    failure,
    id::{JobId, LaunchName},
    job::{Job, State},
    plan::Needs,
};

/// How long a published attempt may take to end by itself.
const LINGER: Duration = Duration::from_secs(10);

/// What a pass found about the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// Nothing to do there.
    AsItWas,
    /// The job is over, or is not there: it waits for nothing.
    Over,
    /// Launched once, and the executor has nothing of it: to be launched again under the same number.
    ToLaunch(u32, Needs),
    /// Runs without an agent: somebody must follow what it prints, and report it.
    ToFollow(AttemptName),
}

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum PassError {
    #[error(transparent)]
    Engine(EngineError),
    #[error("the executor failed")]
    Executor(#[from] ExecutorError),
}

impl PassError {
    /// Whether the operator knows of it anyway: then it is not said once for every job.
    pub(super) fn is_told(&self) -> bool {
        matches!(self, Self::Executor(ExecutorError::Away { .. }))
    }
}

impl<E: Into<EngineError>> From<E> for PassError {
    fn from(error: E) -> Self {
        Self::Engine(error.into())
    }
}

impl Parts {
    /// Bring one job together with its launch.
    pub(super) async fn pass(&self, id: JobId) -> Result<Passed, PassError> {
        let Some(job) = self.store.get(id).await? else {
            if !self.adopt(id).await? {
                self.end_orphans(id).await?;
            }
            return Ok(Passed::Over);
        };
        if job.status().is_terminal() {
            self.close(&job).await?;
            return Ok(Passed::Over);
        }
        let Some(name) = job.launch_name() else { return Ok(Passed::AsItWas) };
        if let Some(attempt) = self.to_follow(&job, name) {
            return Ok(Passed::ToFollow(attempt));
        }
        match self.executor.observe(name).await? {
            Some(Observation::Pending { reason: Some(reason) }) => self.waits_for(&job, &reason).await?,
            Some(Observation::Pending { reason: None } | Observation::Running) => {}
            Some(Observation::Ended { end }) => self.conclude(&job, &end).await?,
            None => {
                let needs = self.store.plan(id).await?.map_or(Needs::default(), |plan| plan.needs);
                return Ok(Passed::ToLaunch(name.launch, needs));
            }
        }
        Ok(Passed::AsItWas)
    }

    /// The first attempt without an agent that was not reported. One at a time, in order: so each is told as what it was.
    fn to_follow(&self, job: &Job, launch: LaunchName) -> Option<AttemptName> {
        let is_reported = |uid: &str| {
            let mut attempts = job.attempts.iter();
            attempts.any(|it| it.launch == launch.launch && it.uid == uid && it.finished.is_some())
        };
        let attempts = self.executor.alone(launch);
        let open = attempts.into_iter().find(|attempt| !is_reported(&attempt.uid))?;
        Some(AttemptName { launch, uid: open.uid })
    }

    /// What a launch waits for, for whoever reads the status.
    pub(super) async fn waits_for(&self, job: &Job, reason: &str) -> Result<(), PassError> {
        if job.message.as_deref() != Some(reason) {
            let now = self.clock.now();
            self.change(job.id, |now_it_is| now_it_is.waits_for(reason, job, now)).await?;
        }
        Ok(())
    }

    /// The launch ended and the job did not: it failed. A report that came before has said why.
    async fn conclude(&self, job: &Job, end: &LaunchEnd) -> Result<(), PassError> {
        let now = job.launch_name().map_or_else(|| self.clock.now(), |name| self.ending(name));
        let told = job.attempts.last().and_then(|attempt| attempt.exception.as_deref().cloned());
        let tail = self.logs.tail(job, crate::agents::TAIL_LINES).await?;
        let problem = failure::exception_of_launch(told, end, tail);
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
        // A job that came back with its record may have left its log behind: the record is written first.
        if !job.archived || self.logs.is_spooled(job.id).await? {
            self.remove_drafts(job.id).await?;
            self.logs.copy(job).await;
            self.archive(job).await?;
        }
        if let Some(name) = job.launch_name() {
            self.executor.keep_record(name, &|with| archive::final_record(job, with)).await?;
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
        if self.executor.keeps_records() {
            // Whoever launched it knows it; the next start takes it up from its record.
            if self.leaving.since(id).is_none() && self.store.gone(id).await?.is_none() {
                tell_of_another_server(id);
            }
            return Ok(());
        }
        for name in self.executor.list().await?.into_iter().filter(|name| name.job == id) {
            match self.executor.observe(name).await? {
                Some(Observation::Ended { .. }) | None => self.executor.release(name).await?,
                Some(_) => self.executor.end(name, self.settings.grace).await?,
            }
        }
        Ok(())
    }
}

/// Once: where nothing but the launches themselves is durable, no lock keeps a second server away.
fn tell_of_another_server(id: JobId) {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        tracing::error!(
            job.id = %id,
            "a job of this installation runs that this server did not launch: another server works for the same namespace and prefix. \
             Run one of them, or set another PYGEOAPI_K8S_MANAGER_JOB_NAME_PREFIX for each"
        );
    });
}
