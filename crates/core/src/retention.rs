//! Retention: finished jobs go when their time is over, and sooner, oldest first, when the disk fills. Active ones never.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::engine::{Engine, EngineError};

/// Time between sweeps.
const PERIOD: Duration = Duration::from_secs(60);
/// Jobs removed between two looks at the disk.
const BATCH: usize = 64;

/// Sweep until `stop` turns true; `used` tells the share of the disk in use (0 to 1), where it is known.
pub async fn run(
    engine: Engine,
    used: impl Fn() -> Option<f64> + Send + Sync,
    mut stop: watch::Receiver<bool>,
) {
    let mut period = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            () = crate::told_to_stop(&mut stop) => return,
            _ = period.tick() => {}
        }
        if let Err(error) = sweep(&engine, &used).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "could not remove old jobs; trying again"
            );
        }
    }
}

/// One sweep: gives the number of jobs removed.
pub async fn sweep(engine: &Engine, used: &(impl Fn() -> Option<f64> + Sync)) -> Result<usize, EngineError> {
    let settings = engine.settings();
    let now = engine.clock().now();
    let ended_before = now.checked_sub(settings.keep).unwrap_or(Timestamp::MIN);
    engine.0.finish_removals().await?;
    let mut removed = 0;
    loop {
        let batch = remove_before(engine, ended_before).await?;
        removed += batch;
        if batch < BATCH {
            break;
        }
    }
    while used().is_some_and(|share| share > settings.disk_share) {
        let batch = remove_before(engine, now).await?;
        removed += batch;
        if batch == 0 {
            tracing::warn!("the disk is nearly full and no finished job is left to remove");
            break;
        }
        tracing::warn!(jobs = batch, "removed finished jobs before their time: the disk is nearly full");
    }
    let tombstones = now.checked_sub(settings.keep_tombstones).unwrap_or(Timestamp::MIN);
    engine.store().forget(settings.keys_from(now), tombstones).await?;
    Ok(removed)
}

/// One batch. A job that can't be removed keeps no other: on a full disk its files may be what the next one needs.
async fn remove_before(engine: &Engine, before: Timestamp) -> Result<usize, EngineError> {
    let mut removed = 0;
    let mut failed = None;
    for id in engine.store().finished_before(before, BATCH).await? {
        match engine.0.remove(id).await {
            Ok(done) => removed += usize::from(done),
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if removed == 0 => Err(error),
        _ => Ok(removed),
    }
}
