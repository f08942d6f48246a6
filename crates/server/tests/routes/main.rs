//! The router, route by route, without a socket.

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
