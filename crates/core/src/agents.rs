//! What agents ask: their order, what they staged, progress, log, outputs, and the report that ends an attempt.
//!
//! Publishing is here: outputs verified and durable, then one compare-and-set, then `final.json`, then the verdict. So an
//! agent that ended in order, and a Job that is complete, mean durable results (invariant 3).

mod error;
mod outputs;
mod package;
mod sent;
mod uploads;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
pub use error::AgentError;
use indexmap::IndexMap;
use jiff::Timestamp;
use rutter_types::{
    Problem,
    agent::{
        LogAnswer, OrderAnswer, Outcome, Phase, Progress, Report, Staged, StagedAnswer, Verdict, WorkOrder,
        exit,
    },
};
pub(crate) use sent::Sent;

use tokio::time::timeout;

use crate::{
    archive,
    engine::Parts,
    executor::AttemptName,
    failure,
    id::{LaunchName, OutputId},
    job::{Attempt, Job, State, StoredValue},
    plan::{Plan, PlannedUnit},
    reconcile::Signal,
    results::ByteStream,
    transition::Changed,
    validate,
};

/// Longest time for which an agent that came early is kept waiting; then it asks again.
const ROOM: Duration = Duration::from_secs(10);
/// Lines of the log that an exception repeats.
pub(crate) const TAIL_LINES: usize = 20;

/// Answers agents.
#[derive(Clone, Debug)]
pub struct Agents(pub(crate) Arc<Parts>);

impl Agents {
    /// Whose token this is.
    pub async fn identify(&self, token: &str) -> Result<Option<AttemptName>, AgentError> {
        Ok(self.0.executor.identify(token).await?)
    }

    /// The order of an attempt. The same answer however often it is asked.
    pub async fn order(&self, attempt: &AttemptName) -> Result<OrderAnswer, AgentError> {
        let job = match self.open(attempt).await {
            Ok(job) => job,
            Err(AgentError::Over) => return Ok(OrderAnswer::Over),
            Err(error) => return Err(error),
        };
        let plan = self.plan(&job).await?;
        if has_attempt(&job, attempt) {
            return Ok(OrderAnswer::Run(Box::new(work_order(&job, plan))));
        }
        if timeout(ROOM, self.0.executor.room(attempt.launch)).await.is_err() {
            return Ok(OrderAnswer::Wait { millis: 0 });
        }
        let now = self.0.beginning(attempt.launch);
        let staging = (!plan.stage.is_empty()).then(|| "inputs are fetched".to_owned());
        let seen = self.seen_of_last(&job);
        let started = self
            .0
            .change(job.id, |job| {
                let mut job =
                    explained(job, attempt, seen.clone(), now).attempt_started(&attempt.uid, now)?;
                job.message.clone_from(&staging);
                Ok(job)
            })
            .await?;
        match started {
            Changed::Done(job) => {
                if job.attempts.len() > 1 {
                    self.0.remove_drafts(job.id).await?;
                    // What earlier attempts did must outlive the database as well.
                    self.0.write_order(&job, &plan).await?;
                }
                Ok(OrderAnswer::Run(Box::new(work_order(&job, plan))))
            }
            Changed::Refused(_) | Changed::Missing => Ok(OrderAnswer::Over),
        }
    }

    /// What the executor knows of the end of a job's last attempt.
    fn seen_of_last(&self, job: &Job) -> Option<Problem> {
        let last = job.attempts.last()?;
        let launch = LaunchName { job: job.id, launch: last.launch };
        let end = self.0.executor.end_of(&AttemptName { launch, uid: last.uid.clone() })?;
        Some(failure::exception_of_end(&end))
    }

    /// Whether values that were given by reference satisfy the process description.
    pub async fn staged(&self, attempt: &AttemptName, staged: Staged) -> Result<StagedAnswer, AgentError> {
        let job = self.active(attempt).await?;
        let plan = self.plan(&job).await?;
        let Some(process) = self.0.registry.snapshot().get(plan.process.as_str()).cloned() else {
            return Ok(StagedAnswer::Go);
        };
        let mut faults = Vec::new();
        for item in &staged.items {
            let Some(wanted) = plan.stage.get(item.stage) else {
                return Err(AgentError::Invalid { reason: format!("the order has no stage {}", item.stage) });
            };
            let input =
                wanted.input.parse().map_err(|_| AgentError::Invalid { reason: "no input id".into() })?;
            faults.extend(validate::staged(&process, &input, wanted.index, item));
        }
        Ok(if faults.is_empty() { StagedAnswer::Go } else { StagedAnswer::Refused { faults } })
    }

    /// Signs of life.
    pub async fn progress(&self, attempt: &AttemptName, progress: Progress) -> Result<(), AgentError> {
        let job = self.active(attempt).await?;
        if progress.phase == Phase::Uploading {
            self.program_ended(attempt, &self.plan(&job).await?);
        }
        let now = self.0.clock.now();
        let message = progress.message.or_else(|| match progress.phase {
            Phase::Staging => Some("inputs are fetched".into()),
            Phase::Uploading => Some("outputs are stored".into()),
            Phase::Running => None,
        });
        if progress.percent.is_none_or(|percent| Some(percent) <= job.progress) && message == job.message {
            return Ok(());
        }
        self.0.change(job.id, |job| job.progressed(progress.percent, message.clone(), now)).await?;
        Ok(())
    }

