//! Files that pages load. Their URLs carry their digest, so that browsers may keep them for ever.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use sha2::{Digest, Sha256};

use crate::{answer, error::ApiError, negotiate::Negotiated};

const STYLESHEET: &str = include_str!("assets/rutter.css");
const ICON: &str = include_str!("assets/rutter.svg");

/// Path of the stylesheet below the base URL.
pub(super) fn stylesheet_path() -> &'static str {
    static PATH: LazyLock<String> = LazyLock::new(|| {
        let digest = Sha256::digest(STYLESHEET.as_bytes());
        format!("/assets/rutter.css?v={:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3])
    });
    &PATH
}

/// A file by name.
pub(crate) fn asset(name: &str, negotiated: &Negotiated) -> Response {
    let (text, media_type) = match name {
        "rutter.css" => (STYLESHEET, "text/css; charset=utf-8"),
        "rutter.svg" => (ICON, "image/svg+xml"),
        _ => return ApiError::NoSuchPath.into_response(),
    };
    let etag = answer::etag(text.as_bytes());
    let mut response =
        answer::whole(negotiated, HeaderValue::from_static(media_type), &etag, text.as_bytes().into());
    let keep = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(header::CACHE_CONTROL, keep);
    response
}
