//! `GET /`: the landing page (`/req/core/landingpage-success`, `/rec/job-list/job-list-landing-page`).

use axum::{extract::State, response::Response};
use rutter_types::{LandingPage, Link, rel};

use crate::{
    base::Base,
    cache::Document,
    config::ServerConfig,
    error::ApiError,
    negotiate::{Format, Negotiated},
    openapi,
    state::AppState,
};

pub(super) async fn read(
    State(state): State<AppState>,
    base: Base,
    negotiated: Negotiated,
) -> Result<Response, ApiError> {
    let processes = state.registry.snapshot();
    let make = || {
        let landing = landing(&state.config, &base, negotiated.format);
        match negotiated.format {
            Format::Json => Document::json(&landing),
            Format::Html => state.pages.landing(&base, &landing, processes.len()).map(Document::html),
        }
    };
    let document = state.cache.get(processes.generation, &base, negotiated.format, "/", make)?;
    Ok(document.respond(&negotiated))
}

fn landing(config: &ServerConfig, base: &Base, format: Format) -> LandingPage {
    let [this, other] = super::self_and_alternate(base, "/", format);
    let links = vec![
        this.titled("This document"),
        other.titled("This document in another form"),
        Link::new(base.url("/api"), "service-desc", openapi::MEDIA_TYPE)
            .titled("Definition of the API (OpenAPI 3.0)"),
        Link::new(base.url("/api?f=html"), "service-doc", "text/html").titled("Documentation of the API"),
        Link::new(base.url("/conformance"), rel::CONFORMANCE, "application/json")
            .titled("Conformance classes"),
        Link::new(base.url("/processes"), rel::PROCESSES, "application/json").titled("Processes"),
        Link::new(base.url("/jobs"), rel::JOB_LIST, "application/json").titled("Jobs"),
    ];
    LandingPage { title: config.title.clone(), description: config.description.clone(), links }
}
