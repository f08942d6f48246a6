//! Everything about jobs, without a socket: executions, statuses, results, logs, events, callbacks, and the agents' side.

#[path = "../common/mod.rs"]
mod common;

mod agents;
mod callbacks;
mod events;
mod execution;
mod list;
mod logs;
mod play;
mod results;
mod schemas;
mod status;
