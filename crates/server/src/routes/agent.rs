//! What agents ask (`rutter_types::agent`), on a listener of their own.

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, FromRequestParts, Path, Query, State, rejection::JsonRejection},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use futures_util::{StreamExt, TryStreamExt};
use http::{HeaderValue, StatusCode, header, request::Parts};
use rutter_core::{
    agents::AgentError,
    executor::{AttemptName, ExecutorError},
    results::{ByteStream, ObjectError, Part},
};
use rutter_types::{
    Problem,
    agent::{
        LogAnswer, OLDEST_VERSION, OrderAnswer, Progress, Received, Report, Staged, StagedAnswer, Uploaded,
        VERSION, VERSION_HEADER, Verdict,
    },
    exception,
};
use serde::Deserialize;

use crate::{render::disposition::content_type, state::AppState};

const REPORT_LIMIT: usize = 64 * 1024 * 1024;
const STAGED_LIMIT: usize = 80 * 1024 * 1024;
const LOG_LIMIT: usize = 4 * 1024 * 1024;
const SMALL_LIMIT: usize = 1024 * 1024;

/// Their routes.
pub(crate) fn routes() -> Router<AppState> {
    let limited = DefaultBodyLimit::max;
    Router::new()
        .route("/agent/v1/order", post(order))
        .route("/agent/v1/results/{job}/{output}/{index}", get(result))
        .route("/agent/v1/package/{stage}", get(package_file))
        .route("/agent/v1/staged", post(staged).layer(limited(STAGED_LIMIT)))
        .route("/agent/v1/progress", post(progress).layer(limited(SMALL_LIMIT)))
        .route("/agent/v1/log", post(log).layer(limited(LOG_LIMIT)))
        // Bounded by the order itself, and never in memory as a whole.
        .route(
            "/agent/v1/outputs/{output}/{index}",
            put(upload).get(received).post(upload_part).layer(DefaultBodyLimit::disable()),
        )
        .route("/agent/v1/report", post(report).layer(limited(REPORT_LIMIT)))
}

/// An agent that showed a valid token and speaks this protocol.
struct Attempt(AttemptName);

impl FromRequestParts<AppState> for Attempt {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Refused> {
        let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        match text(VERSION_HEADER).map(str::parse::<u32>) {
            Some(Ok(OLDEST_VERSION..=VERSION)) => {}
            Some(Ok(version)) => return Err(Refused::Version(version)),
            Some(Err(_)) => {
                return Err(Refused::Bad(format!(
                    "the header {VERSION_HEADER} is no version: write a number"
                )));
            }
            None => return Err(Refused::Bad(format!("the header {VERSION_HEADER} is missing"))),
        }
        let token = text(header::AUTHORIZATION.as_str()).and_then(|value| value.split_once(' '));
        let token =
            token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
        let token = token.ok_or(Refused::Agent(AgentError::NoSuchAttempt))?;
        match state.engine.agents().identify(token).await? {
            Some(attempt) => Ok(Self(attempt)),
            None => Err(Refused::Agent(AgentError::NoSuchAttempt)),
        }
    }
}

/// Why an agent is not served.
#[derive(Debug)]
enum Refused {
    /// The agent's.
    Version(u32),
    Bad(String),
    TooLarge,
    Agent(AgentError),
}

impl From<AgentError> for Refused {
    fn from(error: AgentError) -> Self {
        Self::Agent(error)
    }
}

impl From<JsonRejection> for Refused {
    fn from(rejection: JsonRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            _ => Self::Bad(rejection.body_text()),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, detail) = match self {
            Self::Version(version) => (StatusCode::UPGRADE_REQUIRED, other_version(version)),
            Self::Bad(detail) => (StatusCode::BAD_REQUEST, detail),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large".to_owned()),
            Self::Agent(error) => (agent_status(&error), error.to_string()),
        };
        let problem = Problem {
            kind: format!("{}agent", exception::RUTTER),
            title: None,
            status: Some(status.as_u16()),
            detail: Some(detail),
            instance: None,
            errors: Vec::new(),
            more: rutter_types::JsonMap::new(),
        };
        let mut response = (status, Json(problem)).into_response();
        if status == StatusCode::UPGRADE_REQUIRED {
            response.headers_mut().insert(VERSION_HEADER, HeaderValue::from(VERSION));
        }
        response
    }
}

