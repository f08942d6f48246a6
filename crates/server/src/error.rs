//! Every way a request can fail, and the one place that knows which status and exception each gets.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use rutter_core::{
    engine::{EngineError, SubmitError},
    logs::LogError,
    results::ObjectError,
    store::StoreError,
};
use rutter_types::{Fault, JsonMap, Problem, exception};
use serde_json::json;

/// Why a request gets no answer, or not the one it wanted.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Nothing at this path.
    #[error("there is nothing at this path; the landing page lists what there is")]
    NoSuchPath,
    /// Not this method.
    #[error("the method is not allowed here; the header Allow lists those that are")]
    MethodNotAllowed,
    /// Unknown process.
    #[error("there is no process {id:?}{}", hint(near.as_deref()))]
    NoSuchProcess {
        /// What was asked.
        id: String,
        /// A known one that looks like it.
        near: Option<String>,
    },
    /// Unknown job, or one that the caller must not see.
    #[error("there is no job {id:?}")]
    NoSuchJob {
        /// What was asked.
        id: String,
    },
    /// A job that was removed.
    #[error("the job {id} was removed with its results at {at}")]
    Gone {
        /// The job.
        id: String,
        /// When.
        at: jiff::Timestamp,
    },
    /// Results of an unfinished job.
    #[error("the job {id} is {status}; its results are there when it is successful")]
    ResultNotReady {
        /// The job.
        id: String,
        /// Its status.
        status: &'static str,
    },
    /// The job ended without what was asked.
    #[error("{detail}")]
    ResultNotAvailable {
        /// What is not there, and why.
        detail: String,
    },
    /// Unknown output.
    #[error("the job has no output {id:?}; it has {}", known.join(", "))]
    NoSuchOutput {
        /// What was asked.
        id: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A query parameter.
    #[error("the query parameter {name} is {received:?}, and must be {allowed}")]
    InvalidQuery {
        /// Its name.
        name: String,
        /// Its value.
        received: String,
        /// What would be right.
        allowed: String,
    },
    /// Inputs or outputs that break the process description: every fault.
    #[error("the request has {}", count(.0.len(), "fault"))]
    Invalid(Vec<Fault>),
    /// A request that can't be understood at all.
    #[error("{detail}")]
    BadRequest {
        /// What is wrong and what to change.
        detail: String,
    },
    /// No representation fits.
    #[error("no representation fits; there is {}", offers.iter().map(|(media, short)| format!("{media} (f={short})")).collect::<Vec<_>>().join(", "))]
    NotAcceptable {
        /// Media types with their short names.
        offers: Vec<(String, String)>,
    },
    /// A body of another kind.
    #[error("the body is {received}, and must be {allowed}")]
    UnsupportedMediaType {
        /// What came.
        received: String,
        /// What would be right.
        allowed: &'static str,
    },
    /// A body that is too long.
    #[error(
        "the body is longer than {limit} bytes, the limit of this server; give large inputs by reference"
    )]
    TooLarge {
        /// The limit, bytes.
        limit: u64,
    },
    /// The body did not come.
    #[error("the body stopped coming, or came too slowly")]
    BodyStopped,
    /// The same key with another body.
    #[error("this Idempotency-Key was used for another request; use a new key for a new request")]
    KeyReused,
    /// A job id that is not new.
    #[error("the id in job_id is taken; send a new UUID, or none")]
    IdTaken,
    /// No unit of the process can run here.
    #[error("{reason}")]
    NotRunnable {
        /// Why.
        reason: String,
    },
    /// A synchronous request took too long; the job goes on.
    #[error("the results did not come within {seconds} seconds; the job goes on at {job}")]
    SyncTimeout {
        /// How long it was waited.
        seconds: u64,
        /// URL of the job.
        job: String,
    },
    /// Not authenticated.
    #[error("{reason}")]
    Unauthorized {
        /// Why.
        reason: &'static str,
        /// Whether a token came and was wrong.
        wrong_token: bool,
    },
    /// Authenticated, and not allowed; or a web page that must not call.
    #[error("{reason}")]
    Forbidden {
        /// Why.
        reason: String,
    },
    /// A `Host` that is not ours.
    #[error(
        "this server does not answer to the name in the header Host; call it as localhost or by its address, or set server.publicUrl"
    )]
    Misdirected,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object store.
    #[error(transparent)]
    Objects(#[from] ObjectError),
    /// Logs.
    #[error(transparent)]
    Logs(#[from] LogError),
    /// A page that could not be made.
    #[error("the page could not be made")]
    Page(#[from] minijinja::Error),
    /// A document that could not be made.
    #[error("the document could not be made")]
    Document(#[from] serde_json::Error),
    /// A handler that panicked.
    #[error("the server made a mistake")]
    Panicked,
    /// A problem that came from elsewhere, such as the exception of a failed job.
    #[error("{}", problem.detail.as_deref().unwrap_or("the request failed"))]
    Other {
        /// Status to answer with.
        status: StatusCode,
        /// The problem.
        problem: Box<Problem>,
    },
}

/// What an error answer tells; the front tells it in the client's format.
#[derive(Clone, Debug)]
pub(crate) struct Told(pub(crate) Arc<Problem>);

fn hint(near: Option<&str>) -> String {
    near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default()
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("one {what}") } else { format!("{number} {what}s") }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(error) => error.into(),
            EngineError::Objects(error) => error.into(),
            EngineError::Logs(error) => error.into(),
        }
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Invalid(faults) => Self::Invalid(faults),
            SubmitError::NotRunnable { reason } => Self::NotRunnable { reason },
            SubmitError::KeyReused => Self::KeyReused,
            SubmitError::IdTaken => Self::IdTaken,
            SubmitError::Store(error) => error.into(),
        }
    }
}

