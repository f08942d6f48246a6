//! Talks to registries (OCI Distribution Specification 1.1, `/v2/`), for as long as it takes to read one image's description.

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT, AUTHORIZATION, LOCATION},
};
use rutter_fetch::{Client, Policy, Response};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::{fmt::Write as _, time::Duration};
use url::Url;

use super::{
    LookUpError,
    challenge::{self, Challenge},
    credentials::Credentials,
    document,
    reference::{Reference, Version, is_loopback},
};

/// Longest time without a byte.
const IDLE: Duration = Duration::from_secs(10);
/// Largest answer: more than registries take as a manifest, and than runtimes take as a configuration.
const LARGEST: u64 = 8 << 20;
/// Most redirects of one request.
const REDIRECTS: usize = 5;

/// What the operator says about registries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Registries that are asked by http, as `host` or `host:port`; those of this machine are anyway.
    pub(crate) insecure: Vec<String>,
    /// Further certificate authority of registries, PEM.
    pub(crate) authority: Option<String>,
}

/// Asks any registry.
#[derive(Debug)]
pub(super) struct Registries {
    http: Client,
    insecure: Vec<String>,
}

impl Registries {
    pub(super) fn new(settings: &Settings) -> Result<Self, LookUpError> {
        // Most registries of companies are in private networks; metadata services stay out of reach.
        let policy = Policy {
            private_networks: true,
            allow: Vec::new(),
            max_bytes: LARGEST,
            idle: IDLE,
            max_redirects: 0,
        };
        let http = Client::new(policy, settings.authority.as_deref().map(str::as_bytes))?;
        Ok(Self { http, insecure: settings.insecure.clone() })
    }

    /// A conversation about one image.
    pub(super) fn about<'a>(
        &'a self,
        image: &'a Reference,
        credentials: Option<&'a Credentials>,
    ) -> Result<Conversation<'a>, LookUpError> {
        let scheme = if self.may_be_plain(image.host()) { "http" } else { "https" };
        let base =
            Url::parse(&format!("{scheme}://{}", image.host())).map_err(|_| LookUpError::NoReference)?;
        Ok(Conversation { registries: self, image, base, credentials, authorization: None })
    }

    fn may_be_plain(&self, host: &str) -> bool {
        is_loopback(host) || self.insecure.iter().any(|insecure| insecure == host)
    }

    /// Whether an address may be asked that somebody else names.
    fn admit(&self, url: &Url) -> Result<(), LookUpError> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        let may_be_plain = self.may_be_plain(host) || self.may_be_plain(&format!("{host}:{port}"));
        if url.scheme() == "https" || (url.scheme() == "http" && may_be_plain) {
            return Ok(());
        }
        Err(LookUpError::NotEncrypted { url: format!("{}://{host}", url.scheme()) })
    }
}

/// A conversation about one image.
#[derive(Debug)]
pub(super) struct Conversation<'a> {
    registries: &'a Registries,
    image: &'a Reference,
    base: Url,
    credentials: Option<&'a Credentials>,
    /// What the registry wanted to see.
    authorization: Option<HeaderValue>,
}

