//! Rutter without a server, a database or a cluster.
//!
//! A request's way: [`validate`] finds every fault of its inputs, [`plan`] computes all that is needed to run it,
//! [`engine`] stores the job and wakes the [`reconcile`]r, which launches it through an [`executor::Executor`] and turns
//! what the agent reports into transitions of the [`job`]. The results stay in [`results`].

pub mod changes;
pub mod clock;
pub mod engine;
pub mod executor;
pub mod id;
pub mod job;
pub mod logs;
pub mod plan;
pub mod process;
pub mod reconcile;
pub mod results;
pub mod schema;
pub mod store;
pub mod validate;
pub mod yaml;
