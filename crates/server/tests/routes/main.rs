//! The router, route by route, without a socket.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it must be")]

#[path = "../common/mod.rs"]
mod common;

mod access;
mod api;
mod base;
mod documents;
mod health;
mod http;
mod negotiation;
mod processes;
mod serve;
mod theirs;
