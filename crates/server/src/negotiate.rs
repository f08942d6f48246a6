//! Which representation a client gets: `f=` beats `Accept`, and without either it is JSON.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::{HeaderMap, HeaderValue, Uri, header, request::Parts};
use rutter_core::process::nearest_language;

use crate::{error::ApiError, render::accept::Accept};

/// A representation that a resource has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer<'a> {
    /// Its media type, parameters included.
    pub media_type: &'a str,
    /// Its short name for `f=`.
    pub short: &'a str,
}

/// JSON.
pub const JSON: Offer<'static> = Offer { media_type: "application/json", short: "json" };
/// A page.
pub const HTML: Offer<'static> = Offer { media_type: "text/html", short: "html" };
/// What a document of the API can be.
pub const DOCUMENT: [Offer<'static>; 2] = [JSON, HTML];

/// Representation of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// For programs.
    Json,
    /// For people.
    Html,
}

/// What a client wants of a document (JSON or HTML).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The representation.
    pub format: Format,
    /// `If-None-Match`.
    pub(crate) known: Option<HeaderValue>,
    /// Whether it understands gzip.
    pub(crate) gzip: bool,
    /// `lang=`, else `Accept-Language`: languages in which texts are wanted.
    pub(crate) languages: Option<HeaderValue>,
}

/// The best of the offers for a request, by its place among them; of equals the first. `f` is the query's value.
///
/// # Errors
/// [`ApiError::NotAcceptable`] with what there is.
pub fn choose(headers: &HeaderMap, f: Option<&str>, offers: &[Offer<'_>]) -> Result<usize, ApiError> {
    let found = match f {
        Some(name) => by_name(name, offers),
        None => by_accept(headers, offers),
    };
    found.ok_or_else(|| ApiError::NotAcceptable {
        offers: offers.iter().map(|offer| (offer.media_type.to_owned(), offer.short.to_owned())).collect(),
    })
}

fn by_name(name: &str, offers: &[Offer<'_>]) -> Option<usize> {
    let matches = |offer: &Offer<'_>| {
        offer.short.eq_ignore_ascii_case(name)
            || offer.media_type.eq_ignore_ascii_case(name)
            || essence(offer.media_type).eq_ignore_ascii_case(name)
    };
    offers.iter().position(matches)
}

fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

fn by_accept(headers: &HeaderMap, offers: &[Offer<'_>]) -> Option<usize> {
    match headers.get(header::ACCEPT).map(HeaderValue::as_bytes) {
        None | Some(b"*/*" | b"") => return (!offers.is_empty()).then_some(0),
        Some(text) if offers.first().is_some_and(|first| first.media_type.as_bytes() == text) => {
            return Some(0);
        }
        Some(_) => {}
    }
    let accept = Accept::of(headers);
    if accept.is_any() {
        return None;
    }
    let mut best: Option<(usize, u16)> = None;
    for (at, offer) in offers.iter().enumerate() {
        let quality = accept.quality(offer.media_type);
        if quality > best.map_or(0, |(_, quality)| quality) {
            best = Some((at, quality));
        }
    }
    best.map(|(at, _)| at)
}

/// The value of `f=` in a query, if there is one.
pub fn f_of(uri: &Uri) -> Option<String> {
    parameter(uri, "f")
}

/// The first value of a query parameter.
pub(crate) fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let query = uri.query()?;
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

impl Negotiated {
    /// For a resource that is JSON or HTML.
    ///
    /// # Errors
    /// [`ApiError::NotAcceptable`].
    pub fn of(headers: &HeaderMap, uri: &Uri) -> Result<Self, ApiError> {
        let at = choose(headers, f_of(uri).as_deref(), &DOCUMENT)?;
        let mut negotiated = Self::as_format(headers, if at == 0 { Format::Json } else { Format::Html });
        if let Some(language) = uri.query().and_then(|_| parameter(uri, "lang")) {
            negotiated.languages = HeaderValue::try_from(language).ok();
        }
        Ok(negotiated)
    }

    /// The best of some languages for the client; `None` = it says nothing, or none of them suits.
    pub(crate) fn language<'a>(&self, offered: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        let text = self.languages.as_ref()?.to_str().ok()?;
        let offered: Vec<&str> = offered.collect();
        let mut wanted: Vec<(u16, &str)> = text.split(',').filter_map(language_range).collect();
        wanted.sort_by_key(|(quality, _)| std::cmp::Reverse(*quality));
        let best = |(_, tag): &(u16, &str)| nearest_language(tag, offered.iter().copied());
        wanted.iter().find_map(best).map(|at| offered[at])
    }

    pub(crate) fn as_format(headers: &HeaderMap, format: Format) -> Self {
        Self {
            format,
            known: headers.get(header::IF_NONE_MATCH).cloned(),
            gzip: takes_gzip(headers),
            languages: headers.get(header::ACCEPT_LANGUAGE).cloned(),
        }
    }
}

/// Weight in thousandths and tag of a language range (RFC 9110, section 12.5.4); none of those that are refused.
fn language_range(text: &str) -> Option<(u16, &str)> {
    let mut parts = text.split(';').map(str::trim);
    let tag = parts.next().filter(|tag| !tag.is_empty() && *tag != "*")?;
    let weight = parts.find_map(|part| part.strip_prefix("q=")?.trim().parse::<f32>().ok()).unwrap_or(1.0);
    let quality = (weight.clamp(0.0, 1.0) * 1000.0) as u16;
    (quality > 0).then_some((quality, tag))
}

impl<S: Send + Sync> FromRequestParts<S> for Negotiated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::of(&parts.headers, &parts.uri)
    }
}

