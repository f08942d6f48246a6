//! The log of an attempt: the command's output and the agent's own words, in one sequence of bytes that the server
//! takes piece by piece at offsets.
//!
//! What the server has not acknowledged is spooled; when the spool is full, the command's pipes are not read any
//! more and the command waits. What goes beyond the limit of the order is dropped and counted.

mod cut;
mod echo;
mod pipe;
mod ring;
mod send;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

pub(crate) use cut::Stream;
use cut::{Cutter, LONGEST};
use echo::Echo;
pub(crate) use pipe::{Copy, Others, Print, follow};
use ring::Ring;
pub(crate) use send::send;

use crate::clock;
use crate::contact::locked;

/// Bytes of log that may wait for the server.
const SPOOL: u64 = 64 * 1024 * 1024;
/// Bytes read at once from a pipe.
const READ: usize = 64 * 1024;
/// Most that one read can become: each byte an empty line of its own.
const ROOM: u64 = (READ * 40 + 2 * LONGEST) as u64;

/// The log of one attempt.
pub(crate) struct Log {
    inner: Mutex<Inner>,
    /// Something was written, or the log is finished.
    written: Notify,
    /// The server acknowledged something.
    acknowledged: Notify,
    finished: AtomicBool,
}

struct Inner {
    ring: Ring,
    cutters: [Cutter; 2],
    entries: String,
    stamp: String,
    /// Bytes kept, acknowledged, dropped.
    total: u64,
    acked: u64,
    dropped: u64,
    limit: u64,
    echo: Option<Echo>,
    /// The spool failed or the server lost what it had: nothing more can be sent.
    broken: bool,
}

impl Log {
    /// With `echo` the command's output also comes out of the agent.
    pub(crate) fn new(spool: PathBuf, limit: u64, echo: bool) -> Self {
        let inner = Inner {
            ring: Ring::new(spool, SPOOL),
            cutters: [Cutter::new(Stream::Out), Cutter::new(Stream::Err)],
            entries: String::new(),
            stamp: String::new(),
            total: 0,
            acked: 0,
            dropped: 0,
            limit,
            echo: echo.then(Echo::new),
            broken: false,
        };
        Self {
            inner: Mutex::new(inner),
            written: Notify::new(),
            acknowledged: Notify::new(),
            finished: AtomicBool::new(false),
        }
    }

    /// The agent's own words.
    pub(crate) fn say(&self, text: &str) {
        self.append(|stamp, _, entries| {
            let mut cutter = Cutter::new(Stream::Sys);
            cutter.push(text.as_bytes(), stamp, entries);
            cutter.finish(stamp, entries);
        });
    }

    /// Bytes of the command's output.
    pub(crate) fn push(&self, stream: Stream, bytes: &[u8]) {
        if let Some(echo) = &mut locked(&self.inner).echo {
            echo.push(stream, bytes);
        }
        self.append(|stamp, cutters, entries| cutters[index(stream)].push(bytes, stamp, entries));
    }

    /// The stream is at its end.
    pub(crate) fn close(&self, stream: Stream) {
        self.append(|stamp, cutters, entries| cutters[index(stream)].finish(stamp, entries));
    }

    /// Nothing more comes: what is left is sent at once.
    pub(crate) fn finish(&self) {
        self.finished.store(true, Ordering::Relaxed);
        self.written.notify_one();
    }

    /// Bytes of the log, dropped ones included.
    pub(crate) fn bytes(&self) -> u64 {
        let inner = locked(&self.inner);
        inner.total + inner.dropped
    }

    /// Waits until what one read can become fits into the spool.
    pub(crate) async fn room(&self) {
        loop {
            let acknowledged = self.acknowledged.notified();
            tokio::pin!(acknowledged);
            acknowledged.as_mut().enable();
            if locked(&self.inner).has_room() {
                return;
            }
            acknowledged.await;
        }
    }

    fn append(&self, write: impl FnOnce(&str, &mut [Cutter; 2], &mut String)) {
        locked(&self.inner).append(write);
        self.written.notify_one();
    }
}

impl Inner {
    fn has_room(&self) -> bool {
        self.broken || self.total >= self.limit || self.total - self.acked + ROOM <= SPOOL
    }

    fn append(&mut self, write: impl FnOnce(&str, &mut [Cutter; 2], &mut String)) {
        self.stamp.clear();
        clock::stamp(&mut self.stamp);
        self.entries.clear();
        write(&self.stamp, &mut self.cutters, &mut self.entries);
        let kept = self.keep();
        if self.ring.write(self.total, &self.entries.as_bytes()[..kept]).is_err() {
            self.broken = true;
        }
        self.total += kept as u64;
    }

    /// How much of the new entries is kept; at the limit a note takes the place of what is dropped.
    fn keep(&mut self) -> usize {
        let length = self.entries.len() as u64;
        if self.dropped > 0 {
            self.dropped += length;
            return 0;
        }
        let room = self.limit.saturating_sub(self.total);
        if length <= room {
            return self.entries.len();
        }
        let within = usize::try_from(room).unwrap_or(0);
        let cut =
            self.entries.as_bytes()[..within].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.dropped = length - cut as u64;
        self.entries.truncate(cut);
        let note =
            format!("{} sys log limit of {} bytes reached: the rest is dropped\n", self.stamp, self.limit);
        self.entries.push_str(&note);
        self.entries.len()
    }
}

fn index(stream: Stream) -> usize {
    usize::from(stream == Stream::Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(limit: u64) -> (tempfile::TempDir, Log) {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::new(folder.path().join("spool"), limit, false);
        (folder, log)
    }

    #[test]
    fn beyond_the_limit_one_note_and_a_count() {
        let (_folder, log) = log(100);
        for _ in 0..50 {
            log.push(Stream::Out, b"0123456789\n");
        }
        let mut inner = locked(&log.inner);
        let kept = usize::try_from(inner.total).unwrap();
        let text = String::from_utf8(inner.ring.read(0, kept).unwrap()).unwrap();
        assert_eq!(text.lines().filter(|line| line.contains(" sys log limit of 100 bytes")).count(), 1);
        assert_eq!(text.lines().filter(|line| line.contains(" out ")).count(), 2);
        assert_eq!(inner.dropped, 48 * 43);
    }

    #[tokio::test]
    async fn a_full_spool_holds_back_the_reader() {
        let (_folder, log) = log(u64::MAX);
        let chunk = vec![b'x'; READ];
        while locked(&log.inner).has_room() {
            log.push(Stream::Out, &chunk);
        }
        assert!(tokio::time::timeout(std::time::Duration::from_millis(20), log.room()).await.is_err());
        assert!(locked(&log.inner).total <= SPOOL);
        let total = locked(&log.inner).total;
        log.ack(total);
        log.room().await;
    }
}
