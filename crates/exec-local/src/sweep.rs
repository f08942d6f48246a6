//! Ending what a lost agent left behind.
//!
//! A command may put itself into another session, but not change the environment it was started with as
//! `/proc/<pid>/environ` shows it: that tells which job a process belongs to.

use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal};
use rutter_core::id::JobId;
use rutter_types::agent::ENV_FOLDER;

use crate::process::Process;

/// How long to go on with processes that don't end (they hang in the kernel).
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);

/// How the processes of a launch are known.
pub(crate) struct Belongs {
    job: Vec<u8>,
    folder: Vec<u8>,
}

impl Belongs {
    pub(crate) fn new(job: JobId, launch: &Path) -> Self {
        let mut folder = format!("{ENV_FOLDER}=").into_bytes();
        folder.extend_from_slice(launch.as_os_str().as_bytes());
        folder.push(b'/');
        Self { job: format!("RUTTER_JOB_ID={job}").into_bytes(), folder }
    }

    fn has(&self, environment: &[u8]) -> bool {
        environment.split(|&byte| byte == 0).any(|entry| entry == self.job || entry.starts_with(&self.folder))
    }
}

/// The agent that was started for an attempt, by its environment. Blocks.
pub(crate) fn find_agent(attempt: &Path) -> Option<Process> {
    let mut own = format!("{ENV_FOLDER}=").into_bytes();
    own.extend_from_slice(attempt.as_os_str().as_bytes());
    let is_agent =
        |pid| environment(pid).is_some_and(|text| text.split(|&byte| byte == 0).any(|entry| entry == own));
    let pid = pids().find(|&pid| is_agent(pid))?;
    let process = Process::open(pid).ok()?;
    is_agent(pid).then_some(process)
}

/// Kill every process of a launch until two looks in a row find none. Blocks.
pub(crate) fn sweep(belongs: &Belongs) {
    let until = Instant::now() + PATIENCE;
    let mut clean = 0;
    while clean < 2 {
        if kill_all(belongs) == 0 {
            clean += 1;
            continue;
        }
        clean = 0;
        if Instant::now() > until {
            let job = String::from_utf8_lossy(&belongs.job);
            tracing::warn!(%job, "processes of a lost agent do not end although they were killed");
            return;
        }
        thread::sleep(PAUSE);
    }
}

fn kill_all(belongs: &Belongs) -> usize {
    pids().filter(|&pid| kill(pid, belongs)).count()
}

fn kill(pid: Pid, belongs: &Belongs) -> bool {
    let is_ours = || environment(pid).is_some_and(|text| belongs.has(&text));
    if !is_ours() {
        return false;
    }
    let Ok(process) = Process::open(pid) else { return false };
    // Looked at again, now that the number can't change its meaning unseen.
    is_ours() && process.signal(Signal::KILL)
}

/// Every process but this one.
fn pids() -> impl Iterator<Item = Pid> {
    let own = rustix::process::getpid();
    let number = |entry: fs::DirEntry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?);
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(number).filter(move |&pid| pid != own)
}

/// What a process was started with; empty for one that ended.
fn environment(pid: Pid) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_entries_count() {
        let job = JobId::generate();
        let belongs = Belongs::new(job, Path::new("/data/attempts/x-1"));
        assert!(belongs.has(format!("A=1\0RUTTER_JOB_ID={job}\0").as_bytes()));
        assert!(belongs.has(b"RUTTER_AGENT_FOLDER=/data/attempts/x-1/2\0"));
        assert!(!belongs.has(format!("NOTE=RUTTER_JOB_ID={job}\0").as_bytes()));
        assert!(!belongs.has(format!("RUTTER_JOB_ID={job}0\0").as_bytes()));
        assert!(!belongs.has(b"RUTTER_AGENT_FOLDER=/data/attempts/x-11/2\0"));
        assert!(!belongs.has(b""));
    }
}
