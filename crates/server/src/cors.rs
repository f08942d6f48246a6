//! What pages of other origins may do and read (Fetch standard, "CORS protocol").

use http::{HeaderMap, HeaderValue, Method, header};

use crate::{
    config::ServerConfig,
    place::{Area, Place},
};

/// Headers that scripts need to see (Part 1, `/rec/core/access-control-expose-headers`).
const EXPOSED: &str = "location, link, preference-applied, content-location, content-disposition, content-range, \
                       accept-ranges, content-length, etag, ogc-output-values-count, retry-after, www-authenticate";
const METHODS: &str = "GET, HEAD, POST, DELETE, OPTIONS";
const HEADERS: &str = "accept, accept-language, authorization, content-type, idempotency-key, if-none-match, if-range, \
                       last-event-id, link, prefer, range";

/// Whether an origin is named in the configuration; `*` names none.
pub(crate) fn is_named(config: &ServerConfig, origin: &str) -> bool {
    let same = |named: &String| named != "*" && named.trim_end_matches('/').eq_ignore_ascii_case(origin);
    config.allowed_origins.iter().any(same)
}

/// Lets the page of `origin` read an answer, if it may.
///
/// Where everybody may call because only this machine can, `*` opens what the server is and can do, but not the jobs of
/// whoever uses the machine: any page in their browser could read them.
pub(crate) fn grant(
    config: &ServerConfig,
    place: Place,
    method: &Method,
    origin: Option<&HeaderValue>,
    headers: &mut HeaderMap,
) {
    let named = origin.filter(|origin| origin.to_str().is_ok_and(|origin| is_named(config, origin)));
    let for_all = config.allowed_origins.iter().any(|origin| origin == "*");
    let is_public = place.area(crate::access::is_safe(method)) == Area::Public;
    let granted = match named {
        Some(origin) => origin.clone(),
        None if for_all && (is_public || !config.is_open_loopback()) => HeaderValue::from_static("*"),
        None => {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
            return;
        }
    };
    if config.allowed_origins.len() > 1 || !for_all {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, granted);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
}

/// Adds what a preflight asks for.
pub(crate) fn preflight(headers: &mut HeaderMap) {
    if headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    }
}
