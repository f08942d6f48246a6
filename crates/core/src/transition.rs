//! How a job's record changes: load, transition, compare-and-set, tell. The one way in which states are written.

use std::sync::Arc;

use rutter_types::StatusCode;

use crate::{
    engine::Parts,
    id::JobId,
    job::{Job, TransitionError},
    store::{Call, CallId, CallKind, StoreError},
};

/// What became of a change.
#[derive(Debug)]
pub(crate) enum Changed {
    /// Stored: the job as it is now.
    Done(Arc<Job>),
    /// The job can't change so: it is as it was.
    Refused(Arc<Job>),
    /// There is no such job.
    Missing,
}

impl Parts {
    /// Change a job; tried again when somebody else changed it in between.
    pub(crate) async fn change(
        &self,
        id: JobId,
        step: impl Fn(Job) -> Result<Job, TransitionError>,
    ) -> Result<Changed, StoreError> {
        loop {
            let Some(before) = self.store.get(id).await? else { return Ok(Changed::Missing) };
            let Ok(mut after) = step(Job::clone(&before)) else { return Ok(Changed::Refused(before)) };
            // A step may take several transitions; to the store it is one.
            after.revision = before.revision + 1;
            let calls = calls_for(&before, &after);
            if self.store.replace(&after, &calls).await? {
                if before.status() != after.status() {
                    log_status(&after);
                }
                self.changes.tell(id);
                if !calls.is_empty() {
                    self.calls.notify_one();
                }
                return Ok(Changed::Done(Arc::new(after)));
            }
        }
    }
}

/// Callbacks that a change calls for (class `callback`): each change while it runs, and its end.
fn calls_for(before: &Job, after: &Job) -> Vec<Call> {
    let Some(subscriber) = &after.subscriber else { return Vec::new() };
    let moved = before.status() != after.status() || before.progress != after.progress;
    let wanted = match after.status() {
        StatusCode::Running if moved => (CallKind::Progress, &subscriber.in_progress),
        StatusCode::Successful if moved => (CallKind::Success, &subscriber.success),
        StatusCode::Failed | StatusCode::Dismissed if moved => (CallKind::Failed, &subscriber.failed),
        _ => return Vec::new(),
    };
    let (kind, Some(url)) = wanted else { return Vec::new() };
    vec![Call {
        id: CallId { job: after.id, kind },
        kind,
        url: url.clone(),
        tries: 0,
        created: after.updated,
        due: after.updated,
    }]
}

fn log_status(job: &Job) {
    let status = job.status().as_str();
    tracing::info!(job.id = %job.id, job.process = %job.process, job.status = status, "job is {status}");
}
