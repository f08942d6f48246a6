//! From the end of a command in a pod to the answer of whoever waits, and the agent while its command runs.

use std::{fs, time::Duration};

use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};

use super::bed::Bed;
use crate::{
    Bench, jobs,
    load::{self, Ask},
    proc,
    report::{Report, mib, ms, percentile},
    server::Server,
};

/// Measure one execution after another: what pods take to start would hide the rest.
pub(crate) async fn measure(
    bench: &Bench,
    bed: &Bed,
    server: &Server,
    report: &mut Report,
) -> anyhow::Result<()> {
    let ask = Ask::execute("ends", Some("wait=30"), "{}");
    let (mut whole, mut after) = (Vec::new(), Vec::new());
    for _ in 0..bench.scale.pods {
        let start = since_boot();
        let answer = load::once(server.address, &ask).await?;
        let now = since_boot();
        let told = String::from_utf8_lossy(&answer.body);
        let ended = told.split_whitespace().next().and_then(|word| word.parse().ok());
        let ended = ended.with_context(|| format!("no time in {told:?}"))?;
        whole.push(now - start);
        after.push(now.saturating_sub(Duration::from_secs_f64(ended)));
    }
    for (name, share, goal) in [("p50", 0.5, ""), ("p99", 0.99, "<= 50 ms")] {
        let work = format!("the command's end in the pod to the synchronous answer, {name}");
        report.plain(&work, ms(percentile(&after, share)), goal);
    }
    report.plain("POST to the synchronous answer, p50", ms(percentile(&whole, 0.5)), "");
    agent(bed, server, report).await
}

/// The agent in front of a command that only waits.
async fn agent(bed: &Bed, server: &Server, report: &mut Report) -> anyhow::Result<()> {
    let job = jobs::submit(server.address, "waits", "{}".into()).await?;
    jobs::wait_for(server.address, &job, "running").await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let pid = pid_of_agent().context("no agent runs")?;
    report.plain("agent in a pod: resident", mib(proc::memory(pid, "VmRSS")?), "<= 10 MiB");
    let work = "agent in a pod: processor time until it only waits";
    report.plain(work, ms(proc::processor_time(pid)?), "<= 300 ms");
    bed.cluster.kubectl(["delete", "jobs", "--all", "--cascade=foreground", "--wait=false"])?;
    jobs::wait_for_count(server.address, "status=accepted,running", 0).await
}

fn pid_of_agent() -> Option<u32> {
    let pids =
        fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_agent = |pid: &u32| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words.starts_with(b"/rutter/bin/rutter-agent\0run")
    };
    pids.into_iter().find(is_agent)
}

/// The clock of `/proc/uptime`, which the command prints in hundredths cut off: what is measured is up to 10 ms too much.
fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
