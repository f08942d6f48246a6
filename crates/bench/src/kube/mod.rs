//! What executions as Kubernetes Jobs cost, on a real cluster: Jobs made per second, the time from a command's end to the
//! answer, the agent in a pod, and what a server takes that has many Jobs or nothing to do.

mod answers;
mod bed;
mod creates;
mod idle;

use self::bed::Bed;
use crate::{Bench, report::Report};

/// Measure on a cluster of its own. The calling thread moves into the cluster's network.
pub(crate) fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let bed = Bed::make(bench)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = bed.server(bench, 0).await?;
        answers::measure(bench, &bed, &server, report).await?;
        creates::measure(bench, &bed, &server, report).await?;
        drop(server);
        idle::measure(bench, &bed, report).await
    })
}
