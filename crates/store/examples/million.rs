//! Times pages of the job list with 1,000 and with 1,000,000 jobs stored, reads by id, and durable inserts.
//!
//! `cargo run --release -p rutter-store --example million [JOBS [FOLDER]]`; 4 GB of disk are needed. Inserts are told as
//! a ratio to a plain loop of durable inserts into one table without an index, by one caller, in the same run.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use rutter_core::{
    id::JobId,
    job::{Job, State},
    store::{JobFilter, JobStore, Page},
};
use rutter_store::{
    SqliteStore,
    conformance::{at, sample},
};
use rutter_types::StatusCode;
use tokio::task::JoinSet;

/// Pages measured per filter.
const ROUNDS: usize = 200;
/// Jobs of one page.
const LIMIT: usize = 10;
/// Inserts measured.
const INSERTS: usize = 2_000;
/// Seconds between two jobs.
const EVERY: i64 = 30;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let jobs: usize = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let parent = arguments.next().unwrap_or_else(|| std::env::temp_dir().display().to_string());
    let folder = tempfile::tempdir_in(parent)?;
    let small = Arc::new(SqliteStore::open(&folder.path().join("small"))?);
    let large = Arc::new(SqliteStore::open(&folder.path().join("large"))?);
    fill(&small, 1_000).await?;
    let began = Instant::now();
    fill(&large, jobs).await?;
    let took = began.elapsed();
    println!("stored {jobs} jobs in {took:.1?}; {} MB", size(&folder.path().join("large"))? / 1_000_000);

    println!("\n{:<44} {:>19} {:>19}", "page of 10, µs", "1,000 jobs", format!("{jobs} jobs"));
    for (name, few, many) in
        filters(1_000).into_iter().zip(filters(jobs)).map(|(few, many)| (few.0, few.1, many.1))
    {
        let (few, many) = (pages(&small, &few).await?, pages(&large, &many).await?);
        println!("{name:<44} {few:>19} {many:>19}");
    }
    let (few, many) = (gets(&small).await?, gets(&large).await?);
    println!("{:<44} {few:>19} {many:>19}", "one job by id");
    compare_inserts(folder.path(), &small, &large).await?;

    let began = Instant::now();
    drop(large);
    let closed = began.elapsed();
    let began = Instant::now();
    let reopened = SqliteStore::open(&folder.path().join("large"))?;
    let counts = reopened.counts().await?;
    println!("\nclosed in {closed:.1?}, opened again in {:.1?}: {counts:?}", began.elapsed());
    Ok(())
}

/// Jobs of a long life: 20 processes, 100 callers, durations over four decades that fell with the years.
fn job(number: usize, of: usize) -> Job {
    let (mut job, _) = sample(&format!("process-{}", number % 20));
    job.owner = format!("caller-{}", number * 7 % 100).parse().ok();
    job.created = at(i64::try_from(number).unwrap_or(0) * EVERY);
    job.updated = job.created;
    job.request = serde_json::json!({"inputs": {"text": "x".repeat(300), "level": number}});
    let noise = (number * 2_654_435_761 % 1_000_003) as f64 / 1_000_003.0;
    let age = 1.0 - number as f64 / of as f64;
    let started = job.created + SignedDuration::from_secs(2);
    let finished = started + SignedDuration::from_secs_f64(10_f64.powf(noise * 4.0 - 1.0 + age));
    job.launches = 1;
    job.archived = true;
    job.state = match number {
        _ if number + 100 > of => State::Accepted,
        _ if number + 150 > of => State::Running { started },
        _ if number % 50 == 7 => State::Dismissed { started: Some(started), finished },
        _ => State::Successful { started, finished, results: indexmap::IndexMap::new() },
    };
    job
}

async fn fill(store: &Arc<SqliteStore>, jobs: usize) -> Result<(), Failure> {
    let mut tasks: JoinSet<Result<(), Failure>> = JoinSet::new();
    for worker in 0..256 {
        let store = store.clone();
        tasks.spawn(async move {
            let (_, plan) = sample("process-0");
            for number in (worker..jobs).step_by(256) {
                store.restore(&job(number, jobs), Some(&plan)).await?;
            }
            Ok(())
        });
    }
    tasks.join_all().await.into_iter().collect()
}

