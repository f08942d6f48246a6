//! What a callback says: the results to `successUri`, the status to the others (class `callback`).

use bytes::Bytes;
use futures_util::TryStreamExt;
use rutter_core::{
    job::{Job, State as JobState},
    results::ObjectError,
    store::CallKind,
};

use crate::{
    base::Base,
    error::ApiError,
    render::{
        document::{Inline, document},
        outputs::outputs,
        shape::INLINE,
    },
    routes::status_json,
    state::AppState,
};

/// The body for a job as it is now; `None` = there is nothing to tell any more.
pub(super) async fn body(
    state: &AppState,
    base: &Base,
    job: &Job,
    kind: CallKind,
) -> Result<Option<Bytes>, ApiError> {
    match kind {
        CallKind::Success if matches!(job.state, JobState::Successful { .. }) => {
            Ok(Some(results(state, base, job).await?))
        }
        CallKind::Success => Ok(None),
        CallKind::Progress | CallKind::Failed => Ok(Some(status_json(state, base, job)?.into())),
    }
}

async fn results(state: &AppState, base: &Base, job: &Job) -> Result<Bytes, ObjectError> {
    let processes = state.registry.snapshot();
    let process = processes.get(job.process.as_str()).map(|process| &**process);
    let href = base.url(&format!("/jobs/{}/results", job.id));
    let outputs = outputs(job, process, &href).unwrap_or_default();
    let pieces: Vec<Bytes> =
        document(state.engine.objects().clone(), outputs, Inline::UpTo(INLINE)).try_collect().await?;
    Ok(pieces.concat().into())
}
