//! One file per operation.

pub mod agent;
mod api;
mod assets;
mod conformance;
mod events;
mod execution;
mod health;
mod job;
mod jobs;
mod landing;
mod logs;
mod metrics;
mod processes;
mod results;

pub(crate) use job::status_json;

use axum::{Router, routing::get};
use rutter_types::Link;

use crate::{
    base::Base,
    error::ApiError,
    negotiate::{self, Format},
    state::AppState,
};

/// The public API.
pub(crate) fn router(state: AppState) -> Router {
    Router::new()
        .route("/", get(landing::read))
        .route("/conformance", get(conformance::read))
        .route("/api", get(api::read))
        .route("/processes", get(processes::list))
        .route("/processes/{id}", get(processes::read))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::read))
        .route("/assets/{name}", get(assets::read))
        .merge(execution::routes(state.config.eox_requests))
        .merge(jobs::routes())
        .merge(job::routes())
        .merge(results::routes())
        .merge(logs::routes())
        .merge(events::routes())
        .fallback(|| async { ApiError::NoSuchPath })
        .with_state(state)
}

/// What agents ask; apart from the public API.
pub(crate) fn agents_router(state: AppState) -> Router {
    agent::routes().fallback(|| async { ApiError::NoSuchPath }).with_state(state)
}

/// Links to a document in the form that is sent and in the other one.
pub(crate) fn self_and_alternate(base: &Base, path: &str, format: Format) -> [Link; 2] {
    let (this, other) = match format {
        Format::Json => (negotiate::JSON, negotiate::HTML),
        Format::Html => (negotiate::HTML, negotiate::JSON),
    };
    let separator = if path.contains('?') { '&' } else { '?' };
    let with_f = |offer: negotiate::Offer<'_>| base.url(&format!("{path}{separator}f={}", offer.short));
    [
        Link::new(base.url(path), "self", this.media_type),
        Link::new(with_f(other), "alternate", other.media_type),
    ]
}
