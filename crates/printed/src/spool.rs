//! A text that may be large, in a file, up to a limit.

use std::{
    fs::File,
    io::{self, BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// A text in a file, which goes with it unless it is taken.
#[derive(Debug)]
pub(crate) struct Spool {
    path: PathBuf,
    file: BufWriter<File>,
    most: u64,
    size: u64,
    is_cut: bool,
    is_taken: bool,
}

impl Spool {
    pub(crate) fn create(path: PathBuf, most: u64) -> io::Result<Self> {
        let file = BufWriter::new(File::create(&path)?);
        Ok(Self { path, file, most, size: 0, is_cut: false, is_taken: false })
    }

    /// Adds a line and its end.
    pub(crate) fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.write(line)?;
        self.write(b"\n")
    }

    /// Adds bytes; past the limit nothing is kept.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.is_cut {
            return Ok(());
        }
        self.size += bytes.len() as u64;
        if self.size > self.most {
            self.clear()?;
            self.is_cut = true;
            return Ok(());
        }
        self.file.write_all(bytes)
    }

    pub(crate) fn clear(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.get_ref().set_len(0)?;
        self.size = 0;
        self.is_cut = false;
        Ok(())
    }

    /// Whether it was longer than it may be.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The file, complete; it is removed with this.
    pub(crate) fn read(&mut self) -> io::Result<File> {
        self.file.flush()?;
        File::open(&self.path)
    }

    /// The file, complete and kept, and its size.
    pub(crate) fn take(mut self) -> io::Result<(PathBuf, u64)> {
        self.file.flush()?;
        self.is_taken = true;
        Ok((self.path.clone(), self.size))
    }

    /// The same text, complete, under another name.
    pub(crate) fn twin(&mut self) -> io::Result<Self> {
        self.file.flush()?;
        let free = |count: &u32| self.path.with_extension(format!("{count}"));
        let mut names = (0..).map(|count| free(&count));
        loop {
            let path = names.next().unwrap_or_default();
            match std::fs::hard_link(&self.path, &path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => {
                    made?;
                    let file = BufWriter::new(File::options().append(true).open(&path)?);
                    return Ok(Self {
                        path,
                        file,
                        most: self.most,
                        size: self.size,
                        is_cut: false,
                        is_taken: false,
                    });
                }
            }
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if !self.is_taken {
            // Whoever gave the folder removes it later.
            drop(std::fs::remove_file(&self.path));
        }
    }
}
