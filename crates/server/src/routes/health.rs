//! `GET /livez` and `GET /readyz`: whether the server lives, and whether it can take jobs. They answer whatever the client
//! accepts: a health check must not fail for its headers.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use serde_json::{Value, json};

use crate::{
    answer,
    base::Base,
    error::ApiError,
    negotiate::{Format, Negotiated},
    state::AppState,
};

/// Alive: requests are answered.
pub(super) async fn live(
    State(state): State<AppState>,
    base: Base,
    negotiated: Option<Negotiated>,
) -> Result<Response, ApiError> {
    told(&state, &base, negotiated, StatusCode::OK, &json!({ "status": "alive" }))
}

/// Ready: the store answers, and the server is not about to stop.
pub(super) async fn ready(
    State(state): State<AppState>,
    base: Base,
    negotiated: Option<Negotiated>,
) -> Result<Response, ApiError> {
    if *state.stopping().borrow() {
        return told(
            &state,
            &base,
            negotiated,
            StatusCode::SERVICE_UNAVAILABLE,
            &json!({ "status": "stopping" }),
        );
    }
    if let Err(error) = state.engine.store().instance().await {
        tracing::error!(%error, "the store does not answer");
        let body = json!({ "status": "not ready", "reason": "the store does not answer; the server's log says why" });
        return told(&state, &base, negotiated, StatusCode::SERVICE_UNAVAILABLE, &body);
    }
    let processes = state.registry.snapshot();
    let body =
        json!({ "status": "ready", "processes": processes.len(), "brokenPackages": processes.broken.len() });
    told(&state, &base, negotiated, StatusCode::OK, &body)
}

fn told(
    state: &AppState,
    base: &Base,
    negotiated: Option<Negotiated>,
    status: StatusCode,
    body: &Value,
) -> Result<Response, ApiError> {
    let as_page = negotiated.is_some_and(|negotiated| negotiated.format == Format::Html);
    let mut response = if as_page {
        let text = serde_json::to_string_pretty(body)?;
        let title = body["status"].as_str().unwrap_or_default();
        ([(header::CONTENT_TYPE, answer::HTML_TYPE)], state.pages.plain(base, title, &text)?).into_response()
    } else {
        ([(header::CONTENT_TYPE, answer::JSON_TYPE)], serde_json::to_vec(body)?).into_response()
    };
    *response.status_mut() = status;
    if as_page {
        answer::page_headers(response.headers_mut());
    }
    response.headers_mut().insert(header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    Ok(response)
}
