//! Submissions: what is acknowledged is durable, so the reference is a loop of durable inserts through the same store; and
//! what that loses to the least that a disk allows.

use std::{path::Path, sync::Arc, time::Instant};

use rusqlite::{Connection, OpenFlags};
use rutter_core::{job::Job, plan::Plan, store::JobStore};
use rutter_store::{SqliteStore, conformance::sample};
use tokio::task::JoinSet;

use crate::{
    Bench,
    folder::Folder,
    jobs,
    load::{self, Ask},
    reference,
    report::{Report, median, rate},
    server::Server,
};

/// Callers at once.
const CALLERS: [usize; 2] = [1, 32];

/// Measure on a store with so many jobs.
pub(crate) async fn measure(
    bench: &Bench,
    folder: Folder,
    stored: u64,
    report: &mut Report,
) -> anyhow::Result<()> {
    let server = Server::start(bench, folder, Some(1.0))?;
    let address = server.address;
    jobs::wait_for_count(address, "status=accepted,running", 0).await?;
    // It holds the only core: whatever comes is stored and waits, and running it takes no time of the measurement.
    let block = jobs::submit(address, "block", "{}".into()).await?;
    jobs::wait_for(address, &block, "running").await?;
    let first = jobs::submit(address, "nothing", "{}".into()).await?;
    jobs::wait_for(address, &first, "accepted").await?;
    let record = record_size(&server.folder()?.data())?;
    let beside = tempfile::tempdir_in(server.folder()?.path())?;
    let store = Arc::new(SqliteStore::open(&beside.path().join("store"))?);
    let ask = Ask::execute("nothing", Some("respond-async"), "{}");
    for callers in CALLERS {
        let count = bench.scale.submissions * callers;
        let (mut posts, mut plains, mut stores) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..bench.scale.rounds {
            posts.push(load::run(address, &ask, callers, count).await?.per_second);
            plains.push(reference::durable_inserts(beside.path(), record, callers, count)?);
            stores.push(store_inserts(&store, callers, count).await?);
        }
        let work = |what: &str| format!("{what}, {callers} at once");
        tell(&format!("{}, {stored} jobs stored", work("POST async")), &posts, &stores, ">= 0.5", report);
        tell(&work("inserts through the store"), &stores, &plains, "", report);
    }
    Ok(())
}

fn tell(work: &str, measured: &[f64], reference: &[f64], goal: &str, report: &mut Report) {
    let ratios = measured.iter().zip(reference).map(|(measured, reference)| measured / reference).collect();
    let rates = |values: &[f64]| rate(median(values.to_vec()));
    report.row(work, rates(measured), rates(reference), format!("{:.2}", median(ratios)), goal);
}

/// Bytes of the newest job and its plan, as the server stored them.
fn record_size(data: &Path) -> anyhow::Result<usize> {
    let store = Connection::open_with_flags(data.join("rutter.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let sql = "SELECT length(record.bytes) + length(plan.bytes) FROM record JOIN plan USING (seq) ORDER BY seq DESC LIMIT 1";
    Ok(store.query_row(sql, [], |row| row.get(0))?)
}

/// Inserts per second through the store, without HTTP, validation and planning.
async fn store_inserts(store: &Arc<SqliteStore>, callers: usize, count: usize) -> anyhow::Result<f64> {
    let made: Vec<Vec<(Job, Plan)>> =
        (0..callers).map(|_| (0..count / callers).map(|_| sample("nothing")).collect()).collect();
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    let start = Instant::now();
    for jobs in made {
        let store = store.clone();
        tasks.spawn(async move {
            for (job, plan) in &jobs {
                store.insert(job, plan).await?;
            }
            Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}
