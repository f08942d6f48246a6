//! Why a launch could not be made, with what was being done.

use std::{io, path::Path};

use rutter_core::executor::ExecutorError;

/// An input or output error as the executor's error: a full disk is told apart, since waiting helps.
pub(crate) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ExecutorError {
    let doing = format!("could not {doing} {}", path.display());
    move |source| {
        if is_full(&source) {
            return ExecutorError::NoSpace;
        }
        ExecutorError::Unavailable { doing, source: Box::new(source) }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
