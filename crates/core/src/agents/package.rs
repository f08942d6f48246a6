//! Files of a package for agents that do not see its folder: those in containers.
//!
//! An agent names no path, only an item of its order. So it gets what was planned, whatever the package says by now, and
//! nothing else of this machine.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use rustix::{
    fs::{Mode, OFlags, ResolveFlags, open, openat2},
    io::Errno,
};
use rutter_types::agent::Source;
use tokio::io::AsyncReadExt;

use super::{AgentError, Agents};
use crate::{
    executor::AttemptName,
    results::{ByteStream, ObjectError},
};

/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;

/// Why a file of a package is not sent.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("the order names no file of the package as item {0}")]
    NotNamed(usize),
    #[error("the package's file '{0}' lies outside of its folder")]
    Outside(String),
    #[error("the package's file '{0}' is no plain file")]
    NotPlain(String),
    #[error("the package's file '{path}' is larger than {limit} bytes (references.maxBytes)")]
    TooLarge { path: String, limit: u64 },
    #[error("the package's file '{path}' can't be read: {source}")]
    Unreadable { path: String, source: io::Error },
}

impl From<FileError> for AgentError {
    /// Asking again helps only where the disk or the network before it failed.
    fn from(error: FileError) -> Self {
        let lasting = match &error {
            FileError::Unreadable { source, .. } => matches!(
                Errno::from_io_error(source),
                Some(Errno::NOENT | Errno::ACCESS | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG)
            ),
            _ => true,
        };
        if lasting { Self::Invalid { reason: error.to_string() } } else { Self::Unavailable(error.into()) }
    }
}

impl Agents {
    /// The file of the package that an item of the attempt's order names, and its size.
    ///
    /// # Errors
    /// The order names none there, or it is not there, no plain file, too large, or outside of the package's folder.
    pub async fn package_file(
        &self,
        attempt: &AttemptName,
        stage: usize,
    ) -> Result<(u64, ByteStream), AgentError> {
        let job = self.active(attempt).await?;
        let plan = self.plan(&job).await?;
        let item = plan.stage.into_iter().nth(stage);
        let (Some(Source::Package(path)), Some(folder)) = (item.map(|item| item.source), plan.package_folder)
        else {
            return Err(FileError::NotNamed(stage).into());
        };
        let limit = plan.fetch.max_bytes;
        let opened = tokio::task::spawn_blocking(move || opened(Path::new(&folder), path, limit)).await;
        let (file, size) = opened.map_err(|error| AgentError::Unavailable(error.into()))??;
        Ok((size, pieces(file, size)))
    }
}

fn opened(folder: &Path, path: String, limit: u64) -> Result<(File, u64), FileError> {
    let unreadable = |source| FileError::Unreadable { path: path.clone(), source };
    let file = match beneath(folder, &path) {
        Ok(Some(file)) => file,
        Ok(None) => return Err(FileError::Outside(path)),
        Err(error) => return Err(unreadable(error)),
    };
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(FileError::NotPlain(path));
    }
    if metadata.len() > limit {
        return Err(FileError::TooLarge { path, limit });
    }
    Ok((file, metadata.len()))
}

/// The file, if every link on the way to it stays in the folder.
fn beneath(folder: &Path, path: &str) -> io::Result<Option<File>> {
    let directory = open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    // A FIFO must not hold up the thread.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match openat2(&directory, path, flags, Mode::empty(), ResolveFlags::BENEATH) {
        Ok(file) => Ok(Some(file.into())),
        Err(Errno::XDEV) => Ok(None),
        // Kernels and sandboxes without that call.
        Err(Errno::NOSYS | Errno::PERM) => canonical(folder, path)?.map(File::open).transpose(),
        Err(errno) => Err(errno.into()),
    }
}

fn canonical(folder: &Path, path: &str) -> io::Result<Option<PathBuf>> {
    let folder = folder.canonicalize()?;
    let path = folder.join(path).canonicalize()?;
    Ok(path.starts_with(&folder).then_some(path))
}

/// So many bytes as were promised: one that shrinks meanwhile breaks off, and is asked for again.
fn pieces(file: File, size: u64) -> ByteStream {
    let file = tokio::fs::File::from_std(file).take(size);
    let next = |mut file: tokio::io::Take<tokio::fs::File>| async move {
        let mut piece = BytesMut::with_capacity(PIECE);
        match file.read_buf(&mut piece).await {
            Ok(0) if file.limit() == 0 => Ok(None),
            Ok(0) => Err(source(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(Some((Bytes::from(piece), file))),
            Err(error) => Err(source(error)),
        }
    };
    stream::try_unfold(file, next).boxed()
}

fn source(error: io::Error) -> ObjectError {
    ObjectError::Source(error.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use futures_util::TryStreamExt;

    use super::*;

    fn told(folder: &Path, path: &str) -> String {
        opened(folder, path.into(), 10).unwrap_err().to_string()
    }

    #[test]
    fn nothing_but_files_of_the_folder() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("package");
        std::fs::create_dir_all(folder.join("data")).unwrap();
        std::fs::write(outer.path().join("secret"), "x").unwrap();
        std::fs::write(folder.join("data/dem"), "12345").unwrap();
        std::fs::write(folder.join("large"), "12345678901").unwrap();
        symlink("data/dem", folder.join("inside")).unwrap();
        symlink("../secret", folder.join("outside")).unwrap();
        symlink("..", folder.join("up")).unwrap();
        symlink("/etc", folder.join("absolute")).unwrap();
        symlink("round", folder.join("round")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, folder.join("fifo"), rustix::fs::FileType::Fifo, Mode::RUSR, 0)
            .unwrap();
        for good in ["data/dem", "./data/../data/dem", "inside"] {
            assert_eq!(opened(&folder, good.into(), 10).unwrap().1, 5, "{good}");
        }
        for outside in
            ["../secret", "outside", "up/secret", "/etc/passwd", "absolute/passwd", "data/../../secret"]
        {
            assert!(told(&folder, outside).contains("outside"), "{outside}");
        }
        for (path, word) in [
            ("missing", "No such file"),
            ("data", "plain"),
            ("fifo", "plain"),
            ("large", "maxBytes"),
            ("round", "read"),
        ] {
            assert!(told(&folder, path).contains(word), "{path}: {}", told(&folder, path));
        }
    }

    #[test]
    fn without_the_kernels_help_links_stay_inside_as_well() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("package");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(outer.path().join("secret"), "x").unwrap();
        std::fs::write(folder.join("dem"), "x").unwrap();
        symlink("../secret", folder.join("outside")).unwrap();
        assert!(canonical(&folder, "dem").unwrap().is_some());
        for outside in ["outside", "../secret", "/etc/passwd"] {
            assert_eq!(canonical(&folder, outside).unwrap(), None, "{outside}");
        }
    }

    #[tokio::test]
    async fn a_file_that_changes_while_it_is_sent_is_not_taken_for_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dem");
        std::fs::write(&path, vec![7; PIECE + 1]).unwrap();
        let (file, size) = opened(folder.path(), "dem".into(), u64::MAX).unwrap();
        std::fs::write(&path, vec![7; 3 * PIECE]).unwrap();
        let sent: Vec<Bytes> = pieces(file, size).try_collect().await.unwrap();
        assert_eq!(sent.concat().len() as u64, size, "one that grew");
        let (file, size) = opened(folder.path(), "dem".into(), u64::MAX).unwrap();
        std::fs::write(&path, "short").unwrap();
        assert!(pieces(file, size).try_collect::<Vec<Bytes>>().await.is_err(), "one that shrank");
    }
}
