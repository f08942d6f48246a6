//! The command's pipes: read as fast as the spool allows, so that the command never waits for the network.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::{Notify, watch};

use super::{Log, READ, Stream};

/// A copy of standard output for an output of the job.
pub(crate) struct Copy {
    file: Option<File>,
    left: u64,
    overflow: Arc<Notify>,
}

impl Copy {
    /// A copy of at most `limit` bytes; `overflow` is told when there are more.
    pub(crate) fn create(path: &Path, limit: u64, overflow: Arc<Notify>) -> io::Result<Self> {
        Ok(Self { file: Some(File::create(path)?), left: limit, overflow })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let length = bytes.len() as u64;
        if length > self.left {
            self.file = None;
            self.overflow.notify_one();
            return Ok(());
        }
        self.left -= length;
        file.write_all(bytes)
    }
}

/// Follows a pipe to its end. After `ended`, when no process of the command is left, what is still in the pipe is
/// read, but an end held open by somebody else is not waited for.
pub(crate) async fn follow(
    pipe: OwnedFd,
    stream: Stream,
    log: Arc<Log>,
    mut copy: Option<Copy>,
    mut ended: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut pipe = Receiver::from_owned_fd(pipe)?;
    let mut buffer = vec![0; READ];
    loop {
        log.room().await;
        let length = if *ended.borrow_and_update() {
            // Asked of the kernel: the runtime may not have heard yet of bytes that arrived with the end.
            match rustix::io::read(&pipe, &mut buffer) {
                Err(Errno::AGAIN) => 0,
                Err(Errno::INTR) => continue,
                read => read?,
            }
        } else {
            tokio::select! {
                biased;
                read = pipe.read(&mut buffer) => read?,
                told = ended.changed() => if told.is_ok() { continue } else { 0 },
            }
        };
        if length == 0 {
            log.close(stream);
            return Ok(());
        }
        log.push(stream, &buffer[..length]);
        if let Some(copy) = &mut copy {
            copy.write(&buffer[..length])?;
        }
    }
}