impl ApiError {
    /// A bad value of a query parameter.
    pub fn query(name: &str, received: &str, allowed: &str) -> Self {
        let received = received.chars().take(100).collect();
        Self::InvalidQuery { name: name.into(), received, allowed: allowed.into() }
    }

    /// A request that can't be understood.
    pub fn bad(detail: impl Into<String>) -> Self {
        Self::BadRequest { detail: detail.into() }
    }

    /// Status, exception type and title.
    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::NoSuchPath => (S::NOT_FOUND, "no-such-path", "no such path"),
            Self::MethodNotAllowed => (S::METHOD_NOT_ALLOWED, "method-not-allowed", "method not allowed"),
            Self::NoSuchProcess { .. } => (S::NOT_FOUND, exception::NO_SUCH_PROCESS, "no such process"),
            Self::NoSuchJob { .. } => (S::NOT_FOUND, exception::NO_SUCH_JOB, "no such job"),
            Self::Gone { .. } => (S::GONE, "gone", "the job is gone"),
            Self::ResultNotReady { .. } => {
                (S::NOT_FOUND, exception::RESULT_NOT_READY, "the result is not ready")
            }
            Self::ResultNotAvailable { .. } => {
                (S::NOT_FOUND, exception::RESULT_NOT_AVAILABLE, "the result is not available")
            }
            Self::NoSuchOutput { .. } => (S::BAD_REQUEST, exception::NO_SUCH_OUTPUT, "no such output"),
            Self::InvalidQuery { .. } => {
                (S::BAD_REQUEST, exception::INVALID_QUERY, "invalid query parameter")
            }
            Self::Invalid(_) => (S::BAD_REQUEST, exception::INVALID_PARAMETER, "invalid request"),
            Self::BadRequest { .. } => (S::BAD_REQUEST, "bad-request", "bad request"),
            Self::NotAcceptable { .. } => (S::NOT_ACCEPTABLE, "not-acceptable", "no representation fits"),
            Self::UnsupportedMediaType { .. } => {
                (S::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "unsupported media type")
            }
            Self::TooLarge { .. } => (S::PAYLOAD_TOO_LARGE, "too-large", "the body is too large"),
            Self::BodyStopped => (S::REQUEST_TIMEOUT, "body-stopped", "the body stopped coming"),
            Self::KeyReused => (S::UNPROCESSABLE_ENTITY, "idempotency-key-reused", "the key was used before"),
            Self::IdTaken => (S::CONFLICT, "job-id-taken", "the id is taken"),
            Self::NotRunnable { .. } => (S::NOT_IMPLEMENTED, "not-runnable", "the process can't run here"),
            Self::SyncTimeout { .. } => (S::GATEWAY_TIMEOUT, "sync-timeout", "the results take longer"),
            Self::Unauthorized { .. } => (S::UNAUTHORIZED, "unauthorized", "authentication is needed"),
            Self::Forbidden { .. } => (S::FORBIDDEN, "forbidden", "not allowed"),
            Self::Misdirected => (S::MISDIRECTED_REQUEST, "misdirected", "not the name of this server"),
            Self::Store(StoreError::Full)
            | Self::Objects(ObjectError::NoSpace)
            | Self::Logs(LogError::NoSpace | LogError::Archive(ObjectError::NoSpace)) => {
                (S::INSUFFICIENT_STORAGE, "no-space", "the server's disk is full")
            }
            Self::Objects(ObjectError::TooLarge { .. }) => (S::PAYLOAD_TOO_LARGE, "too-large", "too large"),
            Self::Objects(ObjectError::Source(_)) => {
                (S::BAD_REQUEST, "body-stopped", "the bytes stopped coming")
            }
            Self::Store(_) | Self::Objects(_) | Self::Logs(_) => {
                (S::SERVICE_UNAVAILABLE, "unavailable", "the server can't reach its data")
            }
            Self::Page(_) | Self::Document(_) | Self::Panicked => {
                (S::INTERNAL_SERVER_ERROR, "internal", "the server made a mistake")
            }
            Self::Other { status, .. } => (*status, "other", "the request failed"),
        }
    }

    /// Status of the answer.
    pub fn status(&self) -> StatusCode {
        self.kind().0
    }

    /// What is told of it. Internal detail is not.
    pub fn problem(&self) -> Problem {
        if let Self::Other { problem, .. } = self {
            return Problem::clone(problem);
        }
        let (status, kind, title) = self.kind();
        let kind = match kind.starts_with("http") || kind == exception::INVALID_PARAMETER {
            true => kind.to_owned(),
            false => format!("{}{kind}", exception::RUTTER),
        };
        Problem {
            kind,
            title: Some(title.into()),
            status: Some(status.as_u16()),
            detail: Some(self.detail()),
            instance: None,
            errors: if let Self::Invalid(faults) = self { faults.clone() } else { Vec::new() },
            more: self.more(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Invalid(faults) if faults.len() == 1 => {
                let fault = &faults[0];
                match fault.pointer.as_str() {
                    // The whole body.
                    "" => fault.detail.clone(),
                    pointer => format!("{pointer}: {}", fault.detail),
                }
            }
            Self::Store(StoreError::Full)
            | Self::Objects(ObjectError::NoSpace)
            | Self::Logs(LogError::NoSpace) => {
                "the disk of the server is full; nothing stored before is lost; try again when there is room"
                    .into()
            }
            Self::Store(_)
            | Self::Logs(_)
            | Self::Objects(ObjectError::Store(_) | ObjectError::Document { .. }) => {
                "the server can't reach its data now; its log says why; try again later".into()
            }
            Self::Page(_) | Self::Document(_) | Self::Panicked => "the log of the server says more".into(),
            other => other.to_string(),
        }
    }

    fn more(&self) -> JsonMap {
        let mut more = JsonMap::new();
        match self {
            Self::NotAcceptable { offers } => {
                let types = offers.iter().map(|(media_type, _)| media_type.as_str());
                more.insert("available".into(), types.collect());
            }
            Self::InvalidQuery { name, received, allowed } => {
                more.insert("parameter".into(), json!(name));
                more.insert("received".into(), json!(received));
                more.insert("allowed".into(), json!(allowed));
            }
            Self::NoSuchOutput { known, .. } => {
                more.insert("allowed".into(), json!(known));
            }
            Self::SyncTimeout { job, .. } => {
                more.insert("job".into(), json!(job));
            }
            _ => {}
        }
        more
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut add = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.append(name, value);
            }
        };
        match self {
            Self::Unauthorized { wrong_token, .. } => {
                let why = if *wrong_token { ", error=\"invalid_token\"" } else { "" };
                add(header::WWW_AUTHENTICATE, &format!("Bearer realm=\"rutter\"{why}"));
                // Browsers know no other way to ask a person for a token.
                add(header::WWW_AUTHENTICATE, "Basic realm=\"rutter\", charset=\"UTF-8\"");
            }
            Self::SyncTimeout { job, .. } => add(header::LINK, &format!("<{job}>; rel=\"monitor\"")),
            Self::UnsupportedMediaType { allowed, .. } => {
                add(HeaderName::from_static("accept-post"), allowed)
            }
            Self::Store(_) | Self::Objects(_) | Self::Logs(_) if self.status().is_server_error() => {
                add(header::RETRY_AFTER, "10");
            }
            // What is left of the body would be read as the next request.
            Self::TooLarge { .. } | Self::BodyStopped => add(header::CONNECTION, "close"),
            _ => {}
        }
        headers
    }

    fn log(&self, status: StatusCode) {
        if !status.is_server_error()
            || matches!(self, Self::SyncTimeout { .. } | Self::NotRunnable { .. } | Self::Other { .. })
        {
            return;
        }
        let mut causes = String::new();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            causes.push_str(": ");
            causes.push_str(&cause.to_string());
            source = cause.source();
        }
        tracing::error!(http.status = status.as_u16(), "a request failed: {self}{causes}");
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = self.problem();
        let status = self.status();
        self.log(status);
        let body = serde_json::to_vec(&problem).map_or_else(|_| Bytes::new(), Bytes::from);
        let mut response = (status, self.headers(), body).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response.extensions_mut().insert(Told(Arc::new(problem)));
        response
    }
}