impl Conversation<'_> {
    /// What stands under the image's name, and its digest.
    pub(super) async fn named(&mut self) -> Result<(String, Bytes), LookUpError> {
        let bytes = self.read("manifests", self.image.version.as_str(), Some(document::ACCEPT)).await?;
        let digest = digest_of(&bytes);
        match &self.image.version {
            Version::Digest(wanted) if *wanted != digest => {
                Err(LookUpError::WrongDigest { what: "manifest" })
            }
            _ => Ok((digest, bytes)),
        }
    }

    /// The manifest of that digest.
    pub(super) async fn manifest(&mut self, digest: &str) -> Result<Bytes, LookUpError> {
        let bytes = self.read("manifests", digest, Some(document::ACCEPT)).await?;
        checked(bytes, digest, "manifest")
    }

    /// The configuration of that digest.
    pub(super) async fn configuration(&mut self, digest: &str) -> Result<Bytes, LookUpError> {
        let bytes = self.read("blobs", digest, None).await?;
        checked(bytes, digest, "configuration")
    }

    async fn read(
        &mut self,
        kind: &str,
        name: &str,
        accept: Option<&'static str>,
    ) -> Result<Bytes, LookUpError> {
        let path = format!("/v2/{}/{kind}/{name}", self.image.repository);
        let first = self.base.join(&path).map_err(|_| LookUpError::NoReference)?;
        let mut answer = self.ask(&first, accept).await?;
        if answer.status == 401 {
            self.meet(&answer.headers).await?;
            answer = self.ask(&first, accept).await?;
        }
        match answer.status {
            200 => whole(answer).await,
            401 | 403 => Err(LookUpError::Denied),
            404 => Err(LookUpError::Missing),
            status => Err(LookUpError::Status { status }),
        }
    }

    /// Follows redirects. What proves who we are goes to the registry itself only.
    async fn ask(&self, first: &Url, accept: Option<&'static str>) -> Result<Response, LookUpError> {
        let mut url = first.clone();
        for _ in 0..=REDIRECTS {
            let mut headers = HeaderMap::new();
            set(&mut headers, ACCEPT, accept.map(HeaderValue::from_static));
            let is_registry = url.origin() == self.base.origin();
            set(&mut headers, AUTHORIZATION, self.authorization.clone().filter(|_| is_registry));
            let answer = self.registries.http.get_once(url.as_str(), headers).await?;
            if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let to = answer.headers.get(LOCATION).and_then(|to| to.to_str().ok());
            let next = to.and_then(|to| url.join(to).ok());
            url = next.ok_or(LookUpError::Status { status: answer.status })?;
            self.registries.admit(&url)?;
        }
        Err(LookUpError::Redirects { limit: REDIRECTS })
    }

    /// Gets what the registry asks for.
    async fn meet(&mut self, headers: &HeaderMap) -> Result<(), LookUpError> {
        let text = match challenge::read(headers).ok_or(LookUpError::UnknownChallenge)? {
            Challenge::Basic => self.credentials.ok_or(LookUpError::Denied)?.basic(),
            Challenge::Bearer { realm, service, scope } => {
                let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", self.image.repository));
                format!("Bearer {}", self.token(&realm, service.as_deref(), &scope).await?)
            }
        };
        self.authorization = Some(secret_value(&text)?);
        Ok(())
    }

    async fn token(&self, realm: &str, service: Option<&str>, scope: &str) -> Result<String, LookUpError> {
        const NO_TOKEN: LookUpError = LookUpError::NotUnderstood { what: "token" };
        let mut url = Url::parse(realm).map_err(|_| LookUpError::UnknownChallenge)?;
        self.registries.admit(&url)?;
        for (name, value) in [("service", service), ("scope", Some(scope))] {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        let mut headers = HeaderMap::new();
        let basic = self.credentials.map(|credentials| secret_value(&credentials.basic())).transpose()?;
        set(&mut headers, AUTHORIZATION, basic);
        let answer = self.registries.http.get_once(url.as_str(), headers).await?;
        match answer.status {
            200 => {
                let token: Token = serde_json::from_slice(&whole(answer).await?).map_err(|_| NO_TOKEN)?;
                token.token.or(token.access_token).ok_or(NO_TOKEN)
            }
            // Some say so for images that there are not.
            400 | 401 | 403 | 404 => Err(LookUpError::Denied),
            status => Err(LookUpError::Status { status }),
        }
    }
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

async fn whole(mut answer: Response) -> Result<Bytes, LookUpError> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = answer.chunk().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    if let Some(value) = value {
        headers.insert(name, value);
    }
}

fn secret_value(text: &str) -> Result<HeaderValue, LookUpError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| LookUpError::NotUnderstood { what: "token" })?;
    value.set_sensitive(true);
    Ok(value)
}

fn checked(bytes: Bytes, digest: &str, what: &'static str) -> Result<Bytes, LookUpError> {
    if digest_of(&bytes) == digest { Ok(bytes) } else { Err(LookUpError::WrongDigest { what }) }
}

pub(super) fn digest_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
