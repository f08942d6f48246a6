//! Failures below the store, and what they mean above it.

use std::path::Path;

use rusqlite::ErrorCode;
use rutter_core::store::StoreError;

/// Free bytes under which an unclear failure of input or output is taken for a full disk.
const NO_ROOM: u64 = 1 << 20;

/// Why an operation on the database failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// SQLite failed.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// What was read is no record of ours.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Fault {
    /// As it is told to callers. A full disk is told apart: it is the operator's to mend, and nothing is lost by it.
    pub(super) fn told(self, doing: &'static str, folder: &Path) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Sqlite(error) if is_full(&error, folder) => StoreError::Full,
            Self::Sqlite(error) => StoreError::Engine { doing, source: Box::new(error) },
        }
    }
}

/// SQLite says "full" only where a write ran out of room; a log or an index of it that can't grow is an I/O error.
fn is_full(error: &rusqlite::Error, folder: &Path) -> bool {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => true,
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::OperationAborted) => {
            rustix::fs::statvfs(folder)
                .is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < NO_ROOM)
        }
        _ => false,
    }
}
