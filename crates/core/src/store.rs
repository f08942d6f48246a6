//! Where jobs are kept. Two real implementations (SQLite, memory), held to one conformance suite.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use rutter_types::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{
    id::{CallerId, InstanceId, JobId},
    job::Job,
    plan::Plan,
};

/// Keeps jobs. Whatever returned `Ok` survives `kill -9` and, but for the memory store, power loss. Steps of a job that is
/// not over may come to the disk a moment (about 20 ms) after `Ok`: what they tell of ends with the machine anyway.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Identifier of the installation whose jobs these are; `None` in a store just made.
    async fn instance(&self) -> Result<Option<InstanceId>, StoreError>;

    /// Take the store for an installation.
    async fn set_instance(&self, id: InstanceId) -> Result<(), StoreError>;

    /// Store a new job with its plan. If it has a key, a job of the same owner and process already stored under this key
    /// is returned instead, atomically: of any number of concurrent calls exactly one inserts. An id that a job has or had
    /// is not given again.
    async fn insert(&self, job: &Job, plan: &Plan) -> Result<Inserted, StoreError>;

    /// One job.
    async fn get(&self, id: JobId) -> Result<Option<Arc<Job>>, StoreError>;

    /// The plan of a job.
    async fn plan(&self, id: JobId) -> Result<Option<Plan>, StoreError>;

    /// Compare-and-set: store `job` if the stored revision is `job.revision - 1`, and queue `calls` in the same
    /// transaction. `false` = somebody else was first, nothing is stored.
    async fn replace(&self, job: &Job, calls: &[Call]) -> Result<bool, StoreError>;

    /// A page of jobs, newest first.
    async fn list(&self, filter: &JobFilter, page: Page) -> Result<JobPage, StoreError>;

    /// Jobs that are not over, oldest first, with the needs of their plans.
    async fn unfinished(&self) -> Result<Vec<(JobId, crate::plan::Needs, bool)>, StoreError>;

    /// Jobs that are over and not archived, oldest first.
    async fn unarchived(&self, limit: usize) -> Result<Vec<JobId>, StoreError>;

    /// Note that `final.json` is written. Not a change of the job: its revision stays.
    async fn set_archived(&self, id: JobId) -> Result<(), StoreError>;

    /// Jobs that ended before `before`, those that ended first first.
    async fn finished_before(&self, before: Timestamp, limit: usize) -> Result<Vec<JobId>, StoreError>;

    /// Remove a job that is over and leave a tombstone, so that it is known to be gone.
    async fn remove(&self, id: JobId, now: Timestamp) -> Result<bool, StoreError>;

    /// Whether a job was removed, and when.
    async fn gone(&self, id: JobId) -> Result<Option<Timestamp>, StoreError>;

    /// Put back a job found in the object store (its row was lost), with its key: of two jobs of one key the younger has
    /// it. `false` = there already, or removed.
    async fn restore(&self, job: &Job, plan: Option<&Plan>) -> Result<bool, StoreError>;

    /// Drop keys and tombstones older than these times.
    async fn forget(&self, keys_before: Timestamp, tombstones_before: Timestamp) -> Result<(), StoreError>;

    /// Number of jobs by status; cheap enough for every scrape.
    async fn counts(&self) -> Result<Vec<(StatusCode, u64)>, StoreError>;

    /// Callbacks due, in order of their time.
    async fn calls_due(&self, now: Timestamp, limit: usize) -> Result<Vec<Call>, StoreError>;

    /// When the next callback is due.
    async fn next_call(&self) -> Result<Option<Timestamp>, StoreError>;

    /// A callback was made, or given up: forget it. One that took its place meanwhile stays.
    async fn call_done(&self, call: &Call) -> Result<(), StoreError>;

    /// A callback failed: try again then. One that took its place meanwhile stays as it is.
    async fn call_again(&self, call: &Call, tries: u32, due: Timestamp) -> Result<(), StoreError>;
}

/// What became of an insert.
#[derive(Clone, Debug, PartialEq)]
pub enum Inserted {
    /// Stored.
    New,
    /// A job of the same key is there already.
    Known {
        /// That job.
        id: JobId,
        /// Digest of the body that made it.
        body_digest: String,
    },
    /// A job has the id, or one that was removed had it.
    Taken,
}

/// Which jobs (query parameters of `GET /jobs`, `/req/job-list`). Empty lists do not filter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobFilter {
    /// Of these callers only: `Some(None)` = of nobody authenticated.
    pub owner: Option<Option<CallerId>>,
    /// Any of these processes.
    pub processes: Vec<String>,
    /// Any of these statuses.
    pub statuses: Vec<StatusCode>,
    /// Created at or after.
    pub created_from: Option<Timestamp>,
    /// Created at or before.
    pub created_to: Option<Timestamp>,
    /// Ran at least so many seconds: finished − started, or `now` − started while running.
    pub min_duration: Option<f64>,
    /// Ran at most so many seconds.
    pub max_duration: Option<f64>,
    /// Now, for the duration of running jobs.
    pub now: Timestamp,
}

/// Which part of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Page {
    /// Continue after this place; `None` = from the newest.
    pub after: Option<Cursor>,
    /// Most jobs.
    pub limit: usize,
}

/// A place in the list: it stays where it is whatever comes and goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cursor(pub i64);

/// A page of jobs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobPage {
    /// Newest first.
    pub jobs: Vec<Arc<Job>>,
    /// Where to go on; `None` = this was the last page.
    pub next: Option<Cursor>,
}

/// A callback that waits to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Identifier; also sent to the receiver, so that it can tell repeats.
    pub id: CallId,
    /// What it tells.
    pub kind: CallKind,
    /// Where to.
    pub url: String,
    /// Tries so far.
    pub tries: u32,
    /// Made at; tells it from one that takes its place.
    pub created: Timestamp,
    /// Due at.
    pub due: Timestamp,
}

/// Identifier of a callback: one per job and kind, so that a newer in-progress call takes the place of a waiting one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallId {
    /// The job.
    pub job: JobId,
    /// The kind.
    pub kind: CallKind,
}

/// What a callback tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallKind {
    /// `inProgressUri`.
    Progress,
    /// `successUri`.
    Success,
    /// `failedUri`.
    Failed,
}

/// Why a store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full; what was stored before is safe.
    #[error("the disk that holds the store is full")]
    Full,
    /// Another server has the store.
    #[error("another server (pid {pid}) uses the data directory {path}")]
    Taken {
        /// The data directory.
        path: String,
        /// Its process, 0 when unknown.
        pid: u32,
    },
    /// On a file system where locks and shared memory can't be relied on.
    #[error("{path} is on {kind}, where a database would be corrupted; name a local folder with --data")]
    NetworkFileSystem {
        /// The data directory.
        path: String,
        /// The file system.
        kind: &'static str,
    },
    /// Made by a newer version.
    #[error("the store has format {found}, this version reads up to {known}")]
    TooNew {
        /// Its format.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// A record that can't be read.
    #[error("the record of job {id} can't be read")]
    Record {
        /// The job.
        id: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The engine below failed.
    #[error("the store failed while {doing}")]
    Engine {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
