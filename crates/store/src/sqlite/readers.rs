//! Connections that only read. They see what was committed, and never wait for the writer.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, OpenFlags};
use rutter_core::store::StoreError;

use super::failed;

/// Connections kept for the next reader.
const KEPT: usize = 8;

/// A pool of reading connections.
#[derive(Clone, Debug)]
pub(super) struct Readers(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        Self(Arc::new(Pool { path: path.to_owned(), idle: Mutex::default() }))
    }

    /// Read a row or a few: microseconds, so it is done where the caller is. Going to another thread would cost more.
    pub(super) fn point<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open(&self.0.path)?,
        };
        let outcome = read(&connection);
        let mut idle = self.lock();
        if idle.len() < KEPT {
            idle.push(connection);
        }
        outcome
    }

    /// Read many rows, on a thread that may block.
    pub(super) async fn many<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = self.clone();
        tokio::task::spawn_blocking(move || readers.point(read))
            .await
            .map_err(|error| StoreError::Engine { doing: "reading", source: Box::new(error) })?
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| failed("opening it", error))?;
    connection
        .execute_batch("PRAGMA mmap_size = 268435456; PRAGMA cache_size = -2000; PRAGMA query_only = 1;")
        .map_err(|error| failed("opening it", error))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}
