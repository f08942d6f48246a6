//! What a server that has nothing to do asks of the API server.

use std::time::Duration;

use rutter_testcluster::Component;

use super::bed::Bed;
use crate::{Bench, report::Report};

/// Requests for these are the server's: who else would ask for them is stopped.
const OURS: [&str; 4] = ["jobs", "pods", "events", "nodes"];

/// Count while a server with many finished jobs is there, for as long as measured.
pub(crate) async fn measure(bench: &Bench, bed: &Bed, report: &mut Report) -> anyhow::Result<()> {
    for component in [Component::ControllerManager, Component::Scheduler, Component::Kubelet] {
        bed.cluster.kill(component)?;
    }
    let stored = bench.scale.finished;
    let _server = bed.server(bench, stored).await?;
    // Its start lists what there is.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let before = requests(bed)?;
    tokio::time::sleep(Duration::from_secs(bench.scale.idle_seconds)).await;
    let per_minute = (requests(bed)? - before) * 60.0 / bench.scale.idle_seconds as f64;
    let work = format!("API calls per minute of an idle server, {stored} finished jobs stored");
    report.plain(&work, format!("{per_minute:.1}"), "watches only");
    Ok(())
}

/// Requests answered so far, as the API server counts them; a watch counts when it ends.
fn requests(bed: &Bed) -> anyhow::Result<f64> {
    let text = bed.cluster.kubectl(["get", "--raw", "/metrics"])?;
    let counted = text.lines().filter(|line| line.starts_with("apiserver_request_total{"));
    let ours = counted.filter(|line| OURS.iter().any(|it| line.contains(&format!("resource=\"{it}\""))));
    Ok(ours.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}
