//! What the server tells this executor at its start.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use crate::container::Containers;

/// Where and how commands run on this machine.
#[derive(Clone, Debug)]
pub struct LocalConfig {
    /// Folder of all launches; made when it is missing.
    pub folder: PathBuf,
    /// How an agent is started.
    pub agent: AgentCommand,
    /// Unix socket on which the server listens for agents.
    pub socket: PathBuf,
    /// What the machine has.
    pub capacity: Capacity,
    /// Time between SIGTERM and SIGKILL for launches that end without anybody having said a time.
    pub grace: Duration,
    /// Folder of secrets: the value of key `k` of secret `s` is the file `s/k`.
    pub secrets: Option<PathBuf>,
    /// Folder that commands find first on their PATH.
    pub program_path: PathBuf,
    /// How many files commands may have open, where the server raised its own limit.
    pub open_files: Option<u64>,
    /// How containers are run; absent = they are not.
    pub containers: Option<Containers>,
}

/// A program and its arguments.
#[derive(Clone, Debug)]
pub struct AgentCommand {
    /// Path of the program.
    pub program: PathBuf,
    /// Its arguments, the program's own name not among them.
    pub args: Vec<OsString>,
}

/// What jobs may hold together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Thousandths of a core.
    pub cpu_milli: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
}
