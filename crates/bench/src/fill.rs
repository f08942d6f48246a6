//! Fills a store before a server is started on it: jobs of a long life, through the store's own door.

use std::{path::Path, sync::Arc};

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use rutter_core::store::JobStore;
use rutter_core::{
    clock::{Clock, SystemClock},
    id::JobId,
    job::{Job, State},
};
use rutter_store::{SqliteStore, conformance::sample};
use tokio::task::JoinSet;

/// Jobs on their way to the store at once; they share its transactions.
const TOGETHER: u64 = 512;

/// What a store was filled with.
pub(crate) struct Filled {
    /// How many.
    pub(crate) jobs: u64,
    /// One of them, of the middle.
    pub(crate) one: JobId,
    /// When the first fifth had been made.
    pub(crate) fifth: Timestamp,
}

/// Store so many jobs that are over: 20 processes, a second from each to the next, durations over four decades.
pub(crate) async fn fill(data: &Path, jobs: u64) -> anyhow::Result<Filled> {
    eprintln!("storing {jobs} jobs");
    let store = Arc::new(SqliteStore::open(data)?);
    let begin = SystemClock.now() - seconds(jobs);
    let mut tasks: JoinSet<anyhow::Result<Option<JobId>>> = JoinSet::new();
    for first in 0..TOGETHER.min(jobs) {
        let store = store.clone();
        tasks.spawn(async move {
            let mut middle = None;
            for number in (first..jobs).step_by(TOGETHER as usize) {
                let (_, plan) = sample("process-0");
                let job = job(number, begin);
                store.restore(&job, Some(&plan)).await?;
                middle = if number == jobs / 2 { Some(job.id) } else { middle };
            }
            Ok(middle)
        });
    }
    let mut one = None;
    while let Some(middle) = tasks.join_next().await {
        one = one.or(middle??);
    }
    let one = one.ok_or_else(|| anyhow::anyhow!("--jobs must be at least 1"))?;
    Ok(Filled { jobs, one, fifth: begin + seconds(jobs / 5) })
}

fn job(number: u64, begin: Timestamp) -> Job {
    let (mut job, _) = sample(&format!("process-{}", number % 20));
    job.owner = None;
    job.created = begin + seconds(number);
    let started = job.created + SignedDuration::from_millis(200);
    // Spread evenly over the decades, and over the list, by a multiplicative hash.
    let noise = (number.wrapping_mul(2_654_435_761) % 1_000_003) as f64 / 1_000_003.0;
    let finished = started + SignedDuration::from_secs_f64(10_f64.powf(noise * 4.0 - 1.0));
    job.updated = finished;
    job.launches = 1;
    job.archived = true;
    job.revision = 3;
    job.state = if number % 50 == 7 {
        State::Dismissed { started: Some(started), finished }
    } else {
        State::Successful { started, finished, results: IndexMap::new() }
    };
    job
}

fn seconds(number: u64) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(number).unwrap_or(i64::MAX))
}
