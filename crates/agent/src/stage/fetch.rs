//! Files from the network: references under the fetch policy, results of other jobs from the server.

use std::fs::File;
use std::io::{Seek, Write};
use std::sync::OnceLock;
use std::time::Duration;

use http_body_util::BodyExt;
use rutter_fetch::{Client, Error as FetchError, Policy};
use rutter_types::agent::FetchPolicy;

use super::{ItemError, Space, Stager};
use crate::contact;

/// Tries for what may be better a moment later.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(300);

/// Fetches references; the client (and with it TLS) is made for the first one.
pub(super) struct Fetcher<'a> {
    policy: &'a FetchPolicy,
    ca: Option<&'a [u8]>,
    client: OnceLock<Result<Client, String>>,
}

impl<'a> Fetcher<'a> {
    pub(super) fn new(policy: &'a FetchPolicy, ca: Option<&'a [u8]>) -> Self {
        Self { policy, ca, client: OnceLock::new() }
    }

    /// Fetches a URL into a file; gives size and media type.
    pub(super) async fn fetch(
        &self,
        url: &str,
        file: &mut File,
        space: &Space,
    ) -> Result<(u64, Option<String>), ItemError> {
        let client = self.client.get_or_init(|| self.make()).as_ref();
        let client = client.map_err(|reason| FetchError::Setup { reason: reason.clone() })?;
        let mut tries = 1;
        loop {
            match once(client, url, file, space).await {
                Err(error) if tries < TRIES && is_transient(&error) => {
                    tokio::time::sleep(PAUSE * tries).await;
                    start_again(file)?;
                    tries += 1;
                }
                done => return done,
            }
        }
    }

    fn make(&self) -> Result<Client, String> {
        let allow = self.policy.allow.iter().map(|text| text.parse().map_err(|error| format!("{error}")));
        let policy = Policy {
            private_networks: self.policy.private_networks,
            allow: allow.collect::<Result<_, String>>()?,
            max_bytes: self.policy.max_bytes,
            idle: Duration::from_secs(self.policy.idle_seconds.max(1)),
            max_redirects: self.policy.max_redirects,
        };
        Client::new(policy, self.ca).map_err(|error| error.to_string())
    }
}

async fn once(
    client: &Client,
    url: &str,
    file: &mut File,
    space: &Space,
) -> Result<(u64, Option<String>), ItemError> {
    let mut response = client.get(url).await?;
    if !response.is_success() {
        return Err(ItemError::Status(response.status));
    }
    let media_type = response.media_type().map(str::to_owned);
    let mut size = 0;
    while let Some(chunk) = response.chunk().await? {
        space.take(chunk.len())?;
        file.write_all(&chunk)?;
        size += chunk.len() as u64;
    }
    Ok((size, media_type))
}

fn is_transient(error: &ItemError) -> bool {
    match error {
        ItemError::Fetch(error) => error.is_transient(),
        ItemError::Status(status) => matches!(status, 429 | 502 | 503 | 504),
        _ => false,
    }
}

fn start_again(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()
}

impl Stager<'_> {
    /// Reads what the server has under a path; a transfer that breaks off starts again.
    pub(super) async fn download(&self, path: &str, file: &mut File) -> Result<u64, ItemError> {
        let mut tries = 1;
        loop {
            let mut body = match self.contact.get(path).await {
                Err(contact::Error::Refused { text, .. }) => return Err(ItemError::Refused(text)),
                opened => opened?,
            };
            let mut size = 0;
            let broken = loop {
                match body.frame().await {
                    None => return Ok(size),
                    Some(Err(error)) => break error,
                    Some(Ok(frame)) => {
                        let Some(bytes) = frame.data_ref() else { continue };
                        self.space.take(bytes.len())?;
                        file.write_all(bytes)?;
                        size += bytes.len() as u64;
                    }
                }
            };
            if tries == TRIES * TRIES {
                return Err(std::io::Error::other(broken).into());
            }
            tokio::time::sleep(PAUSE * tries).await;
            start_again(file)?;
            tries += 1;
        }
    }
}
