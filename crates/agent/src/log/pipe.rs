//! The command's pipes: read as fast as the spool allows, so that the command never waits for the network.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustix::io::Errno;
use rutter_printed::Printed;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::{Notify, watch};

use super::{Log, READ, Stream};
use crate::contact::locked;

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

/// All that the command prints, for outputs that are found in it.
pub(crate) type Print = Arc<Mutex<Printed>>;

/// Who gets bytes of a stream beside the log.
#[derive(Default)]
pub(crate) struct Others {
    pub(crate) copy: Option<Copy>,
    pub(crate) print: Option<Print>,
}

impl Others {
    fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        if let Some(copy) = &mut self.copy {
            copy.write(bytes)?;
        }
        let Some(print) = &self.print else { return Ok(()) };
        let stream =
            if stream == Stream::Err { rutter_printed::Stream::Err } else { rutter_printed::Stream::Out };
        locked(print).push(stream, bytes)
    }
}

/// Follows a pipe to its end. After `ended`, when no process of the command is left, what is still in the pipe is
/// read, but an end held open by somebody else is not waited for.
pub(crate) async fn follow(
    pipe: OwnedFd,
    stream: Stream,
    log: Arc<Log>,
    mut others: Others,
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
        others.write(stream, &buffer[..length])?;
    }
}
