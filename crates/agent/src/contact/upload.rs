//! Outputs to the server: streamed, hashed on the way, sent whole again when a connection breaks.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use http::Method;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use rutter_types::agent::Uploaded;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::calls::{read, segment};
use super::{Body, Call, Contact, Error, locked};

const PIECE: usize = 256 * 1024;
/// Pieces that wait between disk and network.
const AHEAD: usize = 4;
/// Uploads whose digest differs at the two ends are made again so often.
const TRIES: u32 = 5;

/// Where the reader leaves the digest of what it read.
type Digested = Arc<Mutex<Option<String>>>;

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
        let digest = Digested::default();
        let body = || stream_of(file, length, Arc::clone(&digest));
        let call = Call { method: Method::PUT, path: &path, content_type: media_type, length, body: &body };
        for _ in 0..TRIES {
            let answer: Uploaded = read(&path, &self.call(&call).await?)?;
            let ours = locked(&digest).clone();
            if answer.size == length && ours.as_ref() == Some(&answer.sha256) {
                return Ok(answer.sha256);
            }
        }
        Err(Error::Refused { path, status: 200, text: "size or digest differ from what was sent".to_owned() })
    }
}

/// The bytes of a file from its start; reading and hashing happen on a thread of their own.
fn stream_of(file: &File, length: u64, digest: Digested) -> io::Result<Body> {
    let file = file.try_clone()?;
    *locked(&digest) = None;
    let (pieces, taken) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = pump(file, length, &pieces, &digest) {
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
    file: File,
    length: u64,
    pieces: &mpsc::Sender<io::Result<Bytes>>,
    digest: &Digested,
) -> io::Result<()> {
    let mut hash = Sha256::new();
    let mut at = 0;
    while at < length {
        let mut piece = vec![0; PIECE.min(usize::try_from(length - at).unwrap_or(PIECE))];
        // At an offset: a try that was given up may still be reading through the same open file.
        file.read_exact_at(&mut piece, at)?;
        hash.update(&piece);
        at += piece.len() as u64;
        if at == length {
            // Before the last piece is sent: the answer may come at once.
            *locked(digest) = Some(hex(&hash.finalize_reset()));
        }
        if pieces.blocking_send(Ok(piece.into())).is_err() {
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