    /// Bytes of an attempt's log.
    pub async fn log(
        &self,
        attempt: &AttemptName,
        offset: u64,
        bytes: Bytes,
    ) -> Result<LogAnswer, AgentError> {
        self.active(attempt).await?;
        let job = attempt.launch.job;
        let append = async { Ok::<_, AgentError>(self.0.logs.append(attempt, offset, &bytes).await?) };
        let Some(offset) = self.0.writing(job, append).await? else { return Err(AgentError::Over) };
        self.0.changes.tell(job);
        Ok(LogAnswer { offset })
    }

    /// A result of another job that the order names; the caller's rights were checked at submission.
    pub async fn result(
        &self,
        attempt: &AttemptName,
        job: &str,
        output: &str,
        index: usize,
    ) -> Result<(StoredValue, ByteStream), AgentError> {
        let asking = self.active(attempt).await?;
        let plan = self.plan(&asking).await?;
        let named = plan.stage.iter().any(|item| {
            matches!(&item.source, rutter_types::agent::Source::Result { job: j, output: o, index: i }
                if j == job && o == output && *i == index)
        });
        let missing = || AgentError::Invalid { reason: "that result is not there any more".into() };
        let id = job.parse().map_err(|_| missing())?;
        let source = self.0.store.get(id).await?.filter(|_| named).ok_or_else(missing)?;
        let State::Successful { results, .. } = &source.state else { return Err(missing()) };
        let value = results.get(output).and_then(|values| values.get(index)).cloned().ok_or_else(missing)?;
        let body = self.0.objects.open_value(&value, None).await?;
        Ok((value, body))
    }

    /// How an attempt ended. The same answer however often it is told.
    pub async fn report(&self, attempt: &AttemptName, report: Report) -> Result<Verdict, AgentError> {
        self.report_as(attempt, report, None).await
    }

    /// The same of an attempt whose end was seen from outside.
    pub(crate) async fn report_as(
        &self,
        attempt: &AttemptName,
        report: Report,
        seen: Option<Problem>,
    ) -> Result<Verdict, AgentError> {
        let job = match self.active(attempt).await {
            Ok(job) => job,
            Err(AgentError::Over) => {
                let job = self.published(attempt).await?.ok_or(AgentError::Over)?;
                // The first answer may have failed for want of room: no verdict before the record is kept.
                self.0.write_final(&job).await?;
                return Ok(Verdict::Done);
            }
            Err(error) => return Err(error),
        };
        let plan = self.plan(&job).await?;
        self.program_ended(attempt, &plan);
        let tail = self.0.logs.tail(&job, TAIL_LINES).await?;
        let seen = seen.map(|seen| failure::with_tail(seen, tail.clone()));
        match seen.or_else(|| failure::exception_of(&report.outcome, &plan.limits, tail.clone())) {
            Some(exception) => {
                let exception = failure::in_its_words(exception, report.reason.as_deref());
                self.fail(attempt, &plan, report, exception).await
            }
            None => match self.verify(attempt, &plan, &report.outputs).await? {
                Ok(results) => self.publish(attempt, report, results).await,
                Err(exception) => {
                    self.fail(attempt, &plan, report, failure::with_tail(exception, tail)).await
                }
            },
        }
    }

    /// What the last attempt held is for others to have from here on.
    fn program_ended(&self, attempt: &AttemptName, plan: &Plan) {
        if plan.retries == 0 {
            self.0.executor.program_ended(attempt.launch);
            self.0.signal(Signal::Room);
        }
    }

    async fn publish(
        &self,
        attempt: &AttemptName,
        report: Report,
        results: IndexMap<OutputId, Vec<StoredValue>>,
    ) -> Result<Verdict, AgentError> {
        let now = self.0.ending(attempt.launch);
        let id = attempt.launch.job;
        let published = |job: Job| job.succeeded(&attempt.uid, report.usage.clone(), results.clone(), now);
        if self.0.executor.keeps_records() {
            let job = self.0.store.get(id).await?.ok_or(AgentError::Over)?;
            let next = published(Arc::unwrap_or_clone(job)).map_err(|_| AgentError::Over)?;
            self.0.executor.keep_ahead(attempt.launch, &|with| archive::final_record(&next, with)).await?;
        }
        let changed = self.0.change(id, published).await?;
        self.0.signal(Signal::Look(id));
        match changed {
            Changed::Done(job) => {
                self.0.write_final(&job).await?;
                Ok(Verdict::Done)
            }
            Changed::Refused(_) | Changed::Missing => Err(AgentError::Over),
        }
    }

