//! Rutter without a server, a database or a cluster.
//!
//! A request's way: [`validate`] finds every fault of its inputs, [`plan`] computes all that is needed to run it,
//! [`engine`] stores the job and wakes the [`reconcile`]r, which launches it through an [`executor::Executor`]. What the
//! [`agents`] report becomes transitions of the [`job`]; the results stay in [`results`], and [`archive`] keeps what is
//! needed to rebuild everything when the database is lost.

pub mod agents;
mod alone;
pub mod archive;
pub mod changes;
pub mod clock;
pub mod engine;
pub mod executor;
mod failure;
pub mod id;
pub mod job;
pub mod logs;
pub mod plan;
pub mod process;
pub mod pull;
pub mod python;
pub mod reconcile;
mod removal;
pub mod results;
pub mod retention;
pub mod schema;
pub mod store;
mod transition;
pub mod validate;
pub mod yaml;

/// Resolves once the flag is true, or whoever could set it is gone.
pub async fn told_to_stop(stop: &mut tokio::sync::watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
