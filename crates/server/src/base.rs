//! Under which URL the client sees this server. Every link starts with it, and no untrusted `Host` ever becomes part of one.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::extract::FromRequestParts;
use http::{HeaderMap, Uri, header, request::Parts};

use crate::{
    config::ServerConfig,
    error::ApiError,
    forwarded::{self, Forwarded},
    front::Context,
};

/// The URL of the landing page for this request, without the slash at its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Base(Arc<str>);

/// Both ends of the connection that a request came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The client, or the proxy before us.
    pub peer: SocketAddr,
    /// Our end.
    pub local: SocketAddr,
}

impl Base {
    /// From a URL; slashes at its end do not count.
    pub fn new(url: &str) -> Self {
        Self(url.trim_end_matches('/').into())
    }

    /// URL of a path of this server; `path` starts with a slash and is encoded already.
    pub fn url(&self, path: &str) -> String {
        let mut url = String::with_capacity(self.0.len() + path.len());
        url.push_str(&self.0);
        url.push_str(path);
        url
    }

    /// As text, without the slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Scheme, host and port, as in the header `Origin`.
    pub fn origin(&self) -> &str {
        let (origin, _) = self.split();
        origin
    }

    /// The path before all paths of this server, without the slash at its end; often empty.
    pub fn prefix(&self) -> &str {
        let (_, path) = self.split();
        path
    }

    /// The path of one of our own URLs: what follows the base. `None` for foreign ones.
    pub fn own_path<'u>(&self, url: &'u str) -> Option<&'u str> {
        url.strip_prefix(&*self.0).filter(|rest| rest.starts_with('/'))
    }

    fn split(&self) -> (&str, &str) {
        let after_scheme = self.0.find("://").map_or(0, |at| at + 3);
        let slash = self.0[after_scheme..].find('/').map_or(self.0.len(), |at| after_scheme + at);
        self.0.split_at(slash)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Base {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Context::of(&parts.extensions).map(|context| context.base.clone())
    }
}

/// The base of a request, or why it is not answered: on loopback a foreign `Host` means that a web page made a name of its
/// own point to this machine (DNS rebinding).
pub(crate) fn base_of(
    config: &ServerConfig,
    connection: Option<Connection>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Base, ApiError> {
    let by_proxy = connection.is_some_and(|it| is_trusted(config, it.peer.ip()));
    let host = uri.authority().map(|it| it.as_str()).or_else(|| text(headers, &header::HOST));
    if let Some(url) = &config.public_url {
        check_host(config, connection, host, by_proxy)?;
        return Ok(Base::new(url.as_str()));
    }
    if by_proxy && let Some(base) = base_by_proxy(&forwarded::read(headers), host) {
        return Ok(base);
    }
    check_host(config, connection, host, by_proxy)?;
    let trusted =
        host.filter(|host| is_ours(config, connection, host) || (by_proxy && forwarded::is_host(host)));
    let own = || {
        let local = connection.map_or(config.listen, |it| it.local);
        if config.listen.ip().is_unspecified() { local } else { config.listen }.to_string()
    };
    Ok(Base::new(&format!("http://{}", trusted.map_or_else(own, str::to_owned))))
}

fn text<'h>(headers: &'h HeaderMap, name: &header::HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn is_trusted(config: &ServerConfig, peer: IpAddr) -> bool {
    let peer = peer.to_canonical();
    config.trusted_proxies.iter().any(|network| network.contains(&peer))
}

fn base_by_proxy(forwarded: &Forwarded<'_>, host: Option<&str>) -> Option<Base> {
    let host = forwarded.host.as_deref().or(host).filter(|host| forwarded::is_host(host))?;
    let scheme = forwarded.scheme.unwrap_or("http");
    Some(Base::new(&format!("{scheme}://{host}{}", forwarded.prefix.unwrap_or_default())))
}

fn check_host(
    config: &ServerConfig,
    connection: Option<Connection>,
    host: Option<&str>,
    by_proxy: bool,
) -> Result<(), ApiError> {
    let Some(host) = host.filter(|_| config.on_loopback() && !by_proxy) else { return Ok(()) };
    if is_ours(config, connection, host) || is_public(config, host) {
        return Ok(());
    }
    Err(ApiError::Misdirected)
}

/// Names and addresses that nobody else can make point here: loopback ones (with any port: tunnels have their own) and
/// the address itself.
fn is_ours(config: &ServerConfig, connection: Option<Connection>, host: &str) -> bool {
    if !forwarded::is_host(host) {
        return false;
    }
    let name = forwarded::name_of(host);
    if name.eq_ignore_ascii_case("localhost") || is_below_localhost(name) {
        return true;
    }
    let Ok(address) = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() else {
        return false;
    };
    let address = address.to_canonical();
    address.is_loopback()
        || address == config.listen.ip().to_canonical() && !address.is_unspecified()
        || connection.is_some_and(|it| it.local.ip().to_canonical() == address)
}

fn is_below_localhost(name: &str) -> bool {
    const SUFFIX: &str = ".localhost";
    let start = name.len().saturating_sub(SUFFIX.len());
    name.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(SUFFIX))
}

