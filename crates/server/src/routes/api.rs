//! `GET /api`: the definition of the API, for programs and for people (`/req/oas30/oas-definition-1`).

use axum::{extract::State, response::Response};
use http::{HeaderMap, HeaderValue, Uri};

use crate::{
    base::Base,
    cache::Document,
    error::ApiError,
    negotiate::{self, Format, HTML, JSON, Negotiated, Offer},
    openapi,
    state::AppState,
};

const OFFERS: [Offer<'static>; 4] = [
    Offer { media_type: openapi::MEDIA_TYPE, short: "json" },
    HTML,
    JSON,
    // What some clients ask for instead.
    Offer { media_type: "application/openapi+json;version=3.0", short: "openapi" },
];

pub(super) async fn read(
    State(state): State<AppState>,
    base: Base,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let at = negotiate::choose(&headers, negotiate::f_of(&uri).as_deref(), &OFFERS)?;
    let processes = state.registry.snapshot();
    let with_tokens = matches!(state.config.access, crate::config::Access::Tokens(_));
    let definition =
        || openapi::definition(&processes, &base, &state.config.title, state.config.pages, with_tokens);
    let format = if OFFERS[at] == HTML { Format::Html } else { Format::Json };
    let make = || match format {
        Format::Html => state.pages.api(&base, &definition()).map(Document::html),
        Format::Json => {
            let media_type = HeaderValue::from_static(OFFERS[at].media_type);
            Ok(Document::new(media_type, serde_json::to_vec(&definition())?))
        }
    };
    let negotiated = Negotiated::as_format(&headers, format);
    let key = ["/api", "/api", "/api json", "/api openapi"][at];
    let document = state.cache.get(processes.generation, &base, format, key, make)?;
    Ok(document.respond(&negotiated))
}
