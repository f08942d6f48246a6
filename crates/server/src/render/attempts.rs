//! How the attempts of a job went, in its status: who asked for retries wants to know what they were for.

use std::fmt;

use jiff::Timestamp;
use rutter_core::job::{Attempt, Job};
use rutter_types::Problem;
use serde::{Serialize, Serializer};

/// The attempts of a job. A single one says nothing that the status does not.
#[derive(Clone, Copy, Default)]
pub(super) struct Attempts<'a>(Option<(&'a Job, &'a str)>);

#[derive(Serialize)]
struct Shown<'a> {
    number: usize,
    started: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exception: Option<&'a Problem>,
    log: Log<'a>,
}

struct Log<'a> {
    job: &'a Job,
    base: &'a str,
    number: usize,
}

impl<'a> Attempts<'a> {
    /// Of a job; `base` is the URL of the landing page without its slash.
    pub(super) fn of(job: &'a Job, base: &'a str) -> Self {
        Self((job.attempts.len() > 1).then_some((job, base)))
    }

    pub(super) fn is_dull(&self) -> bool {
        self.0.is_none()
    }
}

impl Serialize for Attempts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = self.0.iter().flat_map(|&(job, base)| {
            job.attempts.iter().zip(1..).map(move |(attempt, number)| Shown::of(job, base, attempt, number))
        });
        serializer.collect_seq(shown)
    }
}

impl<'a> Shown<'a> {
    fn of(job: &'a Job, base: &'a str, attempt: &'a Attempt, number: usize) -> Self {
        Self {
            number,
            started: attempt.started,
            finished: attempt.finished,
            exception: attempt.exception.as_deref(),
            log: Log { job, base, number },
        }
    }
}

impl fmt::Display for Log<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/jobs/{}/logs?attempt={}", self.base, self.job.id, self.number)
    }
}

impl Serialize for Log<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