fn is_public(config: &ServerConfig, host: &str) -> bool {
    let public = config.public_url.as_ref().and_then(|url| url.host_str());
    public.is_some_and(|public| public.eq_ignore_ascii_case(forwarded::name_of(host)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn base(config: &ServerConfig, peer: &str, pairs: &[(&'static str, &str)]) -> Result<String, ApiError> {
        let connection = Connection { peer: format!("{peer}:5000").parse().unwrap(), local: config.listen };
        base_of(config, Some(connection), &Uri::from_static("/jobs"), &headers(pairs))
            .map(|base| base.as_str().to_owned())
    }

    fn behind_proxy() -> ServerConfig {
        ServerConfig {
            listen: "10.0.0.5:8080".parse().unwrap(),
            trusted_proxies: vec!["10.0.0.0/24".parse().unwrap()],
            ..ServerConfig::default()
        }
    }

    #[test]
    fn loopback_names_are_taken_and_others_refused() {
        let config = ServerConfig::default();
        for host in [
            "localhost:8080",
            "127.0.0.1:8080",
            "[::1]:8080",
            "LocalHost:9000",
            "a.localhost:80",
            "127.9.9.9",
        ] {
            assert_eq!(base(&config, "127.0.0.1", &[("host", host)]).unwrap(), format!("http://{host}"));
        }
        for host in [
            "evil.example:8080",
            "localhost.evil.example",
            "evil.example/localhost",
            "127.0.0.1.evil.example",
            "10.0.0.1",
        ] {
            let refused = base(&config, "127.0.0.1", &[("host", host)]);
            assert!(matches!(refused, Err(ApiError::Misdirected)), "{host}");
        }
    }

    #[test]
    fn a_host_that_nobody_vouches_for_is_not_echoed() {
        let config = ServerConfig { listen: "0.0.0.0:8080".parse().unwrap(), ..behind_proxy() };
        let connection =
            Connection { peer: "192.0.2.1:5000".parse().unwrap(), local: "192.0.2.9:8080".parse().unwrap() };
        let evil = headers(&[("host", "evil.example"), ("x-forwarded-host", "evil.example")]);
        let base = base_of(&config, Some(connection), &Uri::from_static("/"), &evil).unwrap();
        assert_eq!(base.as_str(), "http://192.0.2.9:8080");
        let own = headers(&[("host", "192.0.2.9:8080")]);
        let base = base_of(&config, Some(connection), &Uri::from_static("/"), &own).unwrap();
        assert_eq!(base.as_str(), "http://192.0.2.9:8080");
    }

    #[test]
    fn trusted_proxies_tell_the_url() {
        let config = behind_proxy();
        let table: [(&[(&'static str, &str)], &str); 6] = [
            (
                &[
                    ("host", "inner"),
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-host", "example.org"),
                    ("x-forwarded-prefix", "/x/"),
                ],
                "https://example.org/x",
            ),
            (
                &[("host", "inner"), ("forwarded", "for=1.2.3.4;host=\"example.org:8443\";proto=https")],
                "https://example.org:8443",
            ),
            (&[("host", "example.org"), ("x-forwarded-proto", "https")], "https://example.org"),
            (
                &[
                    ("host", "inner"),
                    ("x-forwarded-host", "example.org"),
                    ("x-forwarded-port", "8443"),
                    ("x-forwarded-proto", "https"),
                ],
                "https://example.org:8443",
            ),
            (&[("host", "inner"), ("x-forwarded-host", "evil.example/<script>")], "http://inner"),
            (&[("host", "inner"), ("x-forwarded-prefix", "//evil.example")], "http://inner"),
        ];
        for (pairs, wanted) in table {
            assert_eq!(base(&config, "10.0.0.7", pairs).unwrap(), wanted, "{pairs:?}");
        }
        let untrusted = base(&config, "192.0.2.1", table[0].0).unwrap();
        assert_eq!(untrusted, "http://10.0.0.5:8080");
    }

    #[test]
    fn the_public_url_wins() {
        let url = "https://example.org/rutter/".parse().unwrap();
        let config = ServerConfig { public_url: Some(url), ..behind_proxy() };
        let got =
            base(&config, "10.0.0.7", &[("host", "inner"), ("x-forwarded-host", "other.example")]).unwrap();
        assert_eq!(got, "https://example.org/rutter");
        let base = Base::new(&got);
        assert_eq!((base.origin(), base.prefix()), ("https://example.org", "/rutter"));
        assert_eq!(base.own_path("https://example.org/rutter/jobs/1"), Some("/jobs/1"));
        assert_eq!(base.own_path("https://example.org/rutterevil/jobs"), None);
    }
}
