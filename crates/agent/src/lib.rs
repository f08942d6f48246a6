//! The supervisor in front of every command: stages inputs, runs it, captures, measures, uploads.
//!
//! It runs under both executors and knows at its start only where the server is; the rest stands in the work order.
//! One thread runs everything, and it is the main thread: the command's parent-death signal follows the thread that
//! started it, so that thread has to live as long as the agent.

mod attempt;
mod clock;
mod command;
mod contact;
mod container;
mod failure;
mod folders;
mod lock;
mod log;
mod outputs;
mod progress;
mod settings;
mod stage;
mod stop;
mod supervise;
mod sys;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rutter_types::agent::exit;

use settings::{Place, Settings};

/// Which build of the agent this is: equal for programs of the same version made from the same sources.
pub const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), "-", env!("RUTTER_AGENT_SOURCE"));

/// Runs one attempt as the environment tells (`RUTTER_AGENT_*`) and gives the exit code for the executor.
///
/// Must be called on the main thread, before any other thread starts children.
pub fn main_from_env() -> ExitCode {
    main_in(Place::Machine, Vec::new())
}

/// The same in a container: the command starts in the image's own working directory, its output also comes out here, and
/// a failure leaves a word in the pod's status. `own_command` is what the image runs by itself: for an order that says nothing.
pub fn main_in_container(own_command: Vec<String>) -> ExitCode {
    main_in(Place::Container, own_command)
}

/// Copies this program to `root/bin`, for a container that does not have it.
pub fn install(root: &Path) -> ExitCode {
    match container::install(root) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            container::last_word(&error.to_string());
            exit_code(fault(&error))
        }
    }
}

fn main_in(place: Place, own_command: Vec<String>) -> ExitCode {
    exit_code(match Settings::from_env(place, own_command) {
        Ok(settings) => {
            sys::adopt(&settings.environment);
            run(settings)
        }
        Err(error) => fault(&error),
    })
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code & 0xff).unwrap_or(1))
}

fn run(settings: Settings) -> i32 {
    if let Err(error) = limit_open_files(settings.open_files) {
        return fault(&error);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let code = match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(attempt::run(settings));
            // A lookup or a file operation that hangs must not hold up the end.
            runtime.shutdown_background();
            code
        }
        Err(error) => return fault(&error),
    };
    code.unwrap_or_else(|error| fault(&error))
}

/// Programs get the limit that the server was started with: many close, or make room for, every file they may open.
fn limit_open_files(files: Option<u64>) -> std::io::Result<()> {
    let Some(files) = files else { return Ok(()) };
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum })?)
}

fn fault(error: &dyn std::fmt::Display) -> i32 {
    complain(error);
    exit::AGENT_FAULT
}

/// On standard error, where a container's reader may be behind: that must not change how the attempt ends.
fn complain(error: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "rutter-agent: {error}");
}
