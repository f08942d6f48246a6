//! Everything about jobs, without a socket: executions, statuses, results, logs, events, callbacks, and the agents' side.

#![allow(clippy::unwrap_used, reason = "a test that can't go on is to fail")]

#[path = "../common/mod.rs"]
mod common;

mod agents;
mod alone;
mod callbacks;
mod crowd;
mod eox;
mod events;
mod execution;
mod kept;
mod list;
mod logs;
mod negotiation;
mod play;
mod recorded;
mod results;
mod schemas;
mod status;
mod uploads;
mod versions;
