//! Jobs made per second, compared to a loop that does nothing but make the same Jobs; and the server's memory with many.
//!
//! Nothing acts on the Jobs meanwhile: the controllers are stopped, or pods would take the machine.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use k8s_openapi::api::batch::v1::Job;
use kube::{
    Api,
    api::{ListParams, PostParams},
};
use rutter_core::id::JobId;
use rutter_testcluster::Component;
use tokio::task::JoinSet;

use super::bed::Bed;
use crate::{
    Bench,
    load::{self, Ask},
    proc,
    report::{Report, median, mib, rate},
    server::Server,
};

/// Calls at once, of the server and of the reference.
const AT_ONCE: usize = 32;
/// Pause between two looks at how many Jobs there are.
const LOOK: Duration = Duration::from_millis(20);

/// Measure in turns, then fill up to the live jobs whose memory counts.
pub(crate) async fn measure(
    bench: &Bench,
    bed: &Bed,
    server: &Server,
    report: &mut Report,
) -> anyhow::Result<()> {
    let api = bed.jobs().await?;
    bed.cluster.kill(Component::ControllerManager)?;
    bed.cluster.kill(Component::Scheduler)?;
    let count = bench.scale.creates;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    ours_per_second(&api, server, AT_ONCE).await?;
    let model = model(&api).await?;
    for _ in 0..bench.scale.rounds.min(3) {
        ours.push(ours_per_second(&api, server, count).await?);
        theirs.push(bare_per_second(&api, &model, count).await?);
    }
    let ratios = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
    let work = format!("Jobs made, from {count} requests at once to the last Job");
    let rates = |values: &[f64]| rate(median(values.to_vec()));
    report.row(&work, rates(&ours), rates(&theirs), format!("{:.2}", median(ratios)), ">= 0.9");
    let live = bench.scale.live_pods;
    let made = ours.len() * count + AT_ONCE;
    if live > made {
        ours_per_second(&api, server, live - made).await?;
    }
    let resident = proc::memory(server.pid(), "VmRSS")?;
    report.plain(&format!("resident, {live} live Jobs (without pods)"), mib(resident), "<= 150 MiB");
    Ok(())
}

/// From the first submission to the last Job in the cluster.
async fn ours_per_second(api: &Api<Job>, server: &Server, count: usize) -> anyhow::Result<f64> {
    let ask = Ask::execute("waits", Some("respond-async"), "{}");
    made_per_second(api, count, async { load::run(server.address, &ask, AT_ONCE, count).await.map(drop) })
        .await
}

/// How many Jobs some work makes per second, which may end before the last is there. Asking the API server how many there are
/// costs it something, too: both sides have that in their figure.
async fn made_per_second(
    api: &Api<Job>,
    count: usize,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<f64> {
    let before = number(api).await?;
    let start = Instant::now();
    let all_there = async {
        while number(api).await? < before + count {
            tokio::time::sleep(LOOK).await;
        }
        anyhow::Ok(start.elapsed())
    };
    let (worked, made) = tokio::join!(work, all_there);
    worked?;
    Ok(count as f64 / made?.as_secs_f64())
}

async fn bare_per_second(api: &Api<Job>, model: &Job, count: usize) -> anyhow::Result<f64> {
    let left = Arc::new(std::sync::atomic::AtomicUsize::new(count));
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    let work = async {
        for _ in 0..AT_ONCE {
            let (api, mut job, left) = (api.clone(), model.clone(), left.clone());
            tasks.spawn(async move {
                use std::sync::atomic::Ordering::Relaxed;
                while left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                    job.metadata.name = Some(format!("bare-{}", JobId::generate()));
                    api.create(&PostParams::default(), &job).await?;
                }
                Ok(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        Ok(())
    };
    made_per_second(api, count, work).await
}

/// A Job of the server's, as one that is nobody's.
async fn model(api: &Api<Job>) -> anyhow::Result<Job> {
    let list = api.list(&ListParams::default().limit(1)).await?;
    let mut job = list.items.into_iter().next().context("the server made no Job")?;
    job.status = None;
    job.metadata.resource_version = None;
    job.metadata.uid = None;
    job.metadata.creation_timestamp = None;
    job.metadata.managed_fields = None;
    let labels = job.metadata.labels.as_mut().context("a Job without labels")?;
    ensure!(labels.remove("rutter.dev/instance").is_some(), "a Job without its instance");
    labels.retain(|name, _| !name.contains("job-name") && !name.contains("controller-uid"));
    let spec = job.spec.as_mut().context("a Job without spec")?;
    spec.selector = None;
    if let Some(labels) = spec.template.metadata.as_mut().and_then(|metadata| metadata.labels.as_mut()) {
        labels.retain(|name, _| !name.contains("job-name") && !name.contains("controller-uid"));
    }
    Ok(job)
}

/// Jobs in the namespace, without reading them.
async fn number(api: &Api<Job>) -> anyhow::Result<usize> {
    let page = api.list_metadata(&ListParams::default().limit(1)).await?;
    let more = page.metadata.remaining_item_count.unwrap_or(0);
    Ok(page.items.len() + usize::try_from(more)?)
}
