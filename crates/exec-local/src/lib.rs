//! Executor for one machine: supervised child processes and [`container`]s, packed by CPU and memory.
//!
//! The agent is the supervisor of a command; this crate starts agents, waits for their ends, starts further attempts
//! and finds what still runs after the server was restarted. All that must survive a restart is in the launch's
//! folder: [`folder`] says what is where. Nothing there is synced to the disk: after a reboot nothing runs.

mod attempt;
mod config;
mod container;
mod environment;
mod executor;
mod fault;
mod folder;
mod found;
mod launching;
mod packing;
mod process;
mod remover;
mod shared;
mod supervise;
mod sweep;
mod system;

pub use config::{AgentCommand, Capacity, LocalConfig};
pub use container::{Choice, Containers, Engine, EngineError, EngineKind};
pub use executor::{LocalExecutor, OpenError};
