//! What a launch leaves on the disk, so that a restart needs nothing else.
//!
//! ```text
//! <folder>/<job>-<launch>/launch.json    what further attempts need; there before the first agent is
//! <folder>/<job>-<launch>/ending         no further attempts
//! <folder>/<job>-<launch>/<n>/           attempt n, from 1: see `attempt`
//! <folder>/.gone-…                       being removed
//! ```

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use rutter_core::{
    id::{JobId, LaunchName},
    plan::{Needs, Plan},
    process::EnvEntry,
};
use serde::{Deserialize, Serialize};

use crate::{attempt::AttemptFolder, container::ContainerRecord};

/// Version of the records written here.
const VERSION: u32 = 1;

/// `launch.json`: holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LaunchRecord {
    version: u32,
    /// The job.
    pub(crate) job: JobId,
    /// Further attempts after a failed one.
    pub(crate) retries: u32,
    /// What it holds.
    pub(crate) needs: Needs,
    /// Environment of the agent beyond the usual.
    pub(crate) env: Vec<EnvEntry>,
    /// The container that it runs in; absent for a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) container: Option<ContainerRecord>,
}

impl LaunchRecord {
    pub(crate) fn new(job: JobId, plan: &Plan, container: Option<ContainerRecord>) -> Self {
        let (retries, needs, env) = (plan.retries, plan.needs, plan.env.clone());
        Self { version: VERSION, job, retries, needs, env, container }
    }

    /// For a launch whose record can't be read: nothing more is started.
    pub(crate) fn unknown(job: JobId) -> Self {
        Self { version: VERSION, job, retries: 0, needs: Needs::default(), env: Vec::new(), container: None }
    }
}

/// The folder of a launch.
#[derive(Clone, Debug)]
pub(crate) struct LaunchFolder(PathBuf);

impl LaunchFolder {
    pub(crate) fn new(root: &Path, name: LaunchName) -> Self {
        Self(root.join(name.to_string()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Make it; `false` = it was there.
    pub(crate) fn make(&self) -> io::Result<bool> {
        make_private(&self.0)
    }

    pub(crate) fn write_record(&self, record: &LaunchRecord) -> io::Result<()> {
        write_whole(&self.0.join("launch.json"), &serde_json::to_vec(record)?)
    }

    pub(crate) fn read_record(&self) -> io::Result<LaunchRecord> {
        let record: LaunchRecord = serde_json::from_slice(&fs::read(self.0.join("launch.json"))?)?;
        if record.version != VERSION {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "written by another version of rutter"));
        }
        Ok(record)
    }

    /// Number of the last attempt that was begun.
    pub(crate) fn last_attempt(&self) -> io::Result<Option<u32>> {
        let mut last = None;
        for entry in fs::read_dir(&self.0)? {
            last = last.max(entry?.file_name().to_str().and_then(|name| name.parse().ok()));
        }
        Ok(last)
    }

    pub(crate) fn attempt(&self, number: u32) -> AttemptFolder {
        AttemptFolder::new(self.0.join(number.to_string()))
    }

    /// Remember that nothing more is to be started.
    pub(crate) fn mark_ending(&self) -> io::Result<()> {
        fs::write(self.0.join("ending"), b"")
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.0.join("ending").exists()
    }
}

/// Make a folder that only this user can enter; `false` = it was there.
pub(crate) fn make_private(path: &Path) -> io::Result<bool> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Readers see the old file or the new one.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    fs::write(&draft, bytes)?;
    fs::rename(draft, path)
}
