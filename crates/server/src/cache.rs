//! Documents that depend on nothing but the processes and the base URL: made once, then sent as they are.

use std::{
    collections::HashMap,
    io::Write as _,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use axum::response::Response;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderValue, header};

use crate::{
    answer,
    base::Base,
    error::ApiError,
    negotiate::{Format, Negotiated},
};

/// Base URLs that documents are kept for: a server has one or two.
const BASES: usize = 32;
/// Shorter documents are not worth compressing.
const GZIP_FROM: usize = 860;

/// A document ready to be sent.
#[derive(Debug)]
pub(crate) struct Document {
    media_type: HeaderValue,
    etag: HeaderValue,
    bytes: Bytes,
    gzip: OnceLock<Option<Bytes>>,
    language: Option<HeaderValue>,
}

impl Document {
    pub(crate) fn new(media_type: HeaderValue, bytes: Vec<u8>) -> Self {
        Self {
            media_type,
            etag: answer::etag(&bytes),
            bytes: bytes.into(),
            gzip: OnceLock::new(),
            language: None,
        }
    }

    /// The same, said to be in a language.
    pub(crate) fn in_language(self, language: Option<&str>) -> Self {
        Self { language: language.and_then(|tag| HeaderValue::try_from(tag).ok()), ..self }
    }

    pub(crate) fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<Self, ApiError> {
        Ok(Self::new(answer::JSON_TYPE, serde_json::to_vec(value)?))
    }

    pub(crate) fn html(page: String) -> Self {
        Self::new(answer::HTML_TYPE, page.into_bytes())
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(crate) fn etag(&self) -> &HeaderValue {
        &self.etag
    }

    pub(crate) fn respond(&self, negotiated: &Negotiated) -> Response {
        let compressed =
            if negotiated.gzip { self.gzip.get_or_init(|| gzip(&self.bytes)).clone() } else { None };
        let is_compressed = compressed.is_some();
        let bytes = compressed.unwrap_or_else(|| self.bytes.clone());
        let mut response = answer::whole(negotiated, self.media_type.clone(), &self.etag, bytes);
        if is_compressed && response.status() == http::StatusCode::OK {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let Some(language) = &self.language {
            response.headers_mut().insert(header::CONTENT_LANGUAGE, language.clone());
            response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept-Language"));
        }
        response
    }
}

fn gzip(bytes: &Bytes) -> Option<Bytes> {
    if bytes.len() < GZIP_FROM {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), Compression::default());
    // Writing to memory does not fail; if it did, the document would go uncompressed.
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// Documents by base URL, representation and path.
#[derive(Debug, Default)]
pub(crate) struct Cache(RwLock<HashMap<Base, Arc<Shelf>>>);

#[derive(Debug, Default)]
struct Shelf {
    generation: u64,
    documents: [RwLock<HashMap<String, Arc<Document>>>; 2],
}

impl Cache {
    /// The document of a path, made if it is not there. `generation` is that of the processes.
    pub(crate) fn get(
        &self,
        generation: u64,
        base: &Base,
        format: Format,
        path: &str,
        make: impl FnOnce() -> Result<Document, ApiError>,
    ) -> Result<Arc<Document>, ApiError> {
        let shelf = self.shelf(generation, base);
        let documents = &shelf.documents[usize::from(format == Format::Html)];
        if let Some(document) = documents.read().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Ok(document.clone());
        }
        let document = Arc::new(make()?);
        documents.write().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), document.clone());
        Ok(document)
    }

    fn shelf(&self, generation: u64, base: &Base) -> Arc<Shelf> {
        let found = self.0.read().unwrap_or_else(PoisonError::into_inner).get(base).cloned();
        if let Some(shelf) = found.filter(|shelf| shelf.generation == generation) {
            return shelf;
        }
        let mut shelves = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if shelves.len() >= BASES {
            shelves.clear();
        }
        let shelf = Arc::new(Shelf { generation, ..Shelf::default() });
        shelves.insert(base.clone(), shelf.clone());
        shelf
    }
}
