//! Outputs to the server: streamed, hashed on the way. Small ones are sent again when a connection breaks, large ones go on.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use http::Method;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use rutter_types::agent::{IN_PARTS_OVER, Uploaded};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::calls::{read, segment};
use super::{Body, Call, Contact, Error, locked};

const PIECE: usize = 256 * 1024;
/// Pieces that wait between disk and network.
const AHEAD: usize = 4;
/// Uploads whose digest differs at the two ends are made again so often.
const TRIES: u32 = 5;

/// What was read so far of a file that is sent.
pub(super) type Digested = Arc<Mutex<Digest>>;

/// Digest of the first bytes of a file.
#[derive(Clone, Default)]
pub(super) struct Digest {
    length: u64,
    hash: Sha256,
}

impl Digest {
    /// Takes bytes that follow; others are known already, or belong to a try that was given up.
    fn take(&mut self, at: u64, bytes: &[u8]) {
        let known = self.length.checked_sub(at).and_then(|known| usize::try_from(known).ok());
        if let Some(fresh) = known.and_then(|known| bytes.get(known..)) {
            self.hash.update(fresh);
            self.length += fresh.len() as u64;
        }
    }

    /// Of the whole file, when all of it was read.
    pub(super) fn whole(&self, length: u64) -> Option<String> {
        (self.length == length).then(|| hex(&self.hash.clone().finalize()))
    }
}

impl Contact {
    /// Sends a file of `length` bytes as a value of an output; gives its SHA-256.
    pub(crate) async fn upload(
        &self,
        output: &str,
        index: usize,
        media_type: &str,
        file: &File,
        length: u64,
    ) -> Result<String, Error> {
        let path = format!("/agent/v1/outputs/{}/{index}", segment(output));
        if length > IN_PARTS_OVER
            && let Some(digest) = self.in_parts(&path, media_type, file, length).await?
        {
            return Ok(digest);
        }
        self.at_once(path, media_type, file, length).await
    }

    async fn at_once(
        &self,
        path: String,
        media_type: &str,
        file: &File,
        length: u64,
    ) -> Result<String, Error> {
        let digest = Digested::default();
        let body = || stream_of(file, 0..length, Arc::clone(&digest));
        let call = Call { method: Method::PUT, path: &path, content_type: media_type, length, body: &body };
        for _ in 0..TRIES {
            let answer: Uploaded = read(&path, &self.call(&call).await?)?;
            let ours = locked(&digest).whole(length);
            if answer.size == length && ours.as_ref() == Some(&answer.sha256) {
                return Ok(answer.sha256);
            }
        }
        Err(Error::Refused { path, status: 200, text: "size or digest differ from what was sent".to_owned() })
    }
}

/// Bytes of a file; reading and hashing happen on a thread of their own.
pub(super) fn stream_of(file: &File, range: Range<u64>, digest: Digested) -> io::Result<Body> {
    let file = file.try_clone()?;
    if range.start == 0 {
        *locked(&digest) = Digest::default();
    }
    let (pieces, taken) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = pump(&file, range, &pieces, &digest) {
            let _ = pieces.blocking_send(Err(error));
        }
    });
    let frames = stream::unfold(taken, |mut taken| async move {
        let piece: io::Result<Bytes> = taken.recv().await?;
        Some((piece.map(Frame::data), taken))
    });
    Ok(StreamBody::new(frames).boxed_unsync())
}

fn pump(
    file: &File,
    range: Range<u64>,
    pieces: &mpsc::Sender<io::Result<Bytes>>,
    digest: &Digested,
) -> io::Result<()> {
    // What is not sent any more still belongs to the digest.
    let mut at = locked(digest).length.min(range.start);
    while at < range.end {
        let is_sent = at >= range.start;
        let left = if is_sent { range.end - at } else { range.start - at };
        let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
        // At an offset: a try that was given up may still be reading through the same open file.
        file.read_exact_at(&mut piece, at)?;
        // Before it is sent: the answer may come at once.
        locked(digest).take(at, &piece);
        at += piece.len() as u64;
        if is_sent && pieces.blocking_send(Ok(piece.into())).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of bytes, hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
