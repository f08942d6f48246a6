//! `GET /jobs/{id}/events`: status, progress and log lines of a job as server-sent events.
//!
//! The id of each event is a [`Cursor`] made of nothing but what is durable, so a client that comes back with
//! `Last-Event-ID` misses nothing and gets nothing twice, whatever happened to the server meanwhile: states that were
//! passed are told from the record, log lines from their place in the log.

mod cursor;
mod follow;

use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use self::{cursor::Cursor, follow::Follow};
use super::job::visible;
use crate::{
    access::Caller,
    base::Base,
    error::ApiError,
    negotiate::{self, Offer},
    render::flow::flow,
    state::AppState,
};

const EVENTS: Offer<'static> = Offer { media_type: "text/event-stream", short: "events" };

/// Its route.
pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/jobs/{id}/events", get(read))
}

async fn read(
    State(state): State<AppState>,
    Path(id): Path<String>,
    uri: Uri,
    base: Base,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let job = visible(&state, &caller, &id).await?;
    let f = negotiate::f_of(&uri);
    negotiate::choose(&headers, f.as_deref(), &[EVENTS])?;
    let cursor = last_seen(&headers, &uri)?;
    if cursor.is_end() {
        // Tells an `EventSource` not to come back (HTML standard, section 9.2.3).
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let pieces = flow(move |sink| Follow::new(state, base, job.id, cursor, sink).run());
    let mut response = Response::new(axum::body::Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    // nginx would hold events back until its buffer is full.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// Where the client is: by the header that browsers send, or by the query.
fn last_seen(headers: &HeaderMap, uri: &Uri) -> Result<Cursor, ApiError> {
    let header = headers.get("last-event-id").map(|id| id.to_str().unwrap_or("?").to_owned());
    let Some(text) = header.or_else(|| negotiate::parameter(uri, "lastEventId")) else {
        return Ok(Cursor::default());
    };
    if text.is_empty() {
        return Ok(Cursor::default());
    }
    text.parse().map_err(|()| ApiError::query("lastEventId", &text, "the id of an event of this stream"))
}
