//! `GET /metrics`: for Prometheus; operators only, where callers are authenticated.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::header;

use crate::{error::ApiError, state::AppState};

pub(super) async fn read(State(state): State<AppState>) -> Result<Response, ApiError> {
    state.metrics.set_jobs(&state.engine.store().counts().await?);
    let processes = state.registry.snapshot();
    state.metrics.set_processes(processes.len(), processes.broken.len());
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, "no-store")], state.metrics.text())
        .into_response())
}
