//! Which way a process is executed (Part 1, `/req/core/process-execute-default-execution-mode`, `…-auto-execution-mode`).

use std::time::Duration;

use rutter_core::{job::Mode, process::Process};
use rutter_types::JobControl;

use crate::render::prefer::{Prefer, Returns};

/// How an execution is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// Mode of the job.
    pub(super) mode: Mode,
    /// How long the client waits for results; `None` = not at all.
    pub(super) wait: Option<Duration>,
    /// Whether the answer may be a job when the wait is over.
    pub(super) job_allowed: bool,
}

/// The way for a process and a client's preferences. `cap` is the longest wait of this server; `rather_async` = a client that says
/// nothing gets a job.
///
/// A client that asked for a job gets one even where it could wait, as the standard recommends; with `wait` beside it, it
/// gets the results when they come in time.
pub(super) fn way(process: &Process, prefer: &Prefer, rather_async: bool, cap: Duration) -> Way {
    // The older managers waited for whoever wanted it, whatever the description said.
    let synchronous = process.allows(JobControl::SyncExecute) || (process.is_theirs() && prefer.waits);
    // A process that declares nothing can be executed like one that declares both.
    let asynchronous = process.allows(JobControl::AsyncExecute) || !synchronous;
    let asked = prefer.wait.map(Duration::from_secs);
    if asynchronous && (prefer.respond_async || rather_async || !synchronous) {
        let wait = asked.filter(|wait| prefer.respond_async && synchronous && !wait.is_zero());
        return Way { mode: Mode::Async, wait: wait.map(|wait| wait.min(cap)), job_allowed: true };
    }
    Way { mode: Mode::Sync, wait: Some(asked.map_or(cap, |wait| wait.min(cap))), job_allowed: asynchronous }
}

/// Which preferences an answer honoured, for `Preference-Applied`.
pub(super) fn honoured(prefer: &Prefer, way: &Way, as_job: bool, shaped_by_return: bool) -> Vec<String> {
    let mut honoured = Vec::new();
    if prefer.respond_async && as_job && way.job_allowed {
        honoured.push("respond-async".to_owned());
    }
    if let (Some(asked), Some(wait)) = (prefer.wait, way.wait)
        && wait == Duration::from_secs(asked)
    {
        honoured.push(format!("wait={asked}"));
    }
    if !as_job && shaped_by_return {
        match prefer.returns {
            Some(Returns::Minimal) => honoured.push("return=minimal".to_owned()),
            Some(Returns::Representation) => honoured.push("return=representation".to_owned()),
            None => {}
        }
    }
    honoured
}
