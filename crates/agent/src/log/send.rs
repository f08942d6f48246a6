//! The log to the server: often enough for people who watch, in pieces large enough for machines.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;

use super::{Log, SPOOL};
use crate::contact::{Contact, Error, locked};

/// How long the first unsent byte waits for company.
const GATHER: Duration = Duration::from_millis(200);
/// With so many bytes there is no waiting.
const ENOUGH: u64 = 256 * 1024;
const PIECE: usize = 1024 * 1024;
/// Answers in a row that acknowledge nothing; then the log is given up, not the attempt.
const FRUITLESS: u32 = 20;

/// Sends until the log is finished and acknowledged.
pub(crate) async fn send(log: &Log, contact: &Contact) -> Result<(), Error> {
    let mut fruitless = 0;
    while log.something_to_send().await {
        let Some((offset, bytes)) = log.piece() else { return Ok(()) };
        let sent_until = offset + bytes.len() as u64;
        match contact.log(offset, bytes).await {
            Ok(until) if log.ack(until) => fruitless = if until >= sent_until { 0 } else { fruitless + 1 },
            Ok(_) => fruitless += 1,
            // One that does not want the log does not want less of the job.
            Err(Error::TooLarge | Error::Refused { .. }) => fruitless = FRUITLESS,
            Err(error) => return Err(error),
        }
        if fruitless >= FRUITLESS {
            log.give_up();
            return Ok(());
        }
        if fruitless > 0 {
            tokio::time::sleep(GATHER / 4).await;
        }
    }
    Ok(())
}

impl Log {
    /// Waits for bytes to send; false when there will be none any more.
    async fn something_to_send(&self) -> bool {
        loop {
            let finished = self.finished.load(Ordering::Relaxed);
            match self.waiting() {
                0 if finished => return false,
                0 => self.written.notified().await,
                waiting if finished || waiting >= ENOUGH => return true,
                _ => {
                    let _ = tokio::time::timeout(GATHER, self.enough()).await;
                    return true;
                }
            }
        }
    }

    async fn enough(&self) {
        while self.waiting() < ENOUGH && !self.finished.load(Ordering::Relaxed) {
            self.written.notified().await;
        }
    }

    fn waiting(&self) -> u64 {
        let inner = locked(&self.inner);
        if inner.broken { 0 } else { inner.total - inner.acked }
    }

    fn piece(&self) -> Option<(u64, Bytes)> {
        let mut inner = locked(&self.inner);
        let length = usize::try_from(inner.total - inner.acked).unwrap_or(PIECE).min(PIECE);
        let acked = inner.acked;
        match inner.ring.read(acked, length) {
            Ok(bytes) => Some((acked, bytes.into())),
            Err(_) => {
                inner.broken = true;
                None
            }
        }
    }

    /// The server has everything up to this offset, and nothing behind it; false when it asks for what is not there.
    pub(super) fn ack(&self, until: u64) -> bool {
        let mut inner = locked(&self.inner);
        let oldest = inner.total.saturating_sub(SPOOL);
        let there = (oldest..=inner.total).contains(&until);
        if there {
            inner.acked = until;
        }
        drop(inner);
        self.acknowledged.notify_waiters();
        there
    }

    fn give_up(&self) {
        locked(&self.inner).broken = true;
        self.acknowledged.notify_waiters();
    }
}
