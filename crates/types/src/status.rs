//! Status of a job and the list of jobs (`statusInfo.yaml`, `jobList.yaml`), with the members of 1.0 and 2.0 together.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Link, Problem};

/// Status of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusCode {
    /// Stored, not yet running.
    Accepted,
    /// Consumes compute.
    Running,
    /// Ended with its results stored.
    Successful,
    /// Ended without results.
    Failed,
    /// Ended because somebody asked.
    Dismissed,
}

impl StatusCode {
    /// Every status, in order of a job's life.
    pub const ALL: [Self; 5] =
        [Self::Accepted, Self::Running, Self::Successful, Self::Failed, Self::Dismissed];

    /// The word of the standard.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Successful => "successful",
            Self::Failed => "failed",
            Self::Dismissed => "dismissed",
        }
    }

    /// Whether it never changes again.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Successful | Self::Failed | Self::Dismissed)
    }
}

/// What is told about a job. No member is ever written as `null`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusInfo {
    /// 2.0: identifier.
    pub id: String,
    /// 1.0: the same identifier.
    #[serde(rename = "jobID")]
    pub job_id: String,
    /// 1.0: always `process`.
    #[serde(rename = "type")]
    pub kind: String,
    /// 2.0: always `ogc-api-processes`.
    #[serde(rename = "processingEntityType")]
    pub processing_entity_type: String,
    /// Process that runs.
    #[serde(rename = "processID")]
    pub process_id: String,
    /// Status.
    pub status: StatusCode,
    /// The state in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Percent done, where the program tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u8>,
    /// Accepted at.
    pub created: Timestamp,
    /// Consumed compute from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// Consumed compute until.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// Last change.
    pub updated: Timestamp,
    /// Removed, with its results, from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Why it failed (2.0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exception: Option<Problem>,
    /// Of programs made for the older managers: the inputs as a text, secrets masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<String>,
    /// How its attempts went, in order; only where there was more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<AttemptInfo>,
    /// Where to go.
    pub links: Vec<Link>,
}

/// One attempt of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptInfo {
    /// From 1.
    pub number: usize,
    /// Began at.
    pub started: Timestamp,
    /// Ended at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exception: Option<Problem>,
    /// URL of its part of the log.
    pub log: String,
}

/// A page of jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobList {
    /// Newest first.
    pub jobs: Vec<StatusInfo>,
    /// `self`, `alternate`, `next`.
    pub links: Vec<Link>,
}
