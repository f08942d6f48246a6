//! `GET /conformance`: the classes that hold (`/req/core/conformance-success`).

use axum::{extract::State, response::Response};
use rutter_types::Conformance;

use crate::{
    base::Base,
    cache::Document,
    error::ApiError,
    negotiate::{Format, Negotiated},
    state::AppState,
};

/// Exactly what works and is tested.
const CLASSES: [&str; 13] = [
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/landing-page",
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/json",
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/html",
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/ogc-process-description",
    "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/json",
    "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/html",
    "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/job-list",
    "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/callback",
    "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/dismiss",
];

pub(super) async fn read(
    State(state): State<AppState>,
    base: Base,
    negotiated: Negotiated,
) -> Result<Response, ApiError> {
    let generation = state.registry.snapshot().generation;
    let make = || {
        let conformance = Conformance { conforms_to: CLASSES.map(String::from).to_vec() };
        match negotiated.format {
            Format::Json => Document::json(&conformance),
            Format::Html => state.pages.conformance(&base, &conformance).map(Document::html),
        }
    };
    let document = state.cache.get(generation, &base, negotiated.format, "/conformance", make)?;
    Ok(document.respond(&negotiated))
}
