//! The user's command: its arguments, its environment, its start.

mod arguments;
mod environment;
mod program;

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;
use rutter_types::agent::WorkOrder;

use crate::folders::Folders;
use crate::settings::Place;
use crate::stage::Ready;
use crate::sys;

/// A command that has been started.
pub(crate) struct Started {
    pub(crate) pid: Pid,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

/// Why the command could not be started: text for the report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the command is empty")]
    Empty,
    #[error("no such program: '{0}'")]
    NoSuchProgram(String),
    #[error("permission denied: '{0}' is not executable")]
    NotExecutable(String),
    #[error("an argument names staged item {0}, but there is none")]
    NoSuchFile(usize),
    #[error("'{program}' could not be started: {reason}")]
    Failed { program: String, reason: String },
}

/// Starts the command of an order; `inputs` is the text of the inputs file.
pub(crate) fn start(
    order: &WorkOrder,
    folders: &Folders,
    place: Place,
    ready: &Ready,
    inputs: &str,
) -> Result<Started, Error> {
    let mut words = arguments::expand(order, ready)?;
    let environment = environment::of(order, folders, inputs);
    let package = order.package_folder.as_deref().map(Path::new);
    let directory = match place {
        Place::Machine => folders.work.clone(),
        // The image's own, as its author meant it.
        Place::Container => std::env::current_dir().unwrap_or_else(|_| folders.work.clone()),
    };
    let name = words.drain(..1).next().ok_or(Error::Empty)?;
    let program = program::find(&name, package, &directory, path_of(&environment))?;
    let failed = |error: io::Error| Error::Failed { program: name.clone(), reason: reason(&error) };
    let (stdout, out) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
    let (stderr, err) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
    for end in [&stdout, &stderr] {
        rustix::io::ioctl_fionbio(end, true).map_err(|errno| failed(errno.into()))?;
    }
    let mut command = Command::new(&program);
    command
        .arg0(&name)
        .args(&words)
        .env_clear()
        .envs(environment)
        .current_dir(&directory)
        .stdin(Stdio::null())
        .stdout(Stdio::from(out))
        .stderr(Stdio::from(err))
        .process_group(0);
    sys::die_with_parent(&mut command);
    let child = command.spawn().map_err(failed)?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid
        .ok_or_else(|| Error::Failed { program: name.clone(), reason: "it has no process id".to_owned() })?;
    Ok(Started { pid, stdout, stderr })
}

fn path_of(environment: &[(OsString, OsString)]) -> Option<&OsString> {
    environment.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value)
}

fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        // The file was seen, so it is what its first line names that is missing.
        Some(libc::ENOENT) => "its interpreter is missing".to_owned(),
        Some(libc::ENOEXEC) => {
            "it is neither a program for this machine nor a script with a #! line".to_owned()
        }
        Some(libc::E2BIG) => "its arguments are too long".to_owned(),
        _ => error.to_string(),
    }
}
