//! `GET /jobs/{id}/logs`: what the program printed, as text: so far, in part, or followed to its end.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use rutter_core::{
    id::JobId,
    job::Job,
    logs::Line,
    results::{ByteStream, ObjectError},
};

use super::{
    job::{REFRESH, status_info, visible},
    results::unsatisfiable,
};
use crate::{
    access::Caller,
    answer,
    base::Base,
    error::ApiError,
    negotiate::{self, HTML, Offer},
    render::{
        conditional::{Part, part},
        flow::{self, Sink, Stop, flow},
    },
    state::AppState,
    ui::{LogLine, LogView},
};

const TEXT: Offer<'static> = Offer { media_type: "text/plain", short: "text" };
/// Bytes read at a time.
const PIECE: usize = 64 * 1024;
/// Lines on the page.
const LINES: usize = 500;

/// Its route.
pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/jobs/{id}/logs", get(read))
}

async fn read(
    State(state): State<AppState>,
    Path(id): Path<String>,
    uri: Uri,
    base: Base,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let follow = flag(&uri, "follow")?;
    let job = visible(&state, &caller, &id).await?;
    let job = match number(&uri, "attempt")? {
        Some(_) if follow => return Err(ApiError::query("follow", "true", "false, or ask for no attempt")),
        Some(attempt) => only(&job, attempt)?,
        None => job,
    };
    let f = negotiate::f_of(&uri);
    if negotiate::choose(&headers, f.as_deref(), &[TEXT, HTML])? == 1 {
        return page(&state, &base, &job).await;
    }
    let offset = number(&uri, "offset")?;
    let length = state.engine.logs().len(&job).await?;
    let (range, status) = match (offset, follow) {
        (_, true) => (offset.unwrap_or(0)..u64::MAX, StatusCode::OK),
        (Some(offset), false) => (offset.min(length)..length, StatusCode::OK),
        (None, false) => match part(&headers, length, None) {
            Part::Whole => (0..length, StatusCode::OK),
            Part::Bytes(range) => (range, StatusCode::PARTIAL_CONTENT),
            Part::Unsatisfiable => return Ok(unsatisfiable(length)),
        },
    };
    let known = (!follow).then(|| range.end - range.start);
    let content_range = format!("bytes {}-{}/{length}", range.start, range.end.saturating_sub(1));
    let pieces = if follow { followed(state, job.id, range.start) } else { portion(state, job, range) };
    let mut response = if follow { stream_at_once(pieces) } else { flow::response(pieces, known).await? };
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    if status == StatusCode::PARTIAL_CONTENT {
        headers.extend(HeaderValue::try_from(content_range).map(|range| (header::CONTENT_RANGE, range)));
    }
    Ok(response)
}

fn number(uri: &Uri, name: &str) -> Result<Option<u64>, ApiError> {
    negotiate::parameter(uri, name)
        .map(|text| text.parse().map_err(|_| ApiError::query(name, &text, "a whole number")))
        .transpose()
}

/// The job as if an attempt (from 1) had been its only one.
fn only(job: &Job, attempt: u64) -> Result<Arc<Job>, ApiError> {
    let index = attempt.checked_sub(1).and_then(|index| usize::try_from(index).ok());
    let wanted = index.and_then(|index| job.attempts.get(index)).cloned();
    let known = || format!("a number from 1 to {}: the job has no other attempts", job.attempts.len());
    let wanted = wanted.ok_or_else(|| ApiError::query("attempt", &attempt.to_string(), &known()))?;
    Ok(Arc::new(Job { attempts: vec![wanted], ..job.clone() }))
}

fn flag(uri: &Uri, name: &str) -> Result<bool, ApiError> {
    match negotiate::parameter(uri, name).as_deref() {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1" | "") => Ok(true),
        Some(other) => Err(ApiError::query(name, other, "true or false")),
    }
}

/// The head must not wait for the first line.
fn stream_at_once(pieces: ByteStream) -> Response {
    Response::new(axum::body::Body::from_stream(pieces))
}

/// A part that is there already.
fn portion(state: AppState, job: Arc<Job>, range: std::ops::Range<u64>) -> ByteStream {
    flow(|sink| async move {
        let mut at = range.start;
        while at < range.end {
            let most = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(PIECE);
            let piece = state.engine.logs().read(&job, at, most).await.map_err(stop)?;
            if piece.is_empty() {
                return Err(Stop::Failed(ObjectError::Missing { key: format!("log of job {}", job.id) }));
            }
            at += piece.len() as u64;
            sink.send(piece).await?;
        }
        Ok(())
    })
}

/// Everything from a place, until the job is over.
fn followed(state: AppState, id: JobId, from: u64) -> ByteStream {
    flow(move |sink| async move {
        let mut stopping = state.stopping();
        let mut subscription = state.engine.changes().subscribe(id);
        let mut at = from;
        loop {
            let Some(job) = state.engine.store().get(id).await.map_err(stop)? else { return Ok(()) };
            at = send_new(&state, &job, at, &sink).await?;
            if job.status().is_terminal() {
                return Ok(());
            }
            tokio::select! {
                () = subscription.changed() => {}
                () = sink.closed() => return Ok(()),
                () = rutter_core::told_to_stop(&mut stopping) => return Ok(()),
            }
        }
    })
}

async fn send_new(state: &AppState, job: &Job, mut at: u64, sink: &Sink) -> Result<u64, Stop> {
    loop {
        let piece = state.engine.logs().read(job, at, PIECE).await.map_err(stop)?;
        if piece.is_empty() {
            return Ok(at);
        }
        at += piece.len() as u64;
        sink.send(piece).await?;
    }
}

/// A fault while an answer is being sent: it can only be broken off.
pub(super) fn stop(error: impl std::error::Error + Send + Sync + 'static) -> Stop {
    Stop::Failed(ObjectError::Source(Box::new(error)))
}

async fn page(state: &AppState, base: &Base, job: &Job) -> Result<Response, ApiError> {
    let tail = state.engine.logs().tail(job, LINES + 1).await?;
    let cut = tail.len() > LINES;
    let lines = tail[tail.len().saturating_sub(LINES)..].iter().map(|line| log_line(line)).collect();
    let status = status_info(state, base, job)?;
    let view = LogView {
        status: &status,
        lines,
        cut,
        plain: base.url(&format!("/jobs/{}/logs?f=text", job.id)),
        refresh: (!job.status().is_terminal()).then_some(REFRESH),
    };
    let mut response = Response::new(state.pages.log(base, &view)?.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, answer::HTML_TYPE);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    answer::page_headers(headers);
    Ok(response)
}

fn log_line(line: &str) -> LogLine {
    let parsed = Line::parse(line);
    LogLine { time: parsed.time.parse().ok(), stream: parsed.stream.to_owned(), text: parsed.text.to_owned() }
}
