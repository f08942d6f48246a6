//! Answers with documents: JSON or a page, with an entity tag, and 304 for those who have it already.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    error::ApiError,
    negotiate::{Format, Negotiated},
};

/// What pages may load: our own styles and images, and nothing else.
pub(crate) const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// A document as JSON or as a page, whichever was negotiated.
///
/// # Errors
/// Of serialising, or of the page.
pub fn respond<T: Serialize + ?Sized>(
    negotiated: &Negotiated,
    json: &T,
    page: impl FnOnce() -> Result<String, ApiError>,
) -> Result<Response, ApiError> {
    let (bytes, media_type) = match negotiated.format {
        Format::Json => (serde_json::to_vec(json)?, JSON_TYPE),
        Format::Html => (page()?.into_bytes(), HTML_TYPE),
    };
    let etag = etag(&bytes);
    Ok(whole(negotiated, media_type, &etag, Bytes::from(bytes)))
}

pub(crate) const JSON_TYPE: HeaderValue = HeaderValue::from_static("application/json");
pub(crate) const HTML_TYPE: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const VARY: HeaderValue = HeaderValue::from_static("Accept, Accept-Encoding");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// A weak entity tag: the same document may be sent compressed.
pub(crate) fn etag(bytes: &[u8]) -> HeaderValue {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(36);
    text.push_str("W/\"");
    for byte in &Sha256::digest(bytes)[..16] {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.push('"');
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("W/\"\""))
}

/// Whether `If-None-Match` names the tag, by weak comparison (RFC 9110, section 13.1.2).
pub(crate) fn is_known(known: Option<&HeaderValue>, etag: &HeaderValue) -> bool {
    let Some(known) = known.and_then(|known| known.to_str().ok()) else { return false };
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let etag = bare(etag.to_str().unwrap_or_default());
    known.trim() == "*" || known.split(',').any(|tag| bare(tag) == etag)
}

pub(crate) fn whole(
    negotiated: &Negotiated,
    media_type: HeaderValue,
    etag: &HeaderValue,
    bytes: Bytes,
) -> Response {
    let is_known = is_known(negotiated.known.as_ref(), etag);
    let body = if is_known { Body::empty() } else { Body::from(bytes) };
    let mut response = Response::new(body);
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.reserve(10);
    headers.insert(header::ETAG, etag.clone());
    headers.insert(header::VARY, VARY);
    headers.insert(header::CACHE_CONTROL, NO_CACHE);
    if media_type == HTML_TYPE {
        page_headers(headers);
    }
    if !is_known {
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    response
}

/// A page that is made anew for each request.
pub(crate) fn page_headers(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        let tag = etag(b"x");
        let text = tag.to_str().unwrap().to_owned();
        let strong = text.trim_start_matches("W/").to_owned();
        for (known, wanted) in [
            (text.as_str(), true),
            (strong.as_str(), true),
            ("*", true),
            (&format!("\"a\", {text}"), true),
            ("\"a\"", false),
            ("", false),
        ] {
            assert_eq!(is_known(Some(&known.parse().unwrap()), &tag), wanted, "{known}");
        }
        assert!(!is_known(None, &tag));
    }
}
