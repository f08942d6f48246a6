//! Outputs in parts: after a broken connection, or another start of the server, only what it has not got is sent.

use std::fs::File;
use std::sync::Arc;

use http::Method;
use rutter_types::agent::{PART, Received};

use super::calls::read;
use super::upload::{Digested, stream_of};
use super::{Call, Contact, Error, FIRST_PAUSE, LONGEST_PAUSE, jittered, locked};

/// Answers that bring an output no further before it is sent at once.
const STANDSTILLS: u32 = 5;

impl Contact {
    /// Sends a file in parts; gives its SHA-256. `None` = it is to be sent at once: the server knows no parts, or what it got is
    /// not what is here.
    pub(super) async fn in_parts(
        &self,
        path: &str,
        media_type: &str,
        file: &File,
        length: u64,
    ) -> Result<Option<String>, Error> {
        let digest = Digested::default();
        let (mut pause, mut standstills) = (FIRST_PAUSE, 0);
        let Some(mut received) = self.received(path).await? else { return Ok(None) };
        loop {
            if received.sha256.is_some() {
                let ours = locked(&digest).whole(length);
                return Ok(received.sha256.filter(|theirs| ours.as_ref() == Some(theirs)));
            }
            let offset = received.offset;
            if offset > length || standstills > STANDSTILLS {
                return Ok(None);
            }
            let next = match self.part(path, media_type, file, offset, length, &digest).await {
                Ok(Some(next)) => next,
                Ok(None) => {
                    tokio::time::sleep(jittered(pause)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    let Some(next) = self.received(path).await? else { return Ok(None) };
                    if next.offset > offset {
                        pause = FIRST_PAUSE;
                    }
                    received = next;
                    continue;
                }
                Err(Error::Refused { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            let is_further = next.offset > offset || next.sha256.is_some();
            standstills = if is_further { 0 } else { standstills + 1 };
            received = next;
        }
    }

    /// How far an output has come; `None` = the server knows no parts.
    async fn received(&self, path: &str) -> Result<Option<Received>, Error> {
        match self.ask(path).await {
            Ok(received) => Ok(Some(received)),
            Err(Error::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends the part that begins there, once. `None` = nobody knows how much of it arrived.
    async fn part(
        &self,
        path: &str,
        media_type: &str,
        file: &File,
        offset: u64,
        length: u64,
        digest: &Digested,
    ) -> Result<Option<Received>, Error> {
        let end = length.min(offset.saturating_add(PART));
        let path = format!("{path}?offset={offset}&size={length}");
        let body = || stream_of(file, offset..end, Arc::clone(digest));
        let call = Call {
            method: Method::POST,
            path: &path,
            content_type: media_type,
            length: end - offset,
            body: &body,
        };
        self.once(&call).await?.map(|answer| read(&path, &answer)).transpose()
    }
}
