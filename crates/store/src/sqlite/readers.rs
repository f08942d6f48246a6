//! Connections that only read. They see what was committed, and never wait for the writer.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicUsize, Ordering},
    },
};

use rusqlite::{Connection, OpenFlags};
use rutter_core::store::StoreError;

use super::fault::Fault;

/// Reading connections: those for a row or a few never wait behind those for many.
#[derive(Debug)]
pub(super) struct Readers {
    folder: Arc<PathBuf>,
    points: Pool,
    lists: Arc<Pool>,
}

impl Readers {
    pub(super) fn open(folder: &Path, database: &Path) -> Result<Self, Fault> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Ok(Self {
            folder: Arc::new(folder.to_owned()),
            points: Pool::open(database, cores.clamp(2, 8))?,
            lists: Arc::new(Pool::open(database, cores.clamp(2, 4))?),
        })
    }

    /// Read a row or a few: microseconds, so it is done where the caller is. Going to another thread would cost more.
    pub(super) fn point<T>(
        &self,
        doing: &'static str,
        read: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        read(&self.points.take()).map_err(|fault| fault.told(doing, &self.folder))
    }

    /// Read many rows, on a thread that may block.
    pub(super) async fn many<T: Send + 'static>(
        &self,
        doing: &'static str,
        read: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (lists, folder) = (self.lists.clone(), self.folder.clone());
        let outcome = tokio::task::spawn_blocking(move || {
            read(&lists.take()).map_err(|fault| fault.told(doing, &folder))
        });
        outcome.await.map_err(|error| StoreError::Engine { doing, source: Box::new(error) })?
    }
}

#[derive(Debug)]
struct Pool {
    connections: Vec<Mutex<Connection>>,
    next: AtomicUsize,
}

impl Pool {
    fn open(database: &Path, size: usize) -> Result<Self, Fault> {
        let connections = (0..size).map(|_| Ok(Mutex::new(open(database)?))).collect::<Result<_, Fault>>()?;
        Ok(Self { connections, next: AtomicUsize::new(0) })
    }

    /// One that is free, the first of them first: its cache is the warmest. When none is, waits for one in turn.
    fn take(&self) -> MutexGuard<'_, Connection> {
        for connection in &self.connections {
            match connection.try_lock() {
                Ok(free) => return free,
                Err(TryLockError::Poisoned(free)) => return free.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.connections.len();
        self.connections[turn].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(database: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    // No memory map: its pages would count as ours.
    connection
        .execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -2000; PRAGMA busy_timeout = 5000;")?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}
