//! Parts of objects as they come over the network.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use object_store::path::Path as Key;
use tokio::task::spawn_blocking;

use super::{
    ByteStream, ObjectError, Objects, Received,
    drafts::{Draft, locked},
    folder_error,
};

/// Bytes that are written together; bounds the memory of an upload.
const TOGETHER: usize = 1024 * 1024;

/// Where a part belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where its bytes begin.
    pub offset: u64,
    /// Of the whole object.
    pub size: u64,
}

impl Objects {
    /// How much there is of an object that comes in parts, kept as `draft` until it is whole. `None` = in this store objects
    /// come at once.
    pub async fn received(&self, draft: &str, key: &str) -> Result<Option<Received>, ObjectError> {
        let Some((draft, target)) = self.paths(draft, key) else { return Ok(None) };
        let drafts = self.drafts.clone();
        blocking(move || drafts.look(&draft, &target)).await.map(Some)
    }

    /// Take a part of an object. What is there already is passed over; a part that begins later is read and dropped. Memory
    /// stays flat, and bytes that came before a connection broke count.
    pub async fn put_part(
        &self,
        draft: &str,
        key: &str,
        part: Part,
        mut body: ByteStream,
    ) -> Result<Option<Received>, ObjectError> {
        let Some((draft, target)) = self.paths(draft, key) else { return Ok(None) };
        let drafts = self.drafts.clone();
        let found = blocking(move || drafts.open(&draft, &target)).await?;
        let (mut at, mut pieces) = (part.offset, BytesMut::new());
        let mut came = Ok(());
        loop {
            let piece = match body.try_next().await {
                Ok(piece) => piece,
                Err(error) => {
                    came = Err(error);
                    None
                }
            };
            let is_end = piece.is_none();
            pieces.extend_from_slice(&piece.unwrap_or_default());
            if at.saturating_add(pieces.len() as u64) > part.size {
                return Err(ObjectError::Beyond { size: part.size });
            }
            if pieces.len() >= TOGETHER || is_end {
                let bytes = pieces.split().freeze();
                let from = at;
                at += bytes.len() as u64;
                add(&found, from, bytes).await?;
            }
            if is_end {
                break;
            }
        }
        came?;
        blocking(move || locked(&found).settle(Some(part.size))).await.map(Some)
    }

    fn paths(&self, draft: &str, key: &str) -> Option<(PathBuf, PathBuf)> {
        let folder = self.folder.as_ref()?;
        let path = |key: &str| folder.join(Key::from(key).as_ref());
        Some((path(draft), path(key)))
    }
}

/// Between two pieces another writer may come: each says where it belongs.
async fn add(draft: &Arc<Mutex<Draft>>, at: u64, bytes: Bytes) -> Result<(), ObjectError> {
    let draft = draft.clone();
    blocking(move || locked(&draft).add(at, &bytes)).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ObjectError> {
    let done = spawn_blocking(work).await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
    done.map_err(folder_error)
}

#[cfg(test)]
mod tests;
