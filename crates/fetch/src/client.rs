//! The client: every URL is checked before anything is sent, every redirect again.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderMap, Method, StatusCode};
use reqwest::redirect;
use url::{Host, Url};

use crate::error::{Error, root_cause};
use crate::policy::Policy;
use crate::resolve::{Guarded, Lookup, system_lookup};
use crate::response::Response;
use crate::tls::client_config;

/// A client that keeps a [`Policy`].
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    policy: Arc<Policy>,
}

impl Client {
    /// A client that resolves names as this system does and trusts the public roots and `extra_ca_pem`.
    pub fn new(policy: Policy, extra_ca_pem: Option<&[u8]>) -> Result<Self, Error> {
        Self::with_lookup(policy, extra_ca_pem, system_lookup())
    }

    /// The same with another way to resolve names.
    pub fn with_lookup(policy: Policy, extra_ca_pem: Option<&[u8]>, lookup: Lookup) -> Result<Self, Error> {
        let tls = client_config(extra_ca_pem).map_err(|error| Error::Setup { reason: error.to_string() })?;
        let policy = Arc::new(policy);
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .no_proxy()
            .referer(false)
            .redirect(redirect::Policy::none())
            .connect_timeout(policy.idle)
            .user_agent(concat!("rutter/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(Guarded { policy: Arc::clone(&policy), lookup }))
            .build()
            .map_err(|error| Error::Setup { reason: root_cause(&error) })?;
        Ok(Self { http, policy })
    }

    /// Fetches a URL, following redirects; any status but a redirect is an answer.
    pub async fn get(&self, url: &str) -> Result<Response, Error> {
        let mut url = parse(url)?;
        for _ in 0..=self.policy.max_redirects {
            let answer = self.send(Method::GET, &url, HeaderMap::new(), Bytes::new()).await?;
            match redirected(&url, &answer)? {
                Some(next) => url = next,
                None => return Response::new(answer, &self.policy),
            }
        }
        Err(Error::Redirects { limit: self.policy.max_redirects })
    }

    /// Fetches a URL with headers; redirects are not followed: their status is the answer.
    pub async fn get_once(&self, url: &str, headers: HeaderMap) -> Result<Response, Error> {
        let answer = self.send(Method::GET, &parse(url)?, headers, Bytes::new()).await?;
        Response::new(answer, &self.policy)
    }

    /// Posts to a URL; redirects are not followed: their status is the answer.
    pub async fn post(&self, url: &str, headers: HeaderMap, body: Bytes) -> Result<Response, Error> {
        let answer = self.send(Method::POST, &parse(url)?, headers, body).await?;
        Response::new(answer, &self.policy)
    }

    async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<reqwest::Response, Error> {
        self.admit(url)?;
        let host = || url.host_str().unwrap_or_default().to_owned();
        let mut request = self.http.request(method, url.clone()).headers(headers);
        if !body.is_empty() {
            request = request.body(body);
        }
        match tokio::time::timeout(self.policy.idle, request.send()).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if error.is_timeout() => Err(self.idle(host())),
            Ok(Err(error)) => Err(own_error(error, host)),
            Err(_) => Err(self.idle(host())),
        }
    }

    fn idle(&self, host: String) -> Error {
        Error::Idle { host, seconds: self.policy.idle.as_secs() }
    }

    fn admit(&self, url: &Url) -> Result<(), Error> {
        self.policy.admit(url)
    }
}

impl Policy {
    /// What can be said of a URL without asking anybody: whether it can never be fetched.
    ///
    /// # Errors
    /// Its form, its scheme, or the address that stands in it.
    pub fn check(&self, url: &str) -> Result<(), Error> {
        self.admit(&parse(url)?)
    }

    /// The connector asks no resolver for addresses written as such, so these are judged here.
    fn admit(&self, url: &Url) -> Result<(), Error> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::Scheme { scheme: url.scheme().to_owned() });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Credentials);
        }
        let judge = |address: IpAddr| self.judge(&address.to_string(), address);
        match url.host() {
            Some(Host::Ipv4(v4)) => judge(v4.into()),
            Some(Host::Ipv6(v6)) => judge(v6.into()),
            // `url` has turned every spelling of an IPv4 address into one; what still reads as an address is a trick.
            Some(Host::Domain(name)) => match name.trim_end_matches('.').parse::<IpAddr>() {
                Ok(address) => judge(address),
                Err(_) => Ok(()),
            },
            None => Err(Error::NotAUrl { url: url.to_string(), reason: "it has no host".to_owned() }),
        }
    }
}

fn parse(text: &str) -> Result<Url, Error> {
    Url::parse(text).map_err(|error| Error::NotAUrl { url: text.to_owned(), reason: error.to_string() })
}

fn redirected(url: &Url, answer: &reqwest::Response) -> Result<Option<Url>, Error> {
    let follow = [
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::FOUND,
        StatusCode::SEE_OTHER,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ];
    if !follow.contains(&answer.status()) {
        return Ok(None);
    }
    let bad =
        |reason: String| Error::BadRedirect { host: url.host_str().unwrap_or_default().to_owned(), reason };
    let location = answer.headers().get(LOCATION).ok_or_else(|| bad("no Location".to_owned()))?;
    let location = std::str::from_utf8(location.as_bytes()).map_err(|error| bad(error.to_string()))?;
    url.join(location).map(Some).map_err(|error| bad(error.to_string()))
}

/// Our own refusal when one is the cause, else what the connection said.
fn own_error(error: reqwest::Error, host: impl Fn() -> String) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if let Some(own) = inner.downcast_ref::<Error>() {
            return copy(own, &host);
        }
        cause = inner.source();
    }
    Error::Unreachable { host: host(), reason: root_cause(&error) }
}

/// The connector owns the error, so what the resolver can say is made anew.
fn copy(own: &Error, host: impl Fn() -> String) -> Error {
    match own {
        Error::PrivateAddress { host, address } => {
            Error::PrivateAddress { host: host.clone(), address: *address }
        }
        Error::NeverReached { host, address } => {
            Error::NeverReached { host: host.clone(), address: *address }
        }
        Error::UnknownHost { host, reason } => {
            Error::UnknownHost { host: host.clone(), reason: reason.clone() }
        }
        other => Error::Unreachable { host: host(), reason: other.to_string() },
    }
}
