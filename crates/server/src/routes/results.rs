//! `GET /jobs/{id}/results` and what is below: results in the shape that request and client want.

mod page;
mod send;

pub(super) use send::unsatisfiable;

use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, StatusCode, Uri};
use rutter_core::job::{Job, ResponseShape, State as JobState};
use rutter_types::Problem;

use self::send::Sending;
use super::job::visible;
use crate::{
    access::Caller,
    base::Base,
    error::ApiError,
    negotiate,
    render::{
        outputs::{Output, outputs},
        prefer::Prefer,
        shape::{Shape, Wish, answer, of_output},
    },
    state::AppState,
};

/// Their routes.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/jobs/{id}/results", get(all))
        .route("/jobs/{id}/results/{output}", get(one))
        .route("/jobs/{id}/results/{output}/{index}", get(value))
}

/// The problem of a failed job, with the status that fits its cause (`/req/core/job-results-failed`).
pub(super) fn failed(exception: &Problem) -> ApiError {
    let status = exception.status.and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.filter(|status| status.is_client_error() || status.is_server_error());
    // 404 would say that there is no such job.
    let status =
        status.filter(|status| *status != StatusCode::NOT_FOUND).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let problem = Problem { status: Some(status.as_u16()), ..exception.clone() };
    ApiError::Other { status, problem: Box::new(problem) }
}

/// What a job has of what was asked, or why there is nothing (`/req/core/job-results-exception/*`).
fn available(state: &AppState, base: &Base, job: &Job) -> Result<Vec<Output>, ApiError> {
    let id = job.id;
    let none = |detail: String| Err(ApiError::ResultNotAvailable { detail });
    match &job.state {
        JobState::Accepted | JobState::Running { .. } => {
            Err(ApiError::ResultNotReady { id: id.to_string(), status: job.status().as_str() })
        }
        JobState::Failed { exception, .. } => Err(failed(exception)),
        JobState::Dismissed { .. } => none(format!("the job {id} was dismissed and has no results")),
        JobState::Successful { .. } => Ok(there(state, base, job)),
    }
}

/// What there is of the outputs of a job, however it ended.
fn there(state: &AppState, base: &Base, job: &Job) -> Vec<Output> {
    let processes = state.registry.snapshot();
    let process = processes.get(job.process.as_str()).map(|process| &**process);
    outputs(job, process, &base.url(&format!("/jobs/{}/results", job.id))).unwrap_or_default()
}

/// The answer to the request that made the job; never partial, never 304.
pub(super) async fn of_new_job(
    state: &AppState,
    base: &Base,
    job: &Job,
    wish: &Wish<'_>,
) -> Result<(Response, Shape), ApiError> {
    let (outputs, shape) = answer(&job.shape, available(state, base, job)?, wish)?;
    let sending = Sending { state, base, job, conditions: &HeaderMap::new() };
    Ok((sending.send(outputs, shape).await?, shape))
}

/// What a request for results says.
struct Asked {
    headers: HeaderMap,
    prefer: Prefer,
    f: Option<String>,
    profile: Option<String>,
}

impl Asked {
    fn of(headers: HeaderMap, uri: &Uri) -> Self {
        Self {
            prefer: Prefer::of(&headers),
            f: negotiate::f_of(uri),
            profile: negotiate::parameter(uri, "profile"),
            headers,
        }
    }

    fn wish(&self) -> Wish<'_> {
        Wish {
            headers: &self.headers,
            f: self.f.as_deref(),
            profile: self.profile.as_deref(),
            prefer: &self.prefer,
        }
    }
}

async fn all(
    State(state): State<AppState>,
    Path(id): Path<String>,
    uri: Uri,
    base: Base,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let job = visible(&state, &caller, &id).await?;
    let mut outputs = available(&state, &base, &job)?;
    let request = selected(&job, &mut outputs, &uri)?;
    let asked = Asked::of(headers, &uri);
    if outputs.is_empty() {
        let detail =
            format!("the job {id} has no results: its request asked for none, or the program made none");
        return Err(ApiError::ResultNotAvailable { detail });
    }
    let (outputs, shape) = answer(&request, outputs, &asked.wish())?;
    let sending = Sending { state: &state, base: &base, job: &job, conditions: &asked.headers };
    sending.send(outputs, shape).await
}

