//! Launches without an agent: which of their pods somebody must speak for, and what those print.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{AsyncBufRead, AsyncBufReadExt, StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::api::LogParams;
use rutter_core::{
    executor::{AloneAttempt, AttemptName, ExecutorError, Printed, PrintedLine},
    id::LaunchName,
};

use crate::{
    adopted, fault,
    names::{ALONE, is_adopted},
    observe::{attempt_alone, program_has_ended},
    shared::Shared,
};

/// Longest line; what is longer goes on as another.
const LINE: usize = 1 << 20;

/// Whether a Job's pods run without an agent.
fn is_alone(job: &Job) -> bool {
    job.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(ALONE))
}

/// Attempts in order.
pub(crate) fn attempts(shared: &Shared, launch: LaunchName) -> Vec<AloneAttempt> {
    let Some(known) = shared.cache.known(launch) else { return Vec::new() };
    if is_adopted(&known.job) {
        return adopted::attempt(shared, launch, &known).into_iter().collect();
    }
    if !is_alone(&known.job) {
        return Vec::new();
    }
    let mut pods = known.pods;
    pods.sort_by_cached_key(|pod| (pod.metadata.creation_timestamp.clone(), pod.metadata.name.clone()));
    pods.iter().filter_map(|pod| attempt_alone(pod)).collect()
}

/// What the program of an attempt prints, from its start to its end.
pub(crate) async fn printed(shared: &Shared, attempt: &AttemptName) -> Result<Printed, ExecutorError> {
    let gone = || ExecutorError::Impossible { reason: "its pod is gone".to_owned() };
    let known = shared.cache.known(attempt.launch).ok_or_else(gone)?;
    let is_meant = |pod: &&Arc<Pod>| pod.metadata.uid.as_deref() == Some(&attempt.uid);
    let meant = if is_adopted(&known.job) { adopted::pod(&known) } else { known.pods.iter().find(is_meant) };
    let pod: &Pod = meant.ok_or_else(gone)?;
    let program = pod.spec.as_ref().and_then(|spec| spec.containers.first()).map(|it| it.name.clone());
    // Of one that has ended there is nothing to wait for, and the waiting may have no end.
    let follow = !program_has_ended(pod);
    let parameters = LogParams { container: program, follow, timestamps: true, ..LogParams::default() };
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let opened = shared.pods.log_stream(name, &parameters).await;
    Ok(lines(opened.map_err(fault::unavailable("read what a program prints"))?))
}

/// A log that is being read.
struct Reading<R> {
    reader: R,
    /// When the line that is being read was printed.
    time: Timestamp,
    /// Whether the next bytes go on with a line.
    goes_on: bool,
}

fn lines(reader: impl AsyncBufRead + Send + 'static) -> Printed {
    let reading = Reading { reader: Box::pin(reader), time: Timestamp::UNIX_EPOCH, goes_on: false };
    let next = |mut reading: Reading<_>| async move {
        let line = reading.line().await.map_err(fault::other("read what a program prints"))?;
        Ok(line.map(|line| (line, reading)))
    };
    stream::try_unfold(reading, next).boxed()
}

impl<R: AsyncBufRead + Unpin> Reading<R> {
    async fn line(&mut self) -> std::io::Result<Option<PrintedLine>> {
        let mut line = BytesMut::new();
        let ended = loop {
            let piece = self.reader.fill_buf().await?;
            if piece.is_empty() {
                break false;
            }
            let end = piece.iter().position(|byte| *byte == b'\n');
            let most = end.unwrap_or(piece.len()).min(LINE - line.len());
            line.extend_from_slice(&piece[..most]);
            let is_whole = end == Some(most);
            self.reader.consume_unpin(most + usize::from(is_whole));
            if is_whole {
                break true;
            }
            if line.len() == LINE {
                break false;
            }
        };
        if line.is_empty() && !ended {
            return Ok(None);
        }
        let is_cut = line.len() == LINE && !ended;
        let line = line.freeze();
        let text = if self.goes_on { line } else { self.timed(line) };
        self.goes_on = !ended;
        Ok(Some(PrintedLine { time: self.time, text, goes_on: is_cut }))
    }

    /// Takes the time off a line that begins with it.
    fn timed(&mut self, line: Bytes) -> Bytes {
        let Some(end) = line.iter().position(|byte| *byte == b' ') else { return line };
        let time = std::str::from_utf8(&line[..end]).ok().and_then(|text| text.parse().ok());
        let Some(time) = time else { return line };
        self.time = time;
        line.slice(end + 1..)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{TryStreamExt, io::Cursor};

    use super::*;

    async fn read(text: Vec<u8>) -> Vec<(String, usize)> {
        let lines: Vec<PrintedLine> = lines(Cursor::new(text)).try_collect().await.unwrap();
        lines.iter().map(|line| (line.time.to_string(), line.text.len())).collect()
    }

    #[tokio::test]
    async fn lines_with_their_times() {
        let log = b"2026-11-25T10:00:00.5Z hello world\n2026-11-25T10:00:01Z \nodd\n2026-11-25T10:00:02Z end"
            .to_vec();
        let at = |second: &str, length| (format!("2026-11-25T10:00:{second}Z"), length);
        assert_eq!(read(log).await, [at("00.5", 11), at("01", 0), at("01", 3), at("02", 3)]);
        assert!(read(Vec::new()).await.is_empty());
    }

    #[tokio::test]
    async fn a_line_without_an_end_does_not_fill_the_memory() {
        let mut log = b"2026-11-25T10:00:00Z ".to_vec();
        let stamp = log.len();
        log.extend(vec![b'x'; 2 * LINE]);
        log.extend(b"\n2026-11-25T10:00:01Z y\n");
        let lengths: Vec<usize> = read(log).await.into_iter().map(|(_, length)| length).collect();
        assert_eq!(lengths, [LINE - stamp, LINE, stamp, 1]);
    }
}
