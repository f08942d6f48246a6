//! Nothing runs twice: the lock and the record of an attempt's folder.
//!
//! The order matters: take the lock, see that nothing was started, write the record, start. A server that comes back
//! tells by the lock whether this agent lives (it is released by the kernel when the agent ends, however it ends; the
//! command does not inherit it) and by the record which process it is and whether a command may have been started.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// Name of the lock file in the attempt's folder.
const LOCK: &str = "lock";
/// Name of the record in the attempt's folder.
const RECORD: &str = "record.json";

/// The lock, held until dropped.
#[derive(Debug)]
pub(crate) struct Held {
    _lock: File,
    folder: PathBuf,
}

/// Which process runs an attempt.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Process id of the agent.
    pub(crate) pid: u32,
    /// When it started, clock ticks since boot: with the pid and the boot id this names one process for ever.
    pub(crate) start_time: u64,
    /// `/proc/sys/kernel/random/boot_id`.
    pub(crate) boot_id: String,
    /// Job id.
    pub(crate) job: String,
}

/// Why this agent must not run the attempt.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("another agent has this attempt")]
    Busy,
    #[error("this attempt was started before: '{0}' exists")]
    AlreadyStarted(PathBuf),
    #[error("failed to use '{path}': {source}")]
    Io { path: PathBuf, source: io::Error },
}

/// Takes the attempt that has this folder.
pub(crate) fn take(folder: &Path) -> Result<Held, Error> {
    let path = folder.join(LOCK);
    let failed = |source: io::Error| Error::Io { path: path.clone(), source };
    crate::folders::make(folder).map_err(failed)?;
    // Rust opens every file close-on-exec.
    let lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Err(Error::Busy),
        Err(errno) => return Err(failed(errno.into())),
    }
    let record = folder.join(RECORD);
    match std::fs::symlink_metadata(&record) {
        Ok(_) => Err(Error::AlreadyStarted(record)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(Held { _lock: lock, folder: folder.to_owned() })
        }
        Err(source) => Err(Error::Io { path: record, source }),
    }
}

impl Held {
    /// Writes that this agent runs the job from now on.
    pub(crate) fn record(&self, job: &str) -> Result<(), Error> {
        let path = self.folder.join(RECORD);
        write_record(&path, job).map_err(|source| Error::Io { path, source })
    }
}

fn write_record(path: &Path, job: &str) -> io::Result<()> {
    let record = Record {
        pid: std::process::id(),
        start_time: start_time()?,
        boot_id: std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned(),
        job: job.to_owned(),
    };
    // Whole or not at all, for a reader that looks meanwhile; no fsync: after a crash of the machine nothing runs.
    let draft = path.with_extension("new");
    let mut file = File::create(&draft)?;
    file.write_all(&serde_json::to_vec(&record)?)?;
    std::fs::rename(&draft, path)
}

/// Field 22 of `/proc/self/stat`; the program's name before it may hold anything, so counting starts behind it.
fn start_time() -> io::Result<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let behind_name = stat.rfind(')').and_then(|at| stat.get(at + 1..));
    behind_name
        .and_then(|fields| fields.split_ascii_whitespace().nth(19))
        .and_then(|field| field.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "unknown form of /proc/self/stat"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let held = take(folder.path()).unwrap();
        assert!(matches!(take(folder.path()), Err(Error::Busy)));
        drop(held);
        take(folder.path()).unwrap();
    }

    #[test]
    fn never_started_twice() {
        let folder = tempfile::tempdir().unwrap();
        let held = take(folder.path()).unwrap();
        held.record("job-1").unwrap();
        drop(held);
        assert!(matches!(take(folder.path()), Err(Error::AlreadyStarted(_))));
    }

    #[test]
    fn the_record_names_this_process() {
        let folder = tempfile::tempdir().unwrap();
        take(folder.path()).unwrap().record("job-1").unwrap();
        let text = std::fs::read(folder.path().join(RECORD)).unwrap();
        let record: Record = serde_json::from_slice(&text).unwrap();
        assert_eq!((record.pid, record.job.as_str()), (std::process::id(), "job-1"));
        assert!(record.start_time > 0 && record.boot_id.len() == 36);
    }
}
