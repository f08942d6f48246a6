//! `POST /processes/{id}/execution`: a job is made, and answered with itself or with its results.

mod mode;
mod request;
mod token;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
    routing::post,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rutter_core::{
    engine::Submission,
    id::{CallerId, JobId},
    job::{Job, Mode, State as JobState},
    process::Process,
    results::hex,
    validate::OwnResult,
};
use sha2::{Digest, Sha256};

use self::mode::{Way, honoured, way};
use super::{job::status_json, results};
use crate::{
    access::Caller,
    base::Base,
    body, callbacks,
    error::ApiError,
    negotiate,
    render::{
        prefer::{Prefer, applied},
        shape::{self, Shape, Wish},
    },
    state::AppState,
};

/// Its route; EOX's clients know it under another name as well.
pub(super) fn routes(with_alias: bool) -> Router<AppState> {
    let routes = Router::new().route("/processes/{id}/execution", post(execute));
    if with_alias { routes.route("/processes/{id}/jobs", post(execute)) } else { routes }
}

async fn execute(
    State(state): State<AppState>,
    Path(id): Path<String>,
    base: Base,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let processes = state.registry.snapshot();
    let process = super::processes::find(&processes, &id)?;
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    request::check_content_type(headers)?;
    let key = request::key(headers)?;
    let bytes = body::read(&state.config.limits, headers, body).await?;
    let mut read = request::read(&bytes, state.config.limits.json_depth)?;
    let id = if state.config.eox_requests { request::job_id(&read.body)? } else { None };
    token::take(state.config.caller_token.as_ref(), process, headers, &mut read)?;
    // Of what is kept, not of what came: a digest of a token is a way to guess it.
    let digest = match process.is_theirs() || process.caller_token {
        true => hex(&Sha256::digest(read.body.to_string())),
        false => hex(&Sha256::digest(&bytes)),
    };
    check_subscriber(&state, &read.request)?;
    let prefer = Prefer::of(headers);
    let rather_async = state.config.eox_requests && !prefer.waits;
    let way = way(process, &prefer, rather_async, state.config.limits.sync_wait);
    let f = negotiate::f_of(&parts.uri);
    let profile = negotiate::parameter(&parts.uri, "profile");
    let wish = Wish { headers, f: f.as_deref(), profile: profile.as_deref(), prefer: &prefer };
    if way.wait.is_some() {
        check_answerable(process, &read.request, &wish)?;
    }
    let order = Order { id, key, digest, mode: way.mode, read, caller: caller.id };
    let job = submit(&state, &base, process.clone(), order).await?;
    answer(&state, &base, job, &way, &wish).await
}

/// Whether those who want to be called may be.
fn check_subscriber(state: &AppState, request: &rutter_types::ExecuteRequest) -> Result<(), ApiError> {
    let Some(subscriber) = &request.subscriber else { return Ok(()) };
    match callbacks::faults(state.engine.settings(), subscriber) {
        faults if faults.is_empty() => Ok(()),
        faults => Err(ApiError::Invalid(faults)),
    }
}

/// What is submitted.
struct Order {
    id: Option<JobId>,
    key: Option<String>,
    digest: String,
    mode: Mode,
    read: request::Read,
    caller: Option<CallerId>,
}

/// Submit in a task of its own: a client that goes away between the store and the reconciler's waking would else leave a
/// job behind that nobody starts.
async fn submit(state: &AppState, base: &Base, process: Arc<Process>, order: Order) -> Result<Job, ApiError> {
    let (engine, base) = (state.engine.clone(), base.clone());
    let submitting = tokio::spawn(async move {
        let own_results = |url: &str| own_result(&base, url);
        let submission = Submission {
            process: &process,
            id: order.id,
            request: order.read.request,
            body: &order.read.body,
            body_digest: order.digest,
            caller: order.caller,
            mode: order.mode,
            key: order.key,
            own_results: &own_results,
        };
        engine.submit(submission).await
    });
    match submitting.await {
        Ok(submitted) => Ok(submitted?.job),
        Err(error) => {
            tracing::error!(%error, "a submission ended unexpectedly");
            Err(ApiError::Panicked)
        }
    }
}

/// Whether the client could take any answer: it should not wait for nothing.
fn check_answerable(
    process: &Process,
    request: &rutter_types::ExecuteRequest,
    wish: &Wish<'_>,
) -> Result<(), ApiError> {
    let chosen = request.outputs.as_ref();
    if chosen.is_none() && !process.answer.is_empty() {
        // It goes as it is, whatever it is.
        return Ok(());
    }
    let v1 = request.response.is_some()
        || chosen.is_some_and(|it| it.values().any(|it| it.transmission_mode.is_some()));
    let asked = |id: &str| chosen.is_none_or(|chosen| chosen.contains_key(id));
    let mut outputs = process.outputs.iter().filter(|(id, _)| asked(id.as_str())).map(|(_, output)| output);
    let types: Vec<&str> = match (outputs.next(), outputs.next()) {
        // Nothing is sent, to whoever asks.
        (None, _) => return Ok(()),
        (Some(only), None) => only.media_types.iter().map(String::as_str).collect(),
        // Several come together, in none of their own types.
        (Some(_), Some(_)) => Vec::new(),
    };
    shape::is_answerable(v1, &types, wish)
}

