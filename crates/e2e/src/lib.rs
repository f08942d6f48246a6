//! What end-to-end tests share: the built binary started in a folder of its own, and a client that asks it.
//!
//! A server's log is kept; a warning or error in it that the test did not announce fails the test when the server is dropped.

mod client;
pub mod contract;
mod package;
mod process;

pub use client::{Answer, Client};
pub use package::{Package, shell};
pub use process::{IMAGE, Server, ServerBuilder, binary, image, static_agent, wait_until};