fn filters(jobs: usize) -> Vec<(&'static str, JobFilter)> {
    let all = jobs as f64 * EVERY as f64;
    let base = || JobFilter { now: at(all as i64), ..JobFilter::default() };
    let by_owner = || JobFilter { owner: Some("caller-42".parse().ok()), ..base() };
    let by_both = |process: &str| JobFilter { processes: vec![process.into()], ..by_owner() };
    let old = Some(at((all * 0.1) as i64));
    let longer = |seconds| Some(seconds);
    let five = (0..5).map(|number| format!("process-{number}")).collect();
    vec![
        ("none", base()),
        ("owner", by_owner()),
        ("process", JobFilter { processes: vec!["process-6".into()], ..base() }),
        ("5 processes", JobFilter { processes: five, ..base() }),
        ("status=dismissed", JobFilter { statuses: vec![StatusCode::Dismissed], ..base() }),
        ("status=failed (none is)", JobFilter { statuses: vec![StatusCode::Failed], ..base() }),
        ("owner, process", by_both("process-6")),
        ("owner, process (none together)", by_both("process-7")),
        (
            "owner, process, status, time",
            JobFilter { statuses: vec![StatusCode::Successful], created_to: old, ..by_both("process-6") },
        ),
        ("time (oldest tenth)", JobFilter { created_to: old, ..base() }),
        ("time (oldest tenth), owner", JobFilter { created_to: old, ..by_owner() }),
        ("minDuration=1", JobFilter { min_duration: longer(1.0), ..base() }),
        ("minDuration=1, owner, process", JobFilter { min_duration: longer(1.0), ..by_both("process-6") }),
        ("minDuration=1e9 (none is)", JobFilter { min_duration: longer(1e9), ..base() }),
        ("minDuration=9000 (few, old)", JobFilter { min_duration: longer(9_000.0), ..base() }),
        ("minDuration=3000 (many, old)", JobFilter { min_duration: longer(3_000.0), ..base() }),
        ("minDuration=3000, owner", JobFilter { min_duration: longer(3_000.0), ..by_owner() }),
        ("1 to 1.01 s", JobFilter { min_duration: longer(1.0), max_duration: longer(1.01), ..base() }),
    ]
}

/// Pages one after another through the list, and from its top again.
async fn pages(store: &SqliteStore, filter: &JobFilter) -> Result<String, Failure> {
    let mut after = None;
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let page = store.list(filter, Page { after, limit: LIMIT }).await?;
        times.push(began.elapsed());
        after = page.next;
    }
    Ok(told(times))
}

async fn gets(store: &SqliteStore) -> Result<String, Failure> {
    let page = store.list(&JobFilter::default(), Page { after: None, limit: 1_000 }).await?;
    let ids: Vec<JobId> = page.jobs.iter().map(|job| job.id).collect();
    let mut times = Vec::new();
    for _ in 0..10 {
        for id in &ids {
            let began = Instant::now();
            store.get(*id).await?;
            times.push(began.elapsed());
        }
    }
    Ok(told(times))
}

fn told(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let part = |share: usize| times[(times.len() - 1) * share / 100].as_micros();
    format!("p50 {} p99 {}", part(50), part(99))
}

async fn compare_inserts(
    folder: &Path,
    small: &Arc<SqliteStore>,
    large: &Arc<SqliteStore>,
) -> Result<(), Failure> {
    println!("\ndurable inserts per second, and as ratio to a plain loop by one caller");
    let plain = plain_inserts(folder)?;
    println!("{:<44} {plain:>9.0}", "plain loop");
    for callers in [1, 8, 64] {
        for (name, store) in [("1,000 jobs stored", small), ("the large store", large)] {
            let rate = inserts(store, callers).await?;
            println!("{:<44} {rate:>9.0} {:>9.2}", format!("{callers} callers, {name}"), rate / plain);
        }
    }
    Ok(())
}

fn plain_inserts(folder: &Path) -> Result<f64, Failure> {
    let connection = rusqlite::Connection::open(folder.join("plain.db"))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE job (record BLOB NOT NULL);",
    )?;
    let record = serde_json::to_vec(&job(0, INSERTS))?;
    let mut statement = connection.prepare("INSERT INTO job VALUES (?1)")?;
    let began = Instant::now();
    for _ in 0..INSERTS {
        statement.execute([&record])?;
    }
    Ok(rate(began))
}

async fn inserts(store: &Arc<SqliteStore>, callers: usize) -> Result<f64, Failure> {
    let mut tasks: JoinSet<Result<(), Failure>> = JoinSet::new();
    let began = Instant::now();
    for caller in 0..callers {
        let store = store.clone();
        tasks.spawn(async move {
            let (_, plan) = sample("process-0");
            for number in (caller..INSERTS).step_by(callers) {
                let mut job = job(number, INSERTS);
                job.created = newest();
                job.state = State::Accepted;
                store.insert(&job, &plan).await?;
            }
            Ok(())
        });
    }
    tasks.join_all().await.into_iter().collect::<Result<(), _>>()?;
    Ok(rate(began))
}

/// A time after all others, a second later each time.
fn newest() -> Timestamp {
    static LAST: AtomicI64 = AtomicI64::new(100_000_000);
    at(LAST.fetch_add(1, Ordering::Relaxed))
}

fn rate(began: Instant) -> f64 {
    INSERTS as f64 / began.elapsed().as_secs_f64()
}

fn size(folder: &Path) -> std::io::Result<u64> {
    std::fs::read_dir(folder)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}