/// `outputs=a,b` (`/req/core/job-results-param-outputs`).
fn selected(job: &Job, outputs: &mut Vec<Output>, uri: &Uri) -> Result<ResponseShape, ApiError> {
    let mut request = job.shape.clone();
    let query = uri.query().unwrap_or_default();
    let mut wanted: Vec<String> = Vec::new();
    for (_, value) in url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "outputs") {
        wanted.extend(value.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned));
    }
    if wanted.is_empty() {
        return Ok(request);
    }
    if let Some(unknown) = wanted.iter().find(|id| !request.outputs.contains_key(id.as_str())) {
        let known: Vec<&str> = request.outputs.keys().map(rutter_core::id::OutputId::as_str).collect();
        return Err(ApiError::query("outputs", unknown, &format!("some of {}", known.join(","))));
    }
    request.answer.clear();
    request.outputs.retain(|id, _| wanted.iter().any(|wanted| wanted == id.as_str()));
    outputs.retain(|output| wanted.iter().any(|wanted| wanted == output.id.as_str()));
    Ok(request)
}

async fn one(
    State(state): State<AppState>,
    Path((id, output)): Path<(String, String)>,
    uri: Uri,
    base: Base,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let job = visible(&state, &caller, &id).await?;
    let output = named(&state, &base, &job, &output)?;
    respond(&state, &base, &job, output, Asked::of(headers, &uri)).await
}

async fn value(
    State(state): State<AppState>,
    Path((id, output, index)): Path<(String, String, String)>,
    uri: Uri,
    base: Base,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let job = visible(&state, &caller, &id).await?;
    let mut output = named(&state, &base, &job, &output)?;
    let count = output.values.len();
    let position = index.parse::<usize>().ok().filter(|at| *at < count && at.to_string() == index);
    let Some(position) = position else {
        let detail =
            format!("output {} has {count} values, numbered from 0; there is no {index:?}", output.id);
        return Err(ApiError::ResultNotAvailable { detail });
    };
    let was_many = output.is_many;
    output.href = output.value_href(position);
    output.values = vec![output.values.swap_remove(position)];
    output.is_many = false;
    let mut response = respond(&state, &base, &job, output, Asked::of(headers, &uri)).await?;
    if was_many {
        response.headers_mut().insert(send::VALUES_COUNT, count.into());
    }
    Ok(response)
}

async fn respond(
    state: &AppState,
    base: &Base,
    job: &Job,
    output: Output,
    asked: Asked,
) -> Result<Response, ApiError> {
    let shape = of_output(&output, &asked.wish())?;
    let sending = Sending { state, base, job, conditions: &asked.headers };
    Ok(sending.send(vec![output], shape).await?.into_response())
}

/// One output of a job, or which of three ways it is not there.
fn named(state: &AppState, base: &Base, job: &Job, id: &str) -> Result<Output, ApiError> {
    let found = there(state, base, job).into_iter().find(|output| output.id.as_str() == id);
    if let Some(output) = found.filter(|output| !output.values.is_empty()) {
        return Ok(output);
    }
    available(state, base, job)?;
    if job.shape.outputs.contains_key(id) {
        return Err(ApiError::ResultNotAvailable { detail: format!("the program made no output {id}") });
    }
    let processes = state.registry.snapshot();
    let described = processes.get(job.process.as_str());
    if described.is_some_and(|process| process.outputs.contains_key(id)) {
        let detail = format!("the request of this job did not ask for output {id}");
        return Err(ApiError::ResultNotAvailable { detail });
    }
    let known = job.shape.outputs.keys().map(ToString::to_string).collect();
    Err(ApiError::NoSuchOutput { id: id.chars().take(100).collect(), known })
}
