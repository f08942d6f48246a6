//! `GET` and `DELETE /jobs/{id}`: the status of a job, and its end; `GET /jobs/{id}/request`: what was asked.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, header};
use rutter_core::{
    engine::{Dismissed, Found},
    id::JobId,
    job::Job,
    logs::Line,
    python,
};
use rutter_types::{StatusCode, StatusInfo};
use serde_json::{Value, json};

use crate::{
    access::{Caller, may_see},
    answer,
    base::Base,
    cache::Document,
    error::ApiError,
    negotiate::{Format, Negotiated},
    render::status::StatusDocument,
    state::AppState,
    statuses::Status,
    ui::JobView,
};

/// Lines of the log on a job's page.
const TAIL: usize = 20;
/// Seconds between two loads of a page that changes.
pub(super) const REFRESH: u32 = 3;

/// Their routes.
pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/jobs/{id}", get(read).delete(dismiss)).route("/jobs/{id}/request", get(request))
}

/// The job of an id, if there is one that the caller may see. An id that can't be one is just unknown.
///
/// # Errors
/// [`ApiError::NoSuchJob`], [`ApiError::Gone`], or the store's.
pub(super) async fn visible(state: &AppState, caller: &Caller, id: &str) -> Result<Arc<Job>, ApiError> {
    let unknown = || ApiError::NoSuchJob { id: id.chars().take(100).collect() };
    let job_id: JobId = id.parse().map_err(|_| unknown())?;
    match state.engine.find(job_id).await? {
        Found::Job(job) if may_see(caller, &job) => Ok(job),
        Found::Job(_) | Found::Unknown => Err(unknown()),
        Found::Gone(at) => Err(ApiError::Gone { id: id.into(), at }),
    }
}

/// What is told of a job.
pub(crate) fn status_document<'a>(state: &AppState, base: &'a Base, job: &'a Job) -> StatusDocument<'a> {
    let document = StatusDocument::of(job, base.as_str(), state.engine.expires(job));
    document.with_parameters(parameters(state, job))
}

/// Those of jobs whose program is made for the older managers: their clients look for them.
fn parameters(state: &AppState, job: &Job) -> Option<String> {
    let processes = state.registry.snapshot();
    let process = processes.get(job.process.as_str())?;
    process.is_theirs().then(|| python::json_dumps(job.request.get("inputs").unwrap_or(&json!({}))))
}

/// The same as JSON text.
///
/// # Errors
/// Of serialising.
pub(crate) fn status_json(state: &AppState, base: &Base, job: &Job) -> Result<Vec<u8>, ApiError> {
    let mut text = Vec::with_capacity(2048);
    serde_json::to_writer(&mut text, &status_document(state, base, job))?;
    Ok(text)
}

/// The same of a stored job, ready to be sent.
///
/// # Errors
/// Of serialising.
pub(super) fn kept_status(state: &AppState, base: &Base, job: &Job) -> Result<Arc<Status>, ApiError> {
    let make = || Ok(Document::new(answer::JSON_TYPE, status_json(state, base, job)?));
    state.statuses.get(base, job, make)
}

/// The same for pages.
///
/// # Errors
/// Of serialising.
pub(super) fn status_info(state: &AppState, base: &Base, job: &Job) -> Result<StatusInfo, ApiError> {
    Ok(serde_json::from_slice(&status_json(state, base, job)?)?)
}

async fn read(
    State(state): State<AppState>,
    Path(id): Path<String>,
    base: Base,
    caller: Caller,
    negotiated: Negotiated,
) -> Result<Response, ApiError> {
    let job = visible(&state, &caller, &id).await?;
    match negotiated.format {
        Format::Json => Ok(kept_status(&state, &base, &job)?.document.respond(&negotiated)),
        Format::Html => respond(&state, &base, &job, &negotiated).await,
    }
}

async fn dismiss(
    State(state): State<AppState>,
    Path(id): Path<String>,
    base: Base,
    caller: Caller,
    negotiated: Negotiated,
) -> Result<Response, ApiError> {
    let job = visible(&state, &caller, &id).await?;
    let gone = |at| Err(ApiError::Gone { id: id.clone(), at });
    let mut job = match state.engine.dismiss(job.id).await? {
        Dismissed::Ended(job) | Dismissed::Removed(job) => Arc::unwrap_or_clone(job),
        Dismissed::Gone => return gone(state.engine.clock().now()),
        Dismissed::Unknown => return Err(ApiError::NoSuchJob { id }),
    };
    // A job that is removed is told as dismissed, whatever it was (`/req/dismiss/job-dismiss-success`).
    if job.status() != StatusCode::Dismissed {
        let finished = job.finished().unwrap_or(job.updated);
        job.state = rutter_core::job::State::Dismissed { started: job.started(), finished };
        job.message = Some("removed with its results".into());
    }
    respond(&state, &base, &job, &Negotiated { known: None, ..negotiated }).await
}

async fn respond(
    state: &AppState,
    base: &Base,
    job: &Job,
    negotiated: &Negotiated,
) -> Result<Response, ApiError> {
    let is_page = negotiated.format == Format::Html;
    let tail = if is_page { state.engine.logs().tail(job, TAIL).await? } else { Vec::new() };
    answer::respond(negotiated, &status_document(state, base, job), || page(state, base, job, tail))
}

fn page(state: &AppState, base: &Base, job: &Job, tail: Vec<String>) -> Result<String, ApiError> {
    let status = status_info(state, base, job)?;
    let processes = state.registry.snapshot();
    let title = processes.get(job.process.as_str()).and_then(|it| it.description.summary.title.as_deref());
    let peak =
        job.attempts.iter().filter_map(|attempt| attempt.usage.as_ref()).map(|it| it.peak_memory_bytes).max();
    let end = job.finished().unwrap_or_else(|| state.engine.clock().now());
    let view = JobView {
        status: &status,
        process_title: title,
        request: &job.request,
        log_tail: tail.iter().map(|line| Line::parse(line).text.to_owned()).collect(),
        seconds: job.started().map(|started| end.duration_since(started).as_secs_f64()),
        peak_memory: peak,
        refresh: (!job.status().is_terminal()).then_some(REFRESH),
    };
    state.pages.job(base, &view)
}

async fn request(
    State(state): State<AppState>,
    Path(id): Path<String>,
    base: Base,
    caller: Caller,
    negotiated: Negotiated,
) -> Result<Response, ApiError> {
    let job = visible(&state, &caller, &id).await?;
    let request: &Value = &job.request;
    let page = || state.pages.plain(&base, "Execute request", &serde_json::to_string_pretty(request)?);
    answer::respond(&negotiated, request, page).map(|mut response| {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response.into_response()
    })
}
