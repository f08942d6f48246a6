//! The cluster's published keys, kept, and read again when a token names one that is not among them, and from time to time:
//! keys are withdrawn as well.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use kube::Client;
use rutter_core::executor::ExecutorError;
use serde::Deserialize;
use tokio::{
    sync::OwnedMutexGuard,
    time::{Instant, timeout},
};

use super::token::{self, Claim, Header};
use crate::fault;

/// Shortest time between two readings: tokens with invented keys must not become requests.
const PAUSE: Duration = Duration::from_secs(10);
/// What was read longer ago is read again while it is used.
const FRESH: Duration = Duration::from_secs(300);
/// What was read longer ago is read again before it is used. (Nobody asked meanwhile, and an idle server makes no requests.)
const STALE: Duration = Duration::from_secs(600);
/// Longest wait for that: a cluster that is away does not keep agents from their server.
const WAIT: Duration = Duration::from_secs(3);

/// Keys and issuer.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    state: Mutex<State>,
    /// One reading at a time; whoever has a known key does not wait for it.
    reading: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct State {
    published: Option<(Published, Instant)>,
    /// The last try to read them.
    tried: Option<Instant>,
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
        self: &Arc<Self>,
        client: &Client,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<Claim>, ExecutorError> {
        let Some(header) = token::header(token) else { return Ok(None) };
        self.refresh(client).await;
        let Some((issuer, key)) = self.key(client, &header).await? else { return Ok(None) };
        Ok(token::verify(token, &header, &issuer, &key, now))
    }

    /// Reads the keys, so that the first agent need not wait and missing rights show at the start.
    pub(crate) async fn read(&self, client: &Client) -> Result<(), ExecutorError> {
        // Also what fails counts: a cluster in trouble is not asked by every token.
        self.state().tried = Some(Instant::now());
        let discovery: Discovery = get(client, "/.well-known/openid-configuration").await?;
        let keys: JwkSet = get(client, "/openid/v1/jwks").await?;
        self.state().published = Some((Published { issuer: discovery.issuer, keys }, Instant::now()));
        Ok(())
    }

    /// Reads the keys again when it is time.
    async fn refresh(self: &Arc<Self>, client: &Client) {
        if self.state().is_due(STALE) {
            let reading = self.reading.clone().lock_owned().await;
            if self.state().is_due(STALE) {
                let _ = timeout(WAIT, self.read_again(client, reading)).await;
            }
        } else if self.state().is_due(FRESH)
            && let Ok(reading) = self.reading.clone().try_lock_owned()
        {
            let (keys, client) = (self.clone(), client.clone());
            tokio::spawn(async move { keys.read_again(&client, reading).await });
        }
    }

    /// Keys that the cluster no longer publishes are dropped; those of a cluster that is away are kept.
    async fn read_again(&self, client: &Client, _reading: OwnedMutexGuard<()>) {
        match self.read(client).await {
            Ok(()) | Err(ExecutorError::Away { .. }) => {}
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the cluster no longer tells the keys of service accounts; agents are not served until it does"
                );
                self.state().published = None;
            }
        }
    }

    async fn key(&self, client: &Client, header: &Header) -> Result<Option<(String, Jwk)>, ExecutorError> {
        if let Some(found) = self.state().find(&header.key) {
            return Ok(Some(found));
        }
        let _one = self.reading.lock().await;
        if self.state().lacks(&header.key) {
            self.read(client).await?;
        }
        Ok(self.state().find(&header.key))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn find(&self, key: &str) -> Option<(String, Jwk)> {
        let (published, _) = self.published.as_ref()?;
        published.keys.find(key).map(|found| (published.issuer.clone(), found.clone()))
    }

    /// Whether a key is unknown that reading again may bring.
    fn lacks(&self, key: &str) -> bool {
        self.find(key).is_none() && self.may_read()
    }

    /// Whether what is kept is older than that, and may be read again.
    fn is_due(&self, age: Duration) -> bool {
        self.published.as_ref().is_some_and(|(_, read)| read.elapsed() >= age) && self.may_read()
    }

    fn may_read(&self) -> bool {
        self.tried.is_none_or(|tried| tried.elapsed() >= PAUSE)
    }
}

async fn get<T: serde::de::DeserializeOwned>(client: &Client, path: &str) -> Result<T, ExecutorError> {
    let doing = "read the cluster's keys of service accounts";
    let request = http::Request::get(path).body(Vec::new()).map_err(fault::other(doing))?;
    // Not `request`: the answers are no objects of the API.
    let text = client.request_text(request).await.map_err(fault::unavailable(doing))?;
    serde_json::from_str(&text).map_err(fault::other(doing))
}

#[cfg(test)]
mod tests;
