//! The cluster's published keys, kept, and read again when a token names one that is not among them.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use kube::Client;
use rutter_core::executor::ExecutorError;
use serde::Deserialize;
use tokio::time::Instant;

use super::token::{self, Claim, Header};
use crate::fault;

/// Shortest time between two readings: tokens with invented keys must not become requests.
const PAUSE: Duration = Duration::from_secs(10);

/// Keys and issuer.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    state: Mutex<State>,
    /// One reading at a time; whoever has a known key does not wait for it.
    reading: tokio::sync::Mutex<()>,
}

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
        // Also what fails counts: a cluster in trouble is not asked by every token.
        self.state().read = Some(Instant::now());
        let discovery: Discovery = get(client, "/.well-known/openid-configuration").await?;
        let keys: JwkSet = get(client, "/openid/v1/jwks").await?;
        self.state().published = Some(Published { issuer: discovery.issuer, keys });
        Ok(())
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
        let published = self.published.as_ref()?;
        published.keys.find(key).map(|found| (published.issuer.clone(), found.clone()))
    }

    /// Whether a key is unknown that reading again may bring.
    fn lacks(&self, key: &str) -> bool {
        self.find(key).is_none() && self.read.is_none_or(|read| read.elapsed() >= PAUSE)
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
mod tests {
    use kube::Config;

    use super::*;
    use crate::bench::{
        fake::Fake,
        signer::{Signer, claims},
    };

    #[tokio::test]
    async fn a_cluster_in_trouble_is_not_asked_by_every_token() {
        let signer = Signer::new("k1");
        let fake = Fake::start(&signer).await;
        let mut config = Config::new(fake.url.parse().unwrap());
        config.default_retry = false;
        let client = Client::try_from(config).unwrap();
        let token = signer.sign(&claims("pod", "uid"));
        let (keys, now) = (Keys::default(), Timestamp::from_second(2000).unwrap());
        fake.cluster().down = true;
        keys.verify(&client, &token, now).await.unwrap_err();
        for _ in 0..3 {
            assert_eq!(keys.verify(&client, &token, now).await.unwrap(), None);
        }
        assert_eq!(fake.cluster().calls, ["GET keys"]);
    }
}