/// For what must answer whatever the client accepts (health): JSON where nothing fits.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Negotiated {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(Self::of(&parts.headers, &parts.uri).ok())
    }
}

/// Whether the client takes gzip.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    codings.flat_map(|text| text.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused = parts.any(|part| {
            let quality = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
            quality.is_some_and(|quality| quality.parse::<f32>().is_ok_and(|quality| quality <= 0.0))
        });
        (name.eq_ignore_ascii_case("gzip") || name == "*") && !refused
    })
}

/// How an error is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorFormat {
    /// `application/problem+json`.
    Problem,
    /// `application/json`, for clients that name it and not the other (official suite, section 0).
    Json,
    /// A page.
    Html,
}

impl ErrorFormat {
    /// Never fails: an error must be told.
    pub(crate) fn of(headers: &HeaderMap, uri: &Uri) -> Self {
        const PROBLEM: &str = "application/problem+json";
        let accept = Accept::of(headers);
        let json = match accept.names(JSON.media_type) && !accept.names(PROBLEM) {
            true => Self::Json,
            false => Self::Problem,
        };
        match f_of(uri).as_deref() {
            Some("html") => Self::Html,
            Some("json") => json,
            _ => {
                let html = if accept.is_any() { 0 } else { accept.quality(HTML.media_type) };
                let other = accept.quality(JSON.media_type).max(accept.quality(PROBLEM));
                if accept.names(HTML.media_type) && html > other { Self::Html } else { json }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

    fn accepting(text: Option<&str>) -> HeaderMap {
        text.map(|text| (header::ACCEPT, text.parse().unwrap())).into_iter().collect()
    }

    #[test]
    fn documents_are_json_or_html() {
        use Format::{Html, Json};
        let table = [
            (None, "/", Some(Json)),
            (Some("*/*"), "/", Some(Json)),
            (Some(""), "/", Some(Json)),
            (Some(BROWSER), "/", Some(Html)),
            (Some("application/json"), "/", Some(Json)),
            (Some("application/*"), "/", Some(Json)),
            (Some("text/*"), "/", Some(Html)),
            (Some("text/html;q=0.5, application/json"), "/", Some(Json)),
            (Some("text/html, application/json;q=0.9"), "/", Some(Html)),
            (Some("application/json;q=0, */*"), "/", Some(Html)),
            (Some("image/tiff"), "/", None),
            (Some("nonsense"), "/", None),
            (Some("*/*;q=0"), "/", None),
            (Some("image/tiff"), "/?f=json", Some(Json)),
            (Some(BROWSER), "/?f=json", Some(Json)),
            (Some("application/json"), "/?x=1&f=html", Some(Html)),
            (None, "/?f=text%2Fhtml", Some(Html)),
            (Some("application/json"), "/?f=xml", None),
            (None, "/?f=", None),
        ];
        for (accept, uri, wanted) in table {
            let got = Negotiated::of(&accepting(accept), &uri.parse().unwrap()).map(|it| it.format).ok();
            assert_eq!(got, wanted, "{accept:?} {uri}");
        }
    }

    #[test]
    fn errors_take_the_type_that_the_client_names() {
        use ErrorFormat::{Html, Json, Problem};
        let table = [
            (None, "/", Problem),
            (Some("*/*"), "/", Problem),
            (Some("image/tiff"), "/", Problem),
            (Some("nonsense"), "/", Problem),
            (Some("application/json"), "/", Json),
            (Some("application/json; charset=utf-8"), "/", Json),
            (Some("application/json, application/problem+json"), "/", Problem),
            (Some("application/problem+json"), "/", Problem),
            (Some(BROWSER), "/", Html),
            (Some(BROWSER), "/?f=json", Problem),
            (Some("application/json"), "/?f=html", Html),
            (Some("text/html;q=0.1, application/json"), "/", Json),
        ];
        for (accept, uri, wanted) in table {
            assert_eq!(
                ErrorFormat::of(&accepting(accept), &uri.parse().unwrap()),
                wanted,
                "{accept:?} {uri}"
            );
        }
    }

    #[test]
    fn gzip_is_taken_only_when_named() {
        for (text, wanted) in
            [("gzip", true), ("br, gzip;q=0.5", true), ("*", true), ("gzip;q=0", false), ("br", false)]
        {
            let headers = [(header::ACCEPT_ENCODING, text.parse().unwrap())].into_iter().collect();
            assert_eq!(takes_gzip(&headers), wanted, "{text}");
        }
    }
}
