//! Copies of logs in a bucket, for people and programs that look for them there. The server itself never reads them.

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::tz::TimeZone;

use super::{Line, LogError, Logs};
use crate::{
    job::Job,
    results::{ByteStream, ObjectError, Objects},
};

/// Bytes of a log that are read together; a shorter one is sent at once.
const TOGETHER: usize = 4 * 1024 * 1024;

/// Where copies go.
#[derive(Clone, Debug)]
pub struct LogCopies {
    objects: Objects,
    prefix: String,
    job_prefix: String,
}

impl LogCopies {
    /// Into these objects, as `<prefix>/<day of the end>_<job prefix><job id>-logs.txt`; the day is that of the server's time zone.
    pub fn new(objects: Objects, prefix: &str, job_prefix: &str) -> Self {
        Self { objects, prefix: prefix.trim_matches('/').to_owned(), job_prefix: job_prefix.to_owned() }
    }

    /// The same for a job whenever it is asked: a copy that is made again takes the place of the first.
    fn key(&self, job: &Job) -> String {
        let ended = job.finished().unwrap_or(job.updated).to_zoned(TimeZone::system());
        let name = format!("{}_{}{}-logs.txt", ended.date(), self.job_prefix, job.id);
        if self.prefix.is_empty() { name } else { format!("{}/{name}", self.prefix) }
    }
}

impl Logs {
    /// The same logs, of which a copy is made when a job is over.
    #[must_use]
    pub fn copied_to(self, copies: LogCopies) -> Self {
        Self { copies: Some(copies), ..self }
    }

    /// Copy the whole log of a job that is over. Nothing waits for a bucket that can't be reached: the log itself stays.
    pub(crate) async fn copy(&self, job: &Job) {
        let Some(copies) = &self.copies else { return };
        let key = copies.key(job);
        if let Err(error) = self.write_copy(copies, &key, job).await {
            tracing::warn!(
                job.id = %job.id, object = key, error = &error as &dyn std::error::Error,
                "no copy of a job's log could be put into the bucket (jobs.logBucket); the log itself is at the job"
            );
        }
    }

    async fn write_copy(&self, copies: &LogCopies, key: &str, job: &Job) -> Result<(), ObjectError> {
        let mut text = self.text(job);
        let first = text.try_next().await?.unwrap_or_default();
        if first.is_empty() {
            // Where a server lost its logs with its pod, this must not take the place of what was copied.
            return Ok(());
        }
        let Some(second) = text.try_next().await? else { return copies.objects.put(key, first).await };
        let whole = stream::iter([Ok(first), Ok(second)]).chain(text).boxed();
        copies.objects.put_stream(key, whole, u64::MAX).await.map(drop)
    }

    /// What the program printed, without the time and stream of each line, in pieces of some megabytes.
    fn text(&self, job: &Job) -> ByteStream {
        let (logs, job) = (self.clone(), job.clone());
        stream::try_unfold((0, false), move |(at, is_over)| {
            let (logs, job) = (logs.clone(), job.clone());
            async move {
                if is_over {
                    return Ok(None);
                }
                let (lines, at, is_over) = logs.lines(&job, at).await.map_err(source)?;
                Ok(Some((plain(&lines), (at, is_over))))
            }
        })
        .boxed()
    }

    /// Whole lines from a place, where the next begin, and whether these were the last.
    async fn lines(&self, job: &Job, from: u64) -> Result<(Bytes, u64, bool), LogError> {
        let mut lines = BytesMut::new();
        loop {
            let piece = self.read(job, from + lines.len() as u64, TOGETHER).await?;
            let is_over = piece.is_empty();
            lines.extend_from_slice(&piece);
            let whole = if is_over {
                Some(lines.len())
            } else if lines.len() >= TOGETHER {
                lines.iter().rposition(|byte| *byte == b'\n').map(|end| end + 1)
            } else {
                None
            };
            if let Some(whole) = whole {
                lines.truncate(whole);
                return Ok((lines.freeze(), from + whole as u64, is_over));
            }
        }
    }
}

fn source(error: LogError) -> ObjectError {
    ObjectError::Source(error.into())
}

/// The texts of lines; one that goes on in the next is not cut.
fn plain(lines: &[u8]) -> Bytes {
    let mut text = String::with_capacity(lines.len());
    for line in String::from_utf8_lossy(lines).split_inclusive('\n') {
        let Line { text: printed, goes_on, .. } = Line::parse(line.trim_end_matches('\n'));
        text.push_str(printed);
        if !goes_on {
            text.push('\n');
        }
    }
    text.into()
}

#[cfg(test)]
mod tests;
