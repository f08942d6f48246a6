//! A job: its record and its life. Every transition consumes the job and returns the next one, or says why there is none.

use indexmap::IndexMap;
use jiff::Timestamp;
use rutter_types::{
    OutputSelection, Problem, ResponseKind, StatusCode, Subscriber, TransmissionMode, agent::Usage,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{CallerId, JobId, LaunchName, OutputId, ProcessId};

/// A job as it is stored; its plan is stored beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Identifier.
    pub id: JobId,
    /// Process that runs.
    pub process: ProcessId,
    /// Version of the process at submission.
    pub process_version: String,
    /// Who asked; `None` = nobody was authenticated.
    pub owner: Option<CallerId>,
    /// Whether the caller waited for it.
    pub mode: Mode,
    /// How the answer is shaped.
    pub shape: ResponseShape,
    /// The request as received, secrets masked.
    pub request: Value,
    /// Where to call back.
    pub subscriber: Option<Subscriber>,
    /// `Idempotency-Key` of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<JobKey>,
    /// Accepted at.
    pub created: Timestamp,
    /// Last change.
    pub updated: Timestamp,
    /// Percent done.
    pub progress: Option<u8>,
    /// The state in words, from the program or from us.
    pub message: Option<String>,
    /// Number of launches so far; 0 = waits.
    pub launches: u32,
    /// How earlier and present attempts went, in order.
    pub attempts: Vec<Attempt>,
    /// Where it is in its life.
    pub state: State,
    /// Whether its `final.json` is written: only then may its launch be released.
    pub archived: bool,
    /// Counts changes; compare-and-set is on it.
    pub revision: u64,
}

/// `Idempotency-Key` of the request that made a job; it names the job within its owner and process, from its creation on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobKey {
    /// The key as received.
    pub key: String,
    /// SHA-256 of the request body, hexadecimal.
    pub body_digest: String,
}

/// Whether the caller waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Waited.
    Sync,
    /// Got a job.
    Async,
}

/// How the answer is shaped, by the request that made the job (Part 1, 1.0 section 7.11.3; 2.0 section 9).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResponseShape {
    /// `Some` = a request of 1.0 (it had `response` or a `transmissionMode`).
    pub v1: Option<ResponseKind>,
    /// Outputs asked for, in order, with how; all of the process when the request had no `outputs`.
    pub outputs: IndexMap<OutputId, OutputSelection>,
    /// Outputs of which the first that there is is the whole answer; only where the request named none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answer: Vec<OutputId>,
}

impl ResponseShape {
    /// How an output travels; 2.0 has only values.
    pub fn transmission(&self, output: &OutputId) -> TransmissionMode {
        self.outputs.get(output).and_then(|selection| selection.transmission_mode).unwrap_or_default()
    }
}

/// Where a job is in its life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum State {
    /// Stored; waits, or is launched and has not started.
    Accepted,
    /// An attempt runs.
    Running {
        /// The first attempt started at.
        started: Timestamp,
    },
    /// Ended with its results durable.
    Successful {
        /// The first attempt started at.
        started: Timestamp,
        /// The published attempt ended at.
        finished: Timestamp,
        /// Results by output id.
        results: IndexMap<OutputId, Vec<StoredValue>>,
    },
    /// Ended without results.
    Failed {
        /// The first attempt started at.
        started: Option<Timestamp>,
        /// Ended at.
        finished: Timestamp,
        /// Why.
        exception: Box<Problem>,
        /// What the last attempt left that is wanted of a failed one, by output id.
        #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
        kept: IndexMap<OutputId, Vec<StoredValue>>,
    },
    /// Ended because somebody asked.
    Dismissed {
        /// The first attempt started at.
        started: Option<Timestamp>,
        /// Ended at.
        finished: Timestamp,
    },
}

/// One value of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredValue {
    /// Media type.
    pub media_type: String,
    /// File name for people.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, hexadecimal; its ETag.
    pub sha256: String,
    /// Where the bytes are.
    pub place: Place,
}

