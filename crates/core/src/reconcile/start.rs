//! Launching what the executor has room for.

use std::sync::Arc;

use rutter_types::Problem;

use super::{Signal, pass::PassError};
use crate::{
    archive,
    engine::Parts,
    executor::{ExecutorError, LaunchEnd, Waiting},
    failure,
    id::{JobId, LaunchName},
    plan::Needs,
    store::StoreError,
};

/// What became of a start.
#[derive(Debug)]
pub(super) enum Started {
    /// Launched, or not to be launched any more.
    Done,
    /// To be tried again.
    Again(JobId, Needs, LaunchName),
}

/// Launch a waiting job: order written, launch counted, executor told. Each step finds what an earlier try did.
pub(super) async fn start(parts: &Parts, waiting: Waiting) -> Started {
    let name = waiting.name;
    match try_start(parts, name).await {
        Ok(true) => Started::Done,
        Ok(false) => {
            // Dismissed or removed while it waited: its room is free again.
            let _ = parts.executor.release(name).await;
            Started::Done
        }
        Err(PassError::Executor(ExecutorError::Impossible { reason })) => {
            fail(parts, waiting, &failure::cannot_start(&reason)).await
        }
        Err(PassError::Executor(ExecutorError::ImageMissing { reason })) => {
            let end = LaunchEnd::ImageMissing { reason };
            fail(parts, waiting, &failure::exception_of_end(&end)).await
        }
        Err(PassError::Executor(ExecutorError::NotYet { reason })) => {
            if let Ok(Some(job)) = parts.store.get(name.job).await {
                // Said once more at the next try.
                let _ = parts.waits_for(&job, &reason).await;
            }
            let _ = parts.executor.release(name).await;
            Started::Again(name.job, waiting.needs, name)
        }
        Err(error) => {
            complain(name.job, &error);
            let _ = parts.executor.release(name).await;
            Started::Again(name.job, waiting.needs, name)
        }
    }
}

fn complain(id: JobId, error: &PassError) {
    let cause: &dyn std::error::Error = error;
    if error.is_told() {
        tracing::debug!(job.id = %id, error = cause, "could not start; trying again");
    } else {
        tracing::warn!(job.id = %id, error = cause, "could not start; trying again");
    }
}

/// A launch that can't ever start fails its job.
async fn fail(parts: &Parts, waiting: Waiting, problem: &Problem) -> Started {
    let name = waiting.name;
    let now = parts.clock.now();
    let changed = parts.change(name.job, |job| job.failed(problem.clone(), now)).await;
    parts.signal(Signal::Look(name.job));
    let _ = parts.executor.release(name).await;
    match changed {
        Ok(_) => Started::Done,
        Err(_) => Started::Again(name.job, waiting.needs, name),
    }
}

async fn try_start(parts: &Parts, name: LaunchName) -> Result<bool, PassError> {
    let Some(job) = parts.store.get(name.job).await? else { return Ok(false) };
    let Some(plan) = parts.store.plan(name.job).await? else { return Ok(false) };
    if job.status().is_terminal() {
        return Ok(false);
    }
    let mut job = Arc::unwrap_or_clone(job);
    if job.launches < name.launch {
        let now = parts.clock.now();
        let launched = job.launched(now).map_err(|_| StoreError::Record {
            id: name.job.to_string(),
            source: serde::de::Error::custom("a waiting job that can't be launched"),
        })?;
        // Both before the launch; a loss of power in between leaves one without the other, and the job waits again.
        let (written, counted) =
            futures_util::join!(parts.write_order(&launched, &plan), parts.store.replace(&launched, &[]));
        written?;
        if !counted? {
            // Somebody was faster. Dismissed: its room is free again. Launched by another start of the same launch (a
            // job is waited for twice when it comes while a server takes up its work): that one must not be released.
            let now = parts.store.get(name.job).await?;
            if now.is_none_or(|job| job.status().is_terminal() || job.launches < name.launch) {
                return Ok(false);
            }
        }
        parts.changes.tell(name.job);
        job = launched;
    } else if !parts.has_order(name.job).await? {
        // An earlier try counted the launch and could not write it.
        parts.write_order(&job, &plan).await?;
    }
    parts.executor.launch_on_record(name, &plan, &|| archive::order_record(&job, &plan)).await?;
    Ok(true)
}
