//! Attempts in containers of this machine's engine: Podman or Docker.
//!
//! As on a cluster the agent runs inside, in front of the image's command, and comes to the server over the socket, which is
//! mounted. So staging, limits, log, outputs and report are the same code everywhere, and whatever user the image runs
//! as reads its own files. Nothing of an attempt lies in folders that are shared with the container: its inputs and outputs
//! are in the container's own layer, and go with it.
//!
//! The engine itself is the supervisor: a container has a name that follows from its attempt, and what became of it is
//! asked by that name, in this run of the server or a later one. Its first process is the agent, so a container ends
//! with its agent, and everything in it with the container.

mod attempt;
mod contents;
mod engine;
mod image;
mod recipe;
mod record;
mod state;
mod stray;

use std::path::PathBuf;

pub(crate) use attempt::{Container, StartError};
pub use engine::{Choice, Engine, EngineError, EngineKind};
pub(crate) use record::ContainerRecord;
pub(crate) use stray::remove_strays;

/// How containers are run on this machine.
#[derive(Clone, Debug)]
pub struct Containers {
    /// What runs them.
    pub engine: Engine,
    /// The agent, linked statically so that it runs in any image.
    pub agent: PathBuf,
    /// Folder in which the server's socket for agents is `agents.sock`. It is mounted whole: after a restart of the server
    /// the socket is another file.
    pub socket_folder: PathBuf,
    /// The engine's network for them; its default when absent.
    pub network: Option<String>,
    /// Identifier of this installation: containers that carry another one are left alone.
    pub instance: String,
}
