//! The cluster's published keys, kept, and read again when a token names one that is not among them.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use kube::Client;
use rutter_core::executor::ExecutorError;
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};

use super::token::{self, Claim, Header};
use crate::fault;

/// Shortest time between two readings: tokens with invented keys must not become requests.
const PAUSE: Duration = Duration::from_secs(10);

/// Keys and issuer.
#[derive(Debug, Default)]
pub(crate) struct Keys(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    published: Option<Published>,
    read: Option<Instant>,
}

/// What the cluster publishes.
#[derive(Clone, Debug)]
pub(super) struct Published {
    pub(super) issuer: String,
    pub(super) keys: JwkSet,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
}

impl Keys {
    /// What a token says, if it is right.
    pub(crate) async fn verify(
        &self,
        client: &Client,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<Claim>, ExecutorError> {
        let Some(header) = token::header(token) else { return Ok(None) };
        let Some((issuer, key)) = self.key(client, &header).await? else { return Ok(None) };
        Ok(token::verify(token, &header, &issuer, &key, now))
    }

    /// Reads the keys, so that the first agent need not wait and missing rights show at the start.
    pub(crate) async fn read(&self, client: &Client) -> Result<(), ExecutorError> {
        let mut state = self.0.lock().await;
        state.read(client).await
    }

    async fn key(&self, client: &Client, header: &Header) -> Result<Option<(String, Jwk)>, ExecutorError> {
        let mut state = self.0.lock().await;
        if state.find(&header.key).is_none() && state.may_read() {
            state.read(client).await?;
        }
        Ok(state.find(&header.key))
    }
}

impl State {
    fn find(&self, key: &str) -> Option<(String, Jwk)> {
        let published = self.published.as_ref()?;
        published.keys.find(key).map(|found| (published.issuer.clone(), found.clone()))
    }

    fn may_read(&self) -> bool {
        self.read.is_none_or(|read| read.elapsed() >= PAUSE)
    }

    async fn read(&mut self, client: &Client) -> Result<(), ExecutorError> {
        let discovery: Discovery = get(client, "/.well-known/openid-configuration").await?;
        let keys: JwkSet = get(client, "/openid/v1/jwks").await?;
        self.read = Some(Instant::now());
        self.published = Some(Published { issuer: discovery.issuer, keys });
        Ok(())
    }
}

async fn get<T: serde::de::DeserializeOwned>(client: &Client, path: &str) -> Result<T, ExecutorError> {
    let doing = "read the cluster's keys of service accounts";
    let request = http::Request::get(path).body(Vec::new()).map_err(fault::other(doing))?;
    // Not `request`: the answers are no objects of the API.
    let text = client.request_text(request).await.map_err(fault::unavailable(doing))?;
    serde_json::from_str(&text).map_err(fault::other(doing))
}