/// Where the bytes of a value are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// In the record, base64.
    Inline(String),
    /// In the object store under this key.
    Object(String),
}

/// One attempt as far as it is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Number of the launch.
    pub launch: u32,
    /// The executor's identifier.
    pub uid: String,
    /// Got its order at.
    pub started: Timestamp,
    /// Ended at.
    pub finished: Option<Timestamp>,
    /// What it used.
    pub usage: Option<Usage>,
    /// Why it failed.
    pub exception: Option<Box<Problem>>,
}

/// Why a job can't change so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {from} can't become {to}")]
pub struct TransitionError {
    /// What it is.
    pub from: &'static str,
    /// What it was to become.
    pub to: &'static str,
}

impl Job {
    /// What the standard calls its state.
    pub fn status(&self) -> StatusCode {
        match self.state {
            State::Accepted => StatusCode::Accepted,
            State::Running { .. } => StatusCode::Running,
            State::Successful { .. } => StatusCode::Successful,
            State::Failed { .. } => StatusCode::Failed,
            State::Dismissed { .. } => StatusCode::Dismissed,
        }
    }

    /// Consumed compute from.
    pub fn started(&self) -> Option<Timestamp> {
        match self.state {
            State::Accepted => None,
            State::Running { started } | State::Successful { started, .. } => Some(started),
            State::Failed { started, .. } | State::Dismissed { started, .. } => started,
        }
    }

    /// Consumed compute until.
    pub fn finished(&self) -> Option<Timestamp> {
        match self.state {
            State::Accepted | State::Running { .. } => None,
            State::Successful { finished, .. }
            | State::Failed { finished, .. }
            | State::Dismissed { finished, .. } => Some(finished),
        }
    }

    /// The present launch.
    pub fn launch_name(&self) -> Option<LaunchName> {
        (self.launches > 0).then_some(LaunchName { job: self.id, launch: self.launches })
    }

    /// Launched once more (the first time, or with a changed plan).
    pub fn launched(mut self, now: Timestamp) -> Result<Self, TransitionError> {
        self.must_be_active("launched")?;
        self.launches += 1;
        Ok(self.changed(now))
    }

    /// An attempt got its order.
    pub fn attempt_started(mut self, uid: &str, now: Timestamp) -> Result<Self, TransitionError> {
        self.must_be_active("running")?;
        if !self.attempts.iter().any(|attempt| attempt.launch == self.launches && attempt.uid == uid) {
            self.attempts.push(Attempt {
                launch: self.launches,
                uid: uid.into(),
                started: now,
                finished: None,
                usage: None,
                exception: None,
            });
        }
        if matches!(self.state, State::Accepted) {
            self.state = State::Running { started: now };
        }
        Ok(self.changed(now))
    }

    /// Attempts before this one that never reported are over: another one has begun.
    pub fn earlier_attempts_lost(mut self, uid: &str, exception: Problem, now: Timestamp) -> Self {
        let open =
            self.attempts.iter_mut().filter(|attempt| attempt.finished.is_none() && attempt.uid != uid);
        for attempt in open {
            attempt.finished = Some(now);
            attempt.exception = Some(Box::new(exception.clone()));
        }
        self
    }

    /// The program told how far it is. Progress never goes back.
    pub fn progressed(
        mut self,
        percent: Option<u8>,
        message: Option<String>,
        now: Timestamp,
    ) -> Result<Self, TransitionError> {
        self.must_be_active("running")?;
        self.progress = percent.map(|percent| percent.min(100)).max(self.progress);
        self.message = message.or(self.message);
        Ok(self.changed(now))
    }

    /// The next attempt waits for this. `seen` is the job as it was when that was found out: once another attempt has
    /// started, it has words of its own.
    pub fn waits_for(self, reason: &str, seen: &Self, now: Timestamp) -> Result<Self, TransitionError> {
        if (self.launches, self.attempts.len()) != (seen.launches, seen.attempts.len()) {
            return Err(TransitionError { from: self.status().as_str(), to: "waiting" });
        }
        self.progressed(None, Some(reason.to_owned()), now)
    }

