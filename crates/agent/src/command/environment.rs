//! The command's environment: the agent's own without what is the agent's, and the contract with the program.

use std::ffi::OsString;

use rutter_types::agent::WorkOrder;

use crate::folders::Folders;
use crate::settings::OWN_PREFIX;

/// Inputs up to this size are also given in a variable (one string may have 128 KiB).
const SMALL_INPUTS: usize = 64 * 1024;
/// Told by the agent, so never inherited: a job started from within a job sees only its own.
const TOLD: [&str; 12] = [
    "RUTTER_JOB_ID",
    "RUTTER_PROCESS_ID",
    "RUTTER_IN",
    "RUTTER_OUT",
    "RUTTER_WORK",
    "RUTTER_PROGRESS",
    "RUTTER_FAILURE",
    "RUTTER_INPUTS_FILE",
    "RUTTER_INPUTS",
    "RUTTER_PACKAGE_DIR",
    "HOME",
    "TMPDIR",
];
/// Told unless the order leaves them alone.
const OF_THE_HOME: [&str; 2] = ["HOME", "TMPDIR"];

/// All variables of the command.
pub(super) fn of(order: &WorkOrder, folders: &Folders, inputs: &str) -> Vec<(OsString, OsString)> {
    let mut all: Vec<(OsString, OsString)> =
        std::env::vars_os().filter(|(name, _)| inherited(name, order.keeps_home)).collect();
    let mut tell = |name: &str, value: OsString| all.push((name.into(), value));
    tell("RUTTER_JOB_ID", order.job.clone().into());
    tell("RUTTER_PROCESS_ID", order.process.clone().into());
    tell("RUTTER_IN", folders.inputs.clone().into());
    tell("RUTTER_OUT", folders.outputs.clone().into());
    tell("RUTTER_WORK", folders.work.clone().into());
    tell("RUTTER_PROGRESS", folders.progress.clone().into());
    tell("RUTTER_FAILURE", folders.failure.clone().into());
    tell("RUTTER_INPUTS_FILE", folders.inputs_file.clone().into());
    if inputs.len() <= SMALL_INPUTS {
        tell("RUTTER_INPUTS", inputs.into());
    }
    if let Some(package) = &order.package_folder {
        tell("RUTTER_PACKAGE_DIR", package.into());
    }
    if !order.keeps_home {
        tell("HOME", folders.work.clone().into());
        tell("TMPDIR", folders.temporary.clone().into());
    }
    for variable in &order.variables {
        tell(&variable.name, variable.value.clone().into());
    }
    all
}

fn inherited(name: &OsString, keeps_home: bool) -> bool {
    let name = name.to_string_lossy();
    let stays = keeps_home && OF_THE_HOME.contains(&name.as_ref());
    stays || (!name.starts_with(OWN_PREFIX) && !TOLD.contains(&name.as_ref()))
}
