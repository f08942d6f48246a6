//! Where plans run. Two real executors: `local` (supervised processes) and `kubernetes` (Jobs).

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::{
    id::LaunchName,
    plan::{Needs, Plan},
};

/// Runs launches. Every call may be repeated: each finds what the first one did.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Of the launches that wait, in order of submission, those that may start now, in order.
    ///
    /// The executor owns the policy (packing, fairness) and counts what it named here as started until it
    /// ends, or until [`Executor::release`].
    fn admit(&self, waiting: &[Waiting]) -> Vec<LaunchName>;

    /// Start a launch that [`Executor::admit`] named. A second call finds the first.
    async fn launch(&self, name: LaunchName, plan: &Plan) -> Result<(), ExecutorError>;

    /// The same, and keep the job's record with the launch, where nothing that the server has is durable.
    async fn launch_on_record(
        &self,
        name: LaunchName,
        plan: &Plan,
        _: &(dyn Fn() -> Vec<u8> + Send + Sync),
    ) -> Result<(), ExecutorError> {
        self.launch(name, plan).await
    }

    /// Keep the record of a job that is over with its launch, where nothing that the server has is durable. Before
    /// [`Executor::release`]. `record` gives it with its results or, where those are too long to be kept, without.
    async fn keep_record(
        &self,
        _: LaunchName,
        _: &(dyn Fn(Results) -> Vec<u8> + Send + Sync),
    ) -> Result<(), ExecutorError> {
        Ok(())
    }

    /// Keep the record of a job that is about to be published, where nothing that the server has is durable: nobody is told of
    /// results that a crash could take back. The record that [`Executor::keep_record`] keeps takes its place.
    async fn keep_ahead(
        &self,
        _: LaunchName,
        _: &(dyn Fn(Results) -> Vec<u8> + Send + Sync),
    ) -> Result<(), ExecutorError> {
        Ok(())
    }

    /// Whether launches may be there of which only their records tell: another server's, or an earlier one's.
    fn keeps_records(&self) -> bool {
        false
    }

    /// Records that are kept with launches.
    async fn records(&self) -> Result<Vec<Vec<u8>>, ExecutorError> {
        Ok(Vec::new())
    }

    /// Forget a launch whose job was removed, and its record.
    async fn forget(&self, name: LaunchName) -> Result<(), ExecutorError> {
        self.release(name).await
    }

    /// End a launch: its program gets SIGTERM, after `grace` SIGKILL. Returns at once; unknown names are ended already.
    async fn end(&self, name: LaunchName, grace: Duration) -> Result<(), ExecutorError>;

    /// What there is of a launch now; `None` = nothing, by a consistent read of where it was launched.
    async fn observe(&self, name: LaunchName) -> Result<Option<Observation>, ExecutorError>;

    /// Every launch of this instance that there is.
    async fn list(&self) -> Result<Vec<LaunchName>, ExecutorError>;

    /// Forget a launch whose job is over and archived: frees its room and removes its files.
    async fn release(&self, name: LaunchName) -> Result<(), ExecutorError>;

    /// Wait until a launch has the room that it needs: an executor may name one to be launched before, so that its agent is ready
    /// when there is room.
    async fn room(&self, _: LaunchName) {}

    /// The program of a launch has ended and no attempt will follow it: what it held is free, while its agent still sends and
    /// waits.
    fn program_ended(&self, _: LaunchName) {}

    /// Names of launches that changed; taken once, by the reconciler.
    fn changes(&self) -> Option<mpsc::UnboundedReceiver<LaunchName>>;

    /// Attempts of a launch that run without an agent, in order, as far as somebody must speak for them.
    fn alone(&self, _: LaunchName) -> Vec<AloneAttempt> {
        Vec::new()
    }

    /// What the program of an attempt without an agent prints, from its start to its end.
    async fn printed(&self, _: &AttemptName) -> Result<Printed, ExecutorError> {
        Err(ExecutorError::Impossible { reason: "its agent tells what it prints".to_owned() })
    }

    /// Whether `token` is the secret of an attempt: which one.
    async fn identify(&self, token: &str) -> Result<Option<AttemptName>, ExecutorError>;

    /// What is known of a launch that another system made and that was given to this installation; `None` = it is none such.
    fn adopted(&self, _: LaunchName) -> Option<Adopted> {
        None
    }

    /// How an attempt ended that its agent did not report and another one follows, as far as this executor still knows.
    fn end_of(&self, _: &AttemptName) -> Option<LaunchEnd> {
        None
    }
}

