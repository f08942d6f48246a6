//! Making launches and starting agents. Everything here blocks for a moment and runs beside the async threads.

use std::{ffi::CString, os::unix::ffi::OsStrExt, path::Path};

use rutter_core::{
    executor::{AttemptName, ExecutorError},
    id::LaunchName,
};

use crate::{
    attempt::{AttemptFolder, Standing},
    environment::environment,
    fault::failed,
    folder::LaunchRecord,
    process::Process,
    shared::Shared,
    system::{self, Program},
};

/// Make a launch and start its first agent, or find what an earlier call did. Gives the last attempt and how it is.
pub(crate) fn make(
    shared: &Shared,
    name: LaunchName,
    record: &LaunchRecord,
) -> Result<(u32, Standing), ExecutorError> {
    let folder = shared.folder(name);
    let is_new = folder.make().map_err(failed("make the folder", folder.path()))?;
    let last = if is_new { None } else { folder.last_attempt().map_err(failed("read", folder.path()))? };
    let attempt = last.unwrap_or(1);
    if record.container.is_some() {
        return container(shared, name, record, last);
    }
    if last.is_some() {
        let standing =
            folder.attempt(attempt).examine(&shared.boot).map_err(failed("read", folder.path()))?;
        if !matches!(standing, Standing::Fresh) {
            return Ok((attempt, standing));
        }
    }
    folder.write_record(record).map_err(failed("write the record of the launch in", folder.path()))?;
    let process = start(shared, name, record, attempt)?;
    Ok((attempt, Standing::Alive(process)))
}

/// The same for a container: its folder stands before anything is asked of the engine, which may take long.
fn container(
    shared: &Shared,
    name: LaunchName,
    record: &LaunchRecord,
    last: Option<u32>,
) -> Result<(u32, Standing), ExecutorError> {
    if let Some(attempt) = last {
        return Ok((attempt, Standing::Unseen));
    }
    let folder = shared.folder(name);
    folder.write_record(record).map_err(failed("write the record of the launch in", folder.path()))?;
    let attempt = folder.attempt(1);
    attempt.make().map_err(failed("make the folder", attempt.path()))?;
    Ok((1, Standing::Fresh))
}

/// Start an agent for an attempt.
pub(crate) fn start(
    shared: &Shared,
    name: LaunchName,
    record: &LaunchRecord,
    number: u32,
) -> Result<Process, ExecutorError> {
    let attempt = shared.folder(name).attempt(number);
    // Resolved before anything is made: a missing secret leaves no trace.
    let env = environment(&shared.config, &attempt, &record.env, &|name| std::env::var_os(name))?;
    let token = attempt.make().map_err(failed("make the folder", attempt.path()))?;
    shared.add_token(token, AttemptName { launch: name, uid: number.to_string() });
    spawn_agent(shared, &attempt, &env)
}

fn spawn_agent(shared: &Shared, attempt: &AttemptFolder, env: &[CString]) -> Result<Process, ExecutorError> {
    let command = &shared.config.agent;
    let path = text(&command.program)?;
    let mut args = vec![path.clone()];
    for arg in &command.args {
        args.push(text(Path::new(arg))?);
    }
    let log = text(&attempt.log_path())?;
    let program = Program { path: &path, args: &args, env, log: &log };
    let pid = system::spawn(&program).map_err(failed("start the agent", &command.program))?;
    Process::child(pid).map_err(failed("watch the agent", &command.program))
}

fn text(path: &Path) -> Result<CString, ExecutorError> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| ExecutorError::Impossible { reason: format!("the path {path:?} has a NUL character") })
}