/// The job of one of our own result URLs: it is read here, with the caller's rights, and never over the network.
pub(crate) fn own_result(base: &Base, url: &str) -> Option<OwnResult> {
    let path = base.own_path(url)?;
    let path = path.split(['?', '#']).next()?;
    let mut segments = path.strip_prefix("/jobs/")?.split('/');
    let job = segments.next()?.parse().ok()?;
    segments.next().filter(|segment| *segment == "results")?;
    let output = segments.next()?.parse().ok()?;
    let index = segments.next().map_or(Some(0), |text| text.parse().ok())?;
    segments.next().is_none().then_some(OwnResult { job, output, index })
}

async fn answer(
    state: &AppState,
    base: &Base,
    job: Job,
    way: &Way,
    wish: &Wish<'_>,
) -> Result<Response, ApiError> {
    let Some(limit) = way.wait else { return created(state, base, &job, way, wish.prefer) };
    let id = job.id;
    let job = state.engine.wait(id, limit).await?.ok_or_else(|| removed(id))?;
    match &job.state {
        JobState::Successful { .. } => with_results(state, base, &job, way, wish).await,
        JobState::Failed { exception, .. } => {
            let error = results::failed(exception);
            Ok(monitored(error.into_response(), base, &job))
        }
        JobState::Dismissed { .. } => Err(removed(id)),
        JobState::Accepted | JobState::Running { .. } if way.job_allowed => {
            created(state, base, &job, way, wish.prefer)
        }
        JobState::Accepted | JobState::Running { .. } => {
            Err(ApiError::SyncTimeout { seconds: limit.as_secs(), job: base.url(&format!("/jobs/{id}")) })
        }
    }
}

fn removed(id: JobId) -> ApiError {
    ApiError::ResultNotAvailable { detail: format!("the job {id} was dismissed before it had results") }
}

/// 201 with the job (`/req/core/process-execute-success-async`).
fn created(
    state: &AppState,
    base: &Base,
    job: &Job,
    way: &Way,
    prefer: &Prefer,
) -> Result<Response, ApiError> {
    let mut response = (StatusCode::CREATED, status_json(state, base, job)?).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(location) = HeaderValue::try_from(base.url(&format!("/jobs/{}", job.id))) {
        headers.insert(header::LOCATION, location);
    }
    preferences(headers, &honoured(prefer, way, true, false));
    Ok(response)
}

async fn with_results(
    state: &AppState,
    base: &Base,
    job: &Job,
    way: &Way,
    wish: &Wish<'_>,
) -> Result<Response, ApiError> {
    let (mut response, shape) = results::of_new_job(state, base, job, wish).await?;
    let by_return = job.shape.v1.is_none() && matches!(shape, Shape::Document(_) | Shape::Values(_));
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::try_from(base.url(&format!("/jobs/{}/results", job.id))) {
        headers.insert(header::CONTENT_LOCATION, location);
    }
    preferences(headers, &honoured(wish.prefer, way, false, by_return));
    Ok(monitored(response, base, job))
}

/// Names the job (`/req/core/job-results-success-sync`), but not to clients of 1.0: the official suite fails on any `Link`.
fn monitored(mut response: Response, base: &Base, job: &Job) -> Response {
    let link =
        HeaderValue::try_from(format!("<{}>; rel=\"monitor\"", base.url(&format!("/jobs/{}", job.id))));
    if job.shape.v1.is_none()
        && let Ok(link) = link
    {
        response.headers_mut().append(header::LINK, link);
    }
    response
}

fn preferences(headers: &mut HeaderMap, honoured: &[String]) {
    headers.append(header::VARY, HeaderValue::from_static("Prefer"));
    if let Some(applied) = applied(honoured) {
        headers.insert("preference-applied", applied);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_result_urls_are_read_here() {
        let base = Base::new("http://127.0.0.1:8080/x");
        let job = JobId::generate();
        let url = |tail: &str| format!("http://127.0.0.1:8080/x/jobs/{job}/results/{tail}");
        assert_eq!(own_result(&base, &url("depth")).unwrap().index, 0);
        assert_eq!(own_result(&base, &url("depth/3?f=raw")).unwrap().index, 3);
        for foreign in [
            url(""),
            url("a/x"),
            url("a/1/2"),
            url("../x"),
            format!("http://127.0.0.1:8080/jobs/{job}/results/a"),
            format!("http://evil/x/jobs/{job}/results/a"),
        ] {
            assert_eq!(own_result(&base, &foreign), None, "{foreign}");
        }
    }
}
