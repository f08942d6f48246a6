//! Objects that come in parts: a file beside the objects grows until it is whole, and then becomes one. So a lost connection
//! costs what was on its way, and a server that was started again goes on where the last one ended.
//!
//! What is told as received is on the disk. Whoever writes says where its bytes begin, so two writers of the same bytes, or
//! one that comes late, do no harm. The digest goes along while the server lives; after that the file is read once.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sha2::{Digest, Sha256};

use super::hex;

/// Pieces in which a file is read.
const PIECE: usize = 1024 * 1024;

/// How far an object has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes that are durable.
    pub offset: u64,
    /// SHA-256 of an object that is whole, hexadecimal.
    pub sha256: Option<String>,
}

/// All drafts that somebody writes or asks for.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    open: Mutex<HashMap<PathBuf, Arc<Mutex<Draft>>>>,
}

/// One object on its way. Its calls wait for the disk.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    /// Where it will be when it is whole.
    target: PathBuf,
    /// Whether what there is was read; one at a time, however many ask.
    is_read: bool,
    length: u64,
    /// Of these bytes.
    digest: Sha256,
    /// Whether all of it is durable.
    synced: bool,
    whole: Option<String>,
}

impl Drafts {
    /// An object on its way, there or not. Waits for the disk.
    pub(super) fn open(&self, path: &Path, target: &Path) -> io::Result<Arc<Mutex<Draft>>> {
        let unknown = || Arc::new(Mutex::new(Draft::new(path, target)));
        let draft = self.lock().entry(path.to_owned()).or_insert_with(unknown).clone();
        locked(&draft).read()?;
        Ok(draft)
    }

    /// How far an object is.
    pub(super) fn look(&self, path: &Path, target: &Path) -> io::Result<Received> {
        let received = locked(&*self.open(path, target)?).settle(None)?;
        if received.offset == 0 {
            // Who asks for what is not there leaves nothing behind.
            self.lock().remove(path);
        }
        Ok(received)
    }

    /// Nobody writes these any more.
    pub(super) fn forget(&self, folder: &Path) {
        self.lock().retain(|path, _| !path.starts_with(folder));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Arc<Mutex<Draft>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Draft {
    fn new(path: &Path, target: &Path) -> Self {
        Self {
            path: path.to_owned(),
            target: target.to_owned(),
            is_read: false,
            length: 0,
            digest: Sha256::new(),
            synced: false,
            whole: None,
        }
    }

    /// What an earlier server left.
    fn read(&mut self) -> io::Result<()> {
        if self.is_read {
            return Ok(());
        }
        (self.length, self.digest, self.synced, self.whole) = (0, Sha256::new(), false, None);
        let path = self.path.clone();
        if !self.take_in(&path)? {
            let target = self.target.clone();
            if self.take_in(&target)? {
                self.whole = Some(hex(&self.digest.clone().finalize()));
            }
        }
        self.is_read = true;
        Ok(())
    }

    /// Length and digest of a file; false = there is none.
    fn take_in(&mut self, path: &Path) -> io::Result<bool> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let mut piece = vec![0; PIECE];
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(true),
                read => {
                    self.digest.update(&piece[..read]);
                    self.length += read as u64;
                }
            }
        }
    }

    /// Add bytes that begin at `at`. Passed over is what is there already, and what begins too late or comes when all is there.
    pub(super) fn add(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let known = self.length.checked_sub(at).filter(|_| self.whole.is_none());
        let known = known.and_then(|known| usize::try_from(known).ok());
        let fresh = known.and_then(|known| bytes.get(known..)).unwrap_or_default();
        if fresh.is_empty() {
            return Ok(());
        }
        let written = self.write(fresh);
        self.unless_gone(written)?;
        self.digest.update(fresh);
        self.length += fresh.len() as u64;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        // Made by its first byte only: a draft that was removed meanwhile must not come back.
        let is_new = self.length == 0;
        let folder = self.path.parent().filter(|_| is_new);
        folder.map(make).transpose()?;
        let file = OpenOptions::new().write(true).create(is_new).truncate(is_new).open(&self.path)?;
        folder.map(sync).transpose()?;
        self.synced = false;
        let written = file.write_all_at(bytes, self.length);
        if written.is_err() {
            // Of a draft that is found again, everything counts.
            let _ = file.set_len(self.length);
        }
        written
    }

    /// How far it is, once that is durable; whole at `size` bytes.
    pub(super) fn settle(&mut self, size: Option<u64>) -> io::Result<Received> {
        if self.whole.is_none() && self.length > 0 {
            let settled =
                self.sync().and_then(|()| if size == Some(self.length) { self.finish() } else { Ok(()) });
            self.unless_gone(settled)?;
        }
        Ok(Received { offset: self.length, sha256: self.whole.clone() })
    }

    fn sync(&mut self) -> io::Result<()> {
        if !self.synced {
            File::open(&self.path)?.sync_all()?;
            self.synced = true;
        }
        Ok(())
    }

    /// Somebody removed it, or another writer made it whole: whoever asks next looks anew.
    fn unless_gone(&mut self, done: io::Result<()>) -> io::Result<()> {
        if matches!(&done, Err(error) if error.kind() == ErrorKind::NotFound) {
            self.is_read = false;
        }
        done
    }

    fn finish(&mut self) -> io::Result<()> {
        let folder = self.target.parent();
        folder.map(make).transpose()?;
        fs::rename(&self.path, &self.target)?;
        folder.map(sync).transpose()?;
        self.whole = Some(hex(&self.digest.clone().finalize()));
        Ok(())
    }
}

/// A folder that stays.
fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent();
    above.map(make).transpose()?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => above.map(sync).transpose().map(drop),
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A draft that stays right whoever panics.
pub(super) fn locked(draft: &Mutex<Draft>) -> MutexGuard<'_, Draft> {
    draft.lock().unwrap_or_else(PoisonError::into_inner)
}
