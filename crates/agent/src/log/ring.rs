//! The log on disk while the server has not acknowledged it: a file of bounded size, written round and round.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

/// Bytes at offsets of the log; made when first written to.
#[derive(Debug)]
pub(crate) struct Ring {
    path: PathBuf,
    file: Option<File>,
    capacity: u64,
}

impl Ring {
    pub(crate) fn new(path: PathBuf, capacity: u64) -> Self {
        Self { path, file: None, capacity }
    }

    /// Writes bytes at an offset of the log; older ones a capacity before are lost.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let capacity = self.capacity;
        let file = self.open()?;
        let (mut offset, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let at = offset % capacity;
            let (now, later) =
                rest.split_at(rest.len().min(usize::try_from(capacity - at).unwrap_or(rest.len())));
            file.write_all_at(now, at)?;
            offset += now.len() as u64;
            rest = later;
        }
        Ok(())
    }

    /// Reads bytes from an offset of the log: at most `length`, fewer where the file wraps.
    pub(crate) fn read(&mut self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let at = offset % self.capacity;
        let until_wrap = usize::try_from(self.capacity - at).unwrap_or(length);
        let mut bytes = vec![0; length.min(until_wrap)];
        self.open()?.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }

    fn open(&mut self) -> io::Result<&File> {
        if self.file.is_none() {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&self.path)?;
            self.file = Some(file);
        }
        self.file.as_ref().ok_or_else(|| io::Error::other("the spool is closed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_and_round() {
        let folder = tempfile::tempdir().unwrap();
        let mut ring = Ring::new(folder.path().join("spool"), 10);
        for (offset, text) in [(0, "abcdef"), (6, "ghijkl"), (12, "mno")] {
            ring.write(offset, text.as_bytes()).unwrap();
        }
        assert_eq!(ring.read(6, 100).unwrap(), b"ghij");
        assert_eq!(ring.read(10, 5).unwrap(), b"klmno");
    }
}
