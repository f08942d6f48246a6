//! The one struct over the object store: values of results, and the documents from which jobs can be rebuilt.

mod drafts;
mod parts;

use std::{
    io::ErrorKind,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use object_store::{
    GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart, local::LocalFileSystem,
    path::Path as Key,
};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use self::drafts::Drafts;
pub use self::{drafts::Received, parts::Part};
use crate::job::{Place, StoredValue};

/// Bytes that come piece by piece.
pub type ByteStream = BoxStream<'static, Result<Bytes, ObjectError>>;

/// Parts of a large object: the least that S3 takes.
const PART: usize = 5 * 1024 * 1024;
/// Parts on their way at the same time; bounds the memory of an upload.
const PARTS_AT_ONCE: usize = 2;

/// Why the object store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// There is no such object.
    #[error("object {key:?} does not exist")]
    Missing {
        /// Its key.
        key: String,
    },
    /// The disk is full.
    #[error("no space is left for objects")]
    NoSpace,
    /// More bytes than allowed.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// Most bytes allowed.
        limit: u64,
    },
    /// A part that goes beyond its object.
    #[error("the part goes beyond the object's {size} bytes")]
    Beyond {
        /// What was told of the whole object.
        size: u64,
    },
    /// The sender went away or sent garbage.
    #[error("the bytes stopped coming")]
    Source(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A document that can't be read.
    #[error("object {key:?} can't be read")]
    Document {
        /// Its key.
        key: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The store below failed.
    #[error("the object store failed")]
    Store(#[source] object_store::Error),
}

impl From<object_store::Error> for ObjectError {
    fn from(error: object_store::Error) -> Self {
        if let object_store::Error::NotFound { path, .. } = &error {
            return Self::Missing { key: path.clone() };
        }
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(this) = cause {
            let kind = this.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
            if matches!(kind, Some(std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)) {
                return Self::NoSpace;
            }
            cause = this.source();
        }
        Self::Store(error)
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Bytes.
    pub size: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// Objects of one installation.
#[derive(Clone, Debug)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    /// The same objects, written without waiting for the disk: they survive the server, not the machine.
    unsynced: Arc<dyn ObjectStore>,
    /// Where they lie on this machine.
    folder: Option<PathBuf>,
    /// Those that come in parts.
    drafts: Arc<Drafts>,
}

impl Objects {
    /// In a folder of this machine; every write is durable before it returns.
    pub fn in_folder(folder: &Path) -> Result<Self, ObjectError> {
        let unsynced = LocalFileSystem::new_with_prefix(folder)?.with_automatic_cleanup(true);
        let store = unsynced.clone().with_fsync(true);
        let folder = Some(folder.to_owned());
        Ok(Self { store: Arc::new(store), unsynced: Arc::new(unsynced), folder, drafts: Arc::default() })
    }

    /// In any object store.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { unsynced: store.clone(), store, folder: None, drafts: Arc::default() }
    }

    /// Write a small object.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), ObjectError> {
        self.store.put(&Key::from(key), PutPayload::from_bytes(bytes)).await?;
        Ok(())
    }

    /// Write a document.
    pub async fn put_json<T: Serialize + Sync>(&self, key: &str, document: &T) -> Result<(), ObjectError> {
        let bytes = serde_json::to_vec(document)
            .map_err(|source| ObjectError::Document { key: key.into(), source })?;
        self.put(key, bytes.into()).await
    }

    /// Write a document that must survive the server but need not survive the machine: nothing runs after a power loss.
    pub async fn put_json_unsynced<T: Serialize + Sync>(
        &self,
        key: &str,
        document: &T,
    ) -> Result<(), ObjectError> {
        let bytes = serde_json::to_vec(document)
            .map_err(|source| ObjectError::Document { key: key.into(), source })?;
        self.unsynced.put(&Key::from(key), PutPayload::from_bytes(bytes.into())).await?;
        Ok(())
    }

    /// Read a document; `None` = there is none.
    pub async fn get_json<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, ObjectError> {
        let Some(bytes) = self.get(key).await? else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| ObjectError::Document { key: key.into(), source })
    }

    /// Read a small object; `None` = there is none.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, ObjectError> {
        match self.store.get(&Key::from(key)).await {
            Ok(found) => Ok(Some(found.bytes().await?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Write an object of any size in flat memory; nothing stays of one that did not come whole.
    pub async fn put_stream(
        &self,
        key: &str,
        mut body: ByteStream,
        limit: u64,
    ) -> Result<Written, ObjectError> {
        let upload = self.store.put_multipart(&Key::from(key)).await?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART);
        let mut digest = Sha256::new();
        let mut size = 0u64;
        let copied = async {
            while let Some(piece) = body.try_next().await? {
                size += piece.len() as u64;
                if size > limit {
                    return Err(ObjectError::TooLarge { limit });
                }
                digest.update(&piece);
                writer.wait_for_capacity(PARTS_AT_ONCE).await?;
                writer.put(piece);
            }
            Ok(())
        };
        if let Err(error) = copied.await {
            // What can't be aborted is cleaned with the job; the first error is the one to tell.
            let _ = writer.abort().await;
            return Err(error);
        }
        writer.finish().await?;
        Ok(Written { size, sha256: hex(&digest.finalize()) })
    }

    /// Read a part of an object.
    pub async fn open(&self, key: &str, range: Option<Range<u64>>) -> Result<ByteStream, ObjectError> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let found = self.store.get_opts(&Key::from(key), options).await?;
        Ok(found.into_stream().map_err(ObjectError::from).boxed())
    }

    /// Read a value, or a part of it.
    pub async fn open_value(
        &self,
        value: &StoredValue,
        range: Option<Range<u64>>,
    ) -> Result<ByteStream, ObjectError> {
        match &value.place {
            Place::Inline(text) => {
                let bytes = Bytes::from(STANDARD.decode(text).unwrap_or_default());
                let end = bytes.len();
                let part = range.map_or(0..end, |range| clip(range.start, end)..clip(range.end, end));
                Ok(stream::iter([Ok(bytes.slice(part))]).boxed())
            }
            // A range of no bytes is no range to object stores.
            Place::Object(_) if value.size == 0 => Ok(stream::empty().boxed()),
            Place::Object(key) => self.open(key, range).await,
        }
    }

    /// Read a whole value of at most `limit` bytes.
    pub async fn read_value(&self, value: &StoredValue, limit: u64) -> Result<Bytes, ObjectError> {
        if value.size > limit {
            return Err(ObjectError::TooLarge { limit });
        }
        let mut body = self.open_value(value, None).await?;
        let mut whole = BytesMut::with_capacity(clip(value.size, usize::MAX));
        while let Some(piece) = body.try_next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// Bytes of an object; `None` = there is none.
    pub async fn size(&self, key: &str) -> Result<Option<u64>, ObjectError> {
        match self.store.head(&Key::from(key)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Keys and sizes below a prefix, in order.
    pub async fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, ObjectError> {
        let mut found: Vec<(String, u64)> = self
            .store
            .list(Some(&Key::from(prefix)))
            .map_ok(|object| (object.location.to_string(), object.size))
            .try_collect()
            .await?;
        found.sort();
        Ok(found)
    }

    /// Names directly below a prefix that have objects below them.
    pub async fn folders(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        let found = self.store.list_with_delimiter(Some(&Key::from(prefix))).await?;
        Ok(found.common_prefixes.iter().filter_map(|key| key.filename().map(str::to_owned)).collect())
    }

    /// Names of the objects at the top.
    pub async fn names(&self) -> Result<Vec<String>, ObjectError> {
        let found = self.store.list_with_delimiter(None).await?;
        Ok(found.objects.iter().filter_map(|it| it.location.filename().map(str::to_owned)).collect())
    }

    /// Remove an object; one that is not there is removed already.
    pub async fn remove(&self, key: &str) -> Result<(), ObjectError> {
        match self.store.delete(&Key::from(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Remove everything below a prefix, also what uploads that did not end have left there.
    pub async fn remove_all(&self, prefix: &str) -> Result<(), ObjectError> {
        if let Some(folder) = &self.folder {
            self.drafts.forget(&folder.join(Key::from(prefix).as_ref()));
            return remove_folder(&folder.join(Key::from(prefix).as_ref())).await;
        }
        let keys = self.store.list(Some(&Key::from(prefix))).map_ok(|object| object.location).boxed();
        let mut removed = self.store.delete_stream(keys);
        loop {
            match removed.try_next().await {
                Ok(None) => return Ok(()),
                Ok(Some(_)) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Remove a folder with all that is in it, and with what others put into it meanwhile.
async fn remove_folder(path: &Path) -> Result<(), ObjectError> {
    const TRIES: usize = 8;
    for _ in 0..TRIES {
        let Err(error) = tokio::fs::remove_dir_all(path).await else { return Ok(()) };
        match error.kind() {
            ErrorKind::NotFound if !tokio::fs::try_exists(path).await.map_err(folder_error)? => return Ok(()),
            ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty => {}
            _ => return Err(folder_error(error)),
        }
    }
    Err(folder_error(ErrorKind::DirectoryNotEmpty.into()))
}

fn folder_error(source: std::io::Error) -> ObjectError {
    object_store::Error::Generic { store: "LocalFileSystem", source: Box::new(source) }.into()
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn clip(at: u64, end: usize) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX).min(end)
}
