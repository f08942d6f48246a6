//! What proxies say about the request as they got it (RFC 7239 and the older `X-Forwarded-*` headers).

use std::borrow::Cow;

use http::HeaderMap;

/// What the proxy nearest to us said. Whatever is not well formed is left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Forwarded<'h> {
    /// `http` or `https`.
    pub(crate) scheme: Option<&'static str>,
    /// Host, with the port if it has one.
    pub(crate) host: Option<Cow<'h, str>>,
    /// Path that the proxy puts before ours, without the slash at its end.
    pub(crate) prefix: Option<&'h str>,
}

/// Reads the headers; `Forwarded` comes before the older ones. Of several values the first is taken: the proxy that is
/// trusted must replace what clients send.
pub(crate) fn read(headers: &HeaderMap) -> Forwarded<'_> {
    let standard = first(headers, "forwarded").map(standard).unwrap_or_default();
    Forwarded {
        scheme: standard.scheme.or_else(|| first(headers, "x-forwarded-proto").and_then(scheme)),
        host: standard.host.or_else(|| older_host(headers)),
        prefix: first(headers, "x-forwarded-prefix").and_then(prefix),
    }
}

fn first<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let text = headers.get(name)?.to_str().ok()?;
    Some(text.split(',').next().unwrap_or_default().trim())
}

fn standard(element: &str) -> Forwarded<'_> {
    let mut found = Forwarded::default();
    for pair in element.split(';') {
        let Some((name, value)) = pair.split_once('=') else { continue };
        let value = value.trim().trim_matches('"');
        match name.trim() {
            name if name.eq_ignore_ascii_case("proto") => found.scheme = scheme(value),
            name if name.eq_ignore_ascii_case("host") && is_host(value) => found.host = Some(value.into()),
            _ => {}
        }
    }
    found
}

fn older_host(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let host = first(headers, "x-forwarded-host").filter(|host| is_host(host))?;
    let has_port = name_of(host).len() < host.len();
    let port = first(headers, "x-forwarded-port").and_then(|port| port.parse::<u16>().ok());
    match port.filter(|port| !has_port && !matches!(port, 80 | 443)) {
        Some(port) => Some(format!("{host}:{port}").into()),
        None => Some(host.into()),
    }
}

fn scheme(text: &str) -> Option<&'static str> {
    ["https", "http"].into_iter().find(|known| text.eq_ignore_ascii_case(known))
}

/// A path of plain segments; anything else could lead links to another host.
fn prefix(text: &str) -> Option<&str> {
    let text = text.trim_end_matches('/');
    let plain = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    text.strip_prefix('/').filter(|rest| rest.split('/').all(plain)).map(|_| text)
}

/// Whether a text is a host with perhaps a port: a name, an IPv4 or a bracketed IPv6 address.
pub(crate) fn is_host(text: &str) -> bool {
    let name = name_of(text);
    let port = &text[name.len()..];
    let port_is_right =
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    let name_is_right = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !name.is_empty()
                && name.len() <= 253
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        }
    };
    port_is_right && name_is_right
}

/// A host without its port.
pub(crate) fn name_of(host: &str) -> &str {
    match host.rfind(':') {
        Some(at) if !host[at..].contains(']') => &host[..at],
        _ => host,
    }
}
