//! Start and memory: of the server idle, with many live jobs, with a large value; and of an agent.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context, ensure};

use crate::{
    Bench,
    folder::Folder,
    jobs,
    load::{self, Ask},
    proc,
    report::{Report, median, mib, ms},
    server::Server,
    stream,
};

/// What a value is compared to that is large.
const SMALL: u64 = 1 << 16;
/// Callers that make live jobs.
const CALLERS: usize = 32;
/// What comes to rest after a start has come to rest.
const REST: Duration = Duration::from_secs(1);

/// Measure, each on a store of its own.
pub(crate) async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    start(bench, report).await?;
    live(bench, report).await?;
    large_value(bench, report).await?;
    agent(bench, report).await
}

async fn start(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let (mut starts, mut idle) = (Vec::new(), Vec::new());
    for _ in 0..bench.scale.starts {
        let server = Server::start(bench, Folder::new()?, None)?;
        starts.push(server.start.as_secs_f64());
        tokio::time::sleep(REST).await;
        idle.push(proc::memory(server.pid(), "VmRSS:")? as f64);
    }
    report.plain("start to first 200", ms(Duration::from_secs_f64(median(starts))), "<= 100 ms");
    report.plain("resident, idle", mib(median(idle) as u64), "<= 40 MiB");
    Ok(())
}

async fn live(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let server = Server::start(bench, Folder::new()?, Some(1.0))?;
    let block = jobs::submit(server.address, "block", "{}".into()).await?;
    jobs::wait_for(server.address, &block, "running").await?;
    let ask = Ask::execute("nothing", Some("respond-async"), "{}");
    load::run(server.address, &ask, CALLERS, bench.scale.live).await?;
    tokio::time::sleep(REST).await;
    let resident = proc::memory(server.pid(), "VmRSS:")?;
    report.plain(&format!("resident, {} live jobs", bench.scale.live), mib(resident), "<= 150 MiB");
    Ok(())
}

async fn large_value(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let server = Server::start(bench, Folder::new()?, None)?;
    let source = stream::source()?;
    let small = peak(&server, source, SMALL).await?;
    let large = peak(&server, source, bench.scale.stream).await?;
    report.row(
        &format!("peak of resident memory while {} go in and out", mib(bench.scale.stream)),
        mib(large),
        format!("{} with {SMALL} bytes", mib(small)),
        format!("{} more", mib(large.saturating_sub(small))),
        "no more than with a small one",
    );
    Ok(())
}

/// Peak of the server's memory while a value is staged, copied by the command, collected and sent to a client.
async fn peak(server: &Server, source: SocketAddr, bytes: u64) -> anyhow::Result<u64> {
    let body = format!(r#"{{"inputs": {{"data": {{"href": "http://{source}/{bytes}"}}}}}}"#);
    proc::forget_peak(server.pid())?;
    let job = jobs::submit(server.address, "copy", body).await?;
    jobs::wait_for(server.address, &job, "successful").await?;
    let (address, path) = (server.address, format!("{job}/results/data"));
    let came = tokio::task::spawn_blocking(move || stream::drain(address, &path)).await??;
    ensure!(came == bytes, "{came} of {bytes} bytes came back");
    proc::memory(server.pid(), "VmHWM:")
}

async fn agent(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if let Some(file) = &bench.agent {
        report.plain("agent: file", mib(std::fs::metadata(file)?.len()), "<= 6 MiB");
    }
    let server = Server::start(bench, Folder::new()?, Some(1.0))?;
    let block = jobs::submit(server.address, "block", "{}".into()).await?;
    jobs::wait_for(server.address, &block, "running").await?;
    tokio::time::sleep(REST).await;
    let pid = agent_of(server.folder()?.path())?;
    let resident = proc::memory(pid, "VmRSS:")?;
    report.plain("agent of a `sleep`: resident", mib(resident), "<= 10 MiB");
    let time = ms(proc::processor_time(pid)?);
    report.plain("agent of a `sleep`: processor time until it only waits", time, "<= 300 ms");
    Ok(())
}

fn agent_of(folder: &Path) -> anyhow::Result<u32> {
    let mut agents = proc::of_folder(folder).into_iter().filter(|pid| proc::is_agent(*pid));
    agents.next().context("no agent was found below the server's folder")
}