    /// An attempt failed: for good when none remains or another would fail alike, else the launch decides.
    async fn fail(
        &self,
        attempt: &AttemptName,
        plan: &Plan,
        report: Report,
        exception: Problem,
    ) -> Result<Verdict, AgentError> {
        let now = self.0.ending(attempt.launch);
        let usage = Some(report.usage.clone());
        let exit = exit_code(&report.outcome);
        let hopeless = matches!(report.outcome, Outcome::BadInput { .. });
        let kept = self.kept(attempt, plan, &report.outputs).await?;
        let changed = self
            .0
            .change(attempt.launch.job, |job| {
                let job = job.attempt_failed(&attempt.uid, usage.clone(), exception.clone(), now)?;
                let last = hopeless || failures(&job) > plan.retries as usize;
                if last { Ok(job.failed(exception.clone(), now)?.keeping(kept.clone())) } else { Ok(job) }
            })
            .await?;
        self.0.signal(Signal::Look(attempt.launch.job));
        // What stays goes with the job.
        let _ = self.remove_drafts(attempt).await;
        match changed {
            Changed::Done(job) if job.status().is_terminal() => {
                self.0.write_final(&job).await?;
                Ok(Verdict::Fail { exit })
            }
            Changed::Done(_) => Ok(Verdict::Retry { exit }),
            Changed::Refused(_) | Changed::Missing => Err(AgentError::Over),
        }
    }

    /// The job of an attempt that has its order, while it may still change.
    ///
    /// An attempt that is not on record got its order before the database was lost: then it is put on record again.
    async fn active(&self, attempt: &AttemptName) -> Result<Arc<Job>, AgentError> {
        let job = self.open(attempt).await?;
        if has_attempt(&job, attempt) {
            return Ok(job);
        }
        let now = self.0.beginning(attempt.launch);
        match self.0.change(job.id, |job| job.attempt_started(&attempt.uid, now)).await? {
            Changed::Done(job) => Ok(job),
            Changed::Refused(_) | Changed::Missing => Err(AgentError::Over),
        }
    }

    /// The job of an attempt, while it may still change.
    async fn open(&self, attempt: &AttemptName) -> Result<Arc<Job>, AgentError> {
        let job = self.0.store.get(attempt.launch.job).await?.ok_or(AgentError::Over)?;
        let over = job.status().is_terminal() || job.launches != attempt.launch.launch;
        if over { Err(AgentError::Over) } else { Ok(job) }
    }

    /// The job that this very attempt published.
    async fn published(&self, attempt: &AttemptName) -> Result<Option<Arc<Job>>, AgentError> {
        let job = self.0.store.get(attempt.launch.job).await?;
        Ok(job.filter(|job| {
            let last = job.attempts.last().is_some_and(|last| last.uid == attempt.uid);
            last && matches!(job.state, State::Successful { .. })
        }))
    }

    async fn plan(&self, job: &Job) -> Result<Plan, AgentError> {
        self.0.store.plan(job.id).await?.ok_or(AgentError::Over)
    }
}

/// A job of which another attempt begins: those before have ended, and who looked from outside may know of what.
fn explained(job: Job, attempt: &AttemptName, seen: Option<Problem>, now: Timestamp) -> Job {
    let lost = seen.clone().unwrap_or_else(failure::agent_lost);
    let mut job = job.earlier_attempts_lost(&attempt.uid, lost, now);
    let told = job.attempts.last_mut().filter(|last| last.uid != attempt.uid);
    let told =
        told.and_then(|last| last.exception.as_deref_mut()).filter(|told| failure::is_from_outside(told));
    if let (Some(told), Some(seen)) = (told, seen) {
        let tail = told.more.remove("logTail");
        *told = seen;
        told.more.extend(tail.map(|tail| ("logTail".to_owned(), tail)));
    }
    job
}

/// How many attempts of a job's launch failed of themselves. Whether others count as retries is the executor's to say.
fn failures(job: &Job) -> usize {
    let own = |attempt: &&Attempt| {
        let exception = attempt.exception.as_deref();
        attempt.launch == job.launches && exception.is_some_and(|it| !failure::is_from_outside(it))
    };
    job.attempts.iter().filter(own).count()
}

/// Whether an attempt has its order already.
fn has_attempt(job: &Job, attempt: &AttemptName) -> bool {
    job.attempts.iter().any(|known| known.launch == attempt.launch.launch && known.uid == attempt.uid)
}

fn work_order(job: &Job, plan: Plan) -> WorkOrder {
    // A container does not see this machine's folders.
    let sees_folder = plan.unit == PlannedUnit::Command;
    WorkOrder {
        job: job.id.to_string(),
        variables: plan.variables(job.id),
        keeps_home: !plan.contract.is_ours(),
        process: plan.told_id,
        inputs: plan.inputs,
        stage: plan.stage,
        command: plan.command,
        package_folder: plan.package_folder.filter(|_| sees_folder),
        outputs: plan.outputs,
        limits: plan.limits,
        fetch: plan.fetch,
    }
}

/// What the agent exits with; its own codes are kept from programs.
fn exit_code(outcome: &Outcome) -> i32 {
    match outcome {
        Outcome::BadInput { .. } => exit::BAD_INPUT,
        Outcome::StagingFailed { .. } => exit::STAGING_FAILED,
        Outcome::AgentFault { .. } => exit::AGENT_FAULT,
        Outcome::Exited { code } if (1..exit::BAD_INPUT).contains(code) => *code,
        _ => 1,
    }
}
