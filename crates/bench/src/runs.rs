//! Runs: what a job costs over fork and exec of its command.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::{
    Bench,
    folder::Folder,
    jobs,
    load::{self, Ask},
    reference,
    report::{Report, median, ms, percentile},
    server::Server,
};

/// Measure on an empty store, with all cores of the machine.
pub(crate) async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let server = Server::start(bench, Folder::new()?, None)?;
    one_by_one(bench, &server, report).await?;
    together(bench, &server, report).await?;
    let bad = jobs::count(server.address, "status=failed,dismissed").await?;
    ensure!(bad == 0, "{bad} jobs failed");
    Ok(())
}

async fn one_by_one(bench: &Bench, server: &Server, report: &mut Report) -> anyhow::Result<()> {
    let ask = Ask::execute("nothing", None, "{}");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // A job is made durable at each step of its life: what that costs here explains a good part of the rest.
    let inserts = reference::durable_inserts(server.folder()?.path(), 1_000, 1, bench.scale.runs)?;
    report.plain("one durable insert of 1,000 bytes", ms(Duration::from_secs_f64(1.0 / inserts)), "");
    load::run(server.address, &ask, 1, bench.scale.runs).await?;
    for _ in 0..bench.scale.rounds {
        ours.extend(load::run(server.address, &ask, 1, bench.scale.runs).await?.times);
        theirs.extend(reference::fork_exec(&["true"], bench.scale.runs)?);
    }
    for (name, share, goal) in [("p50", 0.5, "<= 5 ms over"), ("p99", 0.99, "")] {
        let (ours, theirs) = (percentile(&ours, share), percentile(&theirs, share));
        let over = format!("{} over", ms(ours.saturating_sub(theirs)));
        report.row(&format!("POST sync of `true`, {name}"), ms(ours), ms(theirs), over, goal);
    }
    Ok(())
}

async fn together(bench: &Bench, server: &Server, report: &mut Report) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    let batch = bench.scale.batch;
    let ask = Ask::execute("pause", Some("respond-async"), "{}");
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.scale.rounds.min(3) {
        let start = Instant::now();
        load::run(server.address, &ask, cores, batch).await?;
        jobs::wait_for_count(server.address, "status=accepted,running", 0).await?;
        let measured = start.elapsed();
        let reference = reference::fork_exec_together(&["sleep", "0.02"], cores, batch)?;
        ours.push(measured.as_secs_f64());
        theirs.push(reference.as_secs_f64());
        ratios.push(measured.as_secs_f64() / reference.as_secs_f64());
    }
    let time = |seconds| ms(Duration::from_secs_f64(median(seconds)));
    let work = format!("{batch} async jobs of `sleep 0.02` to completion, {cores} cores");
    report.row(&work, time(ours), time(theirs), format!("{:.2}", median(ratios)), "<= 1.3");
    Ok(())
}
