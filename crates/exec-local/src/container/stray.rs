//! Containers of this installation that belong to no launch: their folder was removed while the server was away.

use super::{Containers, attempt, recipe};
use crate::shared::Shared;

/// Remove them. What carries another installation's identifier is not looked at.
pub(crate) async fn remove_strays(shared: &Shared, containers: &Containers) {
    let label = format!("label={}={}", recipe::INSTANCE, containers.instance);
    let words = ["ps", "--all", "--filter", &label, "--format", "{{.Names}}"];
    let names = match containers.engine.ask("list containers", &words).await {
        Ok(names) => names,
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "containers of lost launches were not looked for"
            );
            return;
        }
    };
    for name in names.lines().map(str::trim) {
        let Some(launch) = recipe::launch_of(name) else { continue };
        // A launch is entered before its container is made.
        if shared.knows(launch) {
            continue;
        }
        match attempt::remove(&containers.engine, name).await {
            Ok(()) => tracing::info!(job.id = %launch.job, "removed a container that belonged to no launch"),
            Err(error) => {
                tracing::warn!(job.id = %launch.job, error = &error as &dyn std::error::Error, "could not remove a container that belongs to no launch");
            }
        }
    }
}