/// Whether a record has the values of its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Results {
    /// Those that are small.
    Small,
    /// None.
    Left,
}

/// A launch that waits for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its name.
    pub name: LaunchName,
    /// What it will hold.
    pub needs: Needs,
}

/// One attempt of a launch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct AttemptName {
    /// The launch.
    pub launch: LaunchName,
    /// The executor's identifier of the attempt: a pod's uid, or a number. One safe path component.
    pub uid: String,
}

/// An attempt that runs without an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AloneAttempt {
    /// As in [`AttemptName`].
    pub uid: String,
    /// How it ended; `None` = it runs.
    pub end: Option<AloneEnd>,
}

/// How an attempt without an agent ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AloneEnd {
    /// As seen from outside.
    pub end: LaunchEnd,
    /// What the program left as its last word.
    pub message: Option<String>,
}

/// A launch that another system made. It has one attempt, without an agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Adopted {
    /// What the program was told as the id of its process.
    pub process: String,
    /// Its image.
    pub image: Option<String>,
    /// Inputs, as far as they were kept.
    pub inputs: Option<Value>,
    /// When it was asked for.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Whether results are found in what its program prints.
    pub prints_results: bool,
    /// The result, where that system kept it.
    pub result: Option<KeptResult>,
}

/// A result that another system kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptResult {
    /// Media type, as its program said.
    pub media_type: Option<String>,
    /// It.
    pub text: String,
}

/// Lines that a program prints.
pub type Printed = BoxStream<'static, Result<PrintedLine, ExecutorError>>;

/// A line that a program printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrintedLine {
    /// When.
    pub time: Timestamp,
    /// Without its end.
    pub text: Bytes,
    /// Whether the line goes on with the next one: it was too long to be given whole.
    pub goes_on: bool,
}

/// What an executor sees of a launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// Asked for, not running yet, and why.
    Pending {
        /// For people.
        reason: Option<String>,
    },
    /// An attempt runs.
    Running,
    /// No attempt runs and none will.
    Ended {
        /// How the last attempt went as far as the executor can see.
        end: LaunchEnd,
    },
}

/// How a launch ended as seen from outside; what the agent reported says more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchEnd {
    /// The agent ended in order, with this exit code.
    Exited {
        /// Exit code of the agent.
        code: i32,
    },
    /// The agent died without a word.
    AgentLost,
    /// Attempts can't be started here.
    CannotStart {
        /// For people.
        reason: String,
    },
    /// The image is not there, or may not be fetched.
    ImageMissing {
        /// For people.
        reason: String,
    },
    /// Ended by the system because its memory was used up.
    OutOfMemory,
    /// Ended because its time was used up.
    TimeLimit,
    /// Ended because its files took more than their space.
    ScratchLimit,
    /// The machine that it ran on was lost.
    NodeLost,
    /// Ended by somebody who is not this server.
    Removed,
    /// Moved away so often that it would never end.
    Disrupted {
        /// How often.
        times: u32,
    },
    /// It failed, and what would tell more is gone.
    Failed {
        /// For people.
        reason: String,
    },
}

/// Why an executor could not do something.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// The machine or cluster refused or failed; trying again may help.
    #[error("{doing}")]
    Unavailable {
        /// What was tried, as a fragment.
        doing: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing can be asked now of where launches run. The executor itself says when that begins and ends, once for all jobs.
    #[error("{doing}")]
    Away {
        /// What was tried, as a fragment.
        doing: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No room is left on the disk.
    #[error("no space is left in the data directory")]
    NoSpace,
    /// Not yet; whoever waits for the job may know why, and trying again may help.
    #[error("{reason}")]
    NotYet {
        /// For people.
        reason: String,
    },
    /// The image is not there.
    #[error("{reason}")]
    ImageMissing {
        /// For people.
        reason: String,
    },
    /// It can't ever run here.
    #[error("{reason}")]
    Impossible {
        /// Why.
        reason: String,
    },
}