/// For the operator, who is the only one to help: the agent's last word, and a line of the log.
fn other_version(version: u32) -> String {
    tracing::warn!(
        version,
        "an agent of another release was refused; let agentImage be of the server's release"
    );
    let age = if version > VERSION { "newer" } else { "older" };
    format!(
        "this server understands the versions {OLDEST_VERSION} to {VERSION} of the agents' protocol, and this agent speaks \
         the {age} version {version}: let agentImage be of the server's release"
    )
}

fn agent_status(error: &AgentError) -> StatusCode {
    match error {
        AgentError::Over => StatusCode::GONE,
        AgentError::NoSuchAttempt => StatusCode::UNAUTHORIZED,
        AgentError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        AgentError::NoSpace => StatusCode::INSUFFICIENT_STORAGE,
        AgentError::Invalid { .. } => StatusCode::BAD_REQUEST,
        AgentError::Unavailable(cause) => {
            if matches!(cause.downcast_ref(), Some(ExecutorError::Away { .. })) {
                tracing::debug!(cause = %cause, "an agent could not be served now; it will ask again");
            } else {
                tracing::error!(cause = %cause, "an agent could not be served now; it will ask again");
            }
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

async fn order(
    State(state): State<AppState>,
    Attempt(attempt): Attempt,
) -> Result<Json<OrderAnswer>, Refused> {
    Ok(Json(state.engine.agents().order(&attempt).await?))
}

async fn staged(
    State(state): State<AppState>,
    Attempt(attempt): Attempt,
    body: Result<Json<Staged>, JsonRejection>,
) -> Result<Json<StagedAnswer>, Refused> {
    Ok(Json(state.engine.agents().staged(&attempt, body?.0).await?))
}

async fn progress(
    State(state): State<AppState>,
    Attempt(attempt): Attempt,
    body: Result<Json<Progress>, JsonRejection>,
) -> Result<StatusCode, Refused> {
    state.engine.agents().progress(&attempt, body?.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct At {
    offset: u64,
}

async fn log(
    State(state): State<AppState>,
    Attempt(attempt): Attempt,
    Query(at): Query<At>,
    bytes: Bytes,
) -> Result<Json<LogAnswer>, Refused> {
    Ok(Json(state.engine.agents().log(&attempt, at.offset, bytes).await?))
}

async fn upload(
    State(state): State<AppState>,
    Attempt(attempt): Attempt,
    Path((output, index)): Path<(String, usize)>,
    body: Body,
) -> Result<Json<Uploaded>, Refused> {
    Ok(Json(state.engine.agents().upload(&attempt, &output, index, pieces_of(body)).await?))
}

#[derive(Deserialize)]
struct Piece {
    offset: u64,
    size: u64,
}

async fn upload_part(
    State(state): State<AppState>,
    Attempt(attempt): Attempt,
    Path((output, index)): Path<(String, usize)>,
    Query(Piece { offset, size }): Query<Piece>,
    body: Body,
) -> Result<Json<Received>, Refused> {
    let part = Part { offset, size };
    Ok(Json(state.engine.agents().upload_part(&attempt, &output, index, part, pieces_of(body)).await?))
}

async fn received(
    State(state): State<AppState>,
    Attempt(attempt): Attempt,
    Path((output, index)): Path<(String, usize)>,
) -> Result<Json<Received>, Refused> {
    Ok(Json(state.engine.agents().received(&attempt, &output, index).await?))
}

fn pieces_of(body: Body) -> ByteStream {
    body.into_data_stream().map_err(|error| ObjectError::Source(error.into())).boxed()
}

async fn report(
    State(state): State<AppState>,
    Attempt(attempt): Attempt,
    body: Result<Json<Report>, JsonRejection>,
) -> Result<Json<Verdict>, Refused> {
    Ok(Json(state.engine.agents().report(&attempt, body?.0).await?))
}

async fn result(
    State(state): State<AppState>,
    Attempt(attempt): Attempt,
    Path((job, output, index)): Path<(String, String, usize)>,
) -> Result<Response, Refused> {
    let (value, pieces) = state.engine.agents().result(&attempt, &job, &output, index).await?;
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type(&value.media_type));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(value.size));
    Ok(response)
}

async fn package_file(
    State(state): State<AppState>,
    Attempt(attempt): Attempt,
    Path(stage): Path<usize>,
) -> Result<Response, Refused> {
    let (size, pieces) = state.engine.agents().package_file(&attempt, stage).await?;
    let mut response = Response::new(Body::from_stream(pieces));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    Ok(response)
}