    /// An attempt failed.
    pub fn attempt_failed(
        mut self,
        uid: &str,
        usage: Option<Usage>,
        exception: Problem,
        now: Timestamp,
    ) -> Result<Self, TransitionError> {
        self.must_be_active("failed")?;
        self.end_attempt(uid, usage, Some(Box::new(exception)), now);
        Ok(self.changed(now))
    }

    /// Published: the results are durable.
    pub fn succeeded(
        mut self,
        uid: &str,
        usage: Usage,
        results: IndexMap<OutputId, Vec<StoredValue>>,
        now: Timestamp,
    ) -> Result<Self, TransitionError> {
        self.must_be_active("successful")?;
        self.end_attempt(uid, Some(usage), None, now);
        let started = self.started().unwrap_or(now);
        self.state = State::Successful { started, finished: now, results };
        self.progress = Some(100);
        self.message = None;
        Ok(self.changed(now))
    }

    /// Over without results.
    pub fn failed(mut self, exception: Problem, now: Timestamp) -> Result<Self, TransitionError> {
        self.must_be_active("failed")?;
        self.message.clone_from(&exception.detail);
        self.state = State::Failed {
            started: self.started(),
            finished: now,
            exception: Box::new(exception),
            kept: IndexMap::new(),
        };
        Ok(self.changed(now))
    }

    /// A failed job with what its last attempt left.
    pub fn keeping(mut self, outputs: IndexMap<OutputId, Vec<StoredValue>>) -> Self {
        if let State::Failed { kept, .. } = &mut self.state {
            *kept = outputs;
        }
        self
    }

    /// Values that can be had, by output id: results, or what is kept of a failed job.
    pub fn values(&self) -> Option<&IndexMap<OutputId, Vec<StoredValue>>> {
        match &self.state {
            State::Successful { results, .. } | State::Failed { kept: results, .. } => Some(results),
            State::Accepted | State::Running { .. } | State::Dismissed { .. } => None,
        }
    }

    /// Over because somebody asked.
    pub fn dismissed(mut self, now: Timestamp) -> Result<Self, TransitionError> {
        self.must_be_active("dismissed")?;
        self.state = State::Dismissed { started: self.started(), finished: now };
        self.message = Some("dismissed by the caller".into());
        Ok(self.changed(now))
    }

    fn end_attempt(
        &mut self,
        uid: &str,
        usage: Option<Usage>,
        exception: Option<Box<Problem>>,
        now: Timestamp,
    ) {
        let launch = self.launches;
        if let Some(attempt) = self.attempts.iter_mut().find(|it| it.launch == launch && it.uid == uid) {
            attempt.finished = Some(now);
            attempt.usage = usage;
            attempt.exception = exception;
        }
    }

    fn must_be_active(&self, to: &'static str) -> Result<(), TransitionError> {
        if self.status().is_terminal() {
            return Err(TransitionError { from: self.status().as_str(), to });
        }
        Ok(())
    }

    fn changed(mut self, now: Timestamp) -> Self {
        self.updated = now;
        self.revision += 1;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launched() -> Job {
        let order: serde_json::Value =
            serde_json::from_str(include_str!("../test-data/v1/order.json")).unwrap();
        serde_json::from_value(order["job"].clone()).unwrap()
    }

    #[test]
    fn what_was_waited_for_does_not_overwrite_the_words_of_an_attempt_that_started_meanwhile() {
        let (seen, now) = (launched(), Timestamp::UNIX_EPOCH);
        let waits = seen.clone().waits_for("the image is fetched", &seen, now).unwrap();
        assert_eq!(waits.message.as_deref(), Some("the image is fetched"));
        let started = seen.clone().attempt_started("new", now).unwrap();
        let started = started.progressed(None, Some("step 1".into()), now).unwrap();
        assert!(started.clone().waits_for("the image is fetched", &seen, now).is_err());
        // A further attempt may wait again.
        assert!(started.clone().waits_for("the image is fetched", &started, now).is_ok());
    }
}
