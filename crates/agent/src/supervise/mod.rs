//! While the command runs: limits are kept, and at its end nothing of it is left.
//!
//! The end is seen by SIGCHLD, never by looking again and again. As a sub-reaper the agent inherits whatever a
//! command leaves behind, so "no child is left" means that nothing at all is left.

mod memory;
mod scratch;
mod tree;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group, wait};
use rutter_types::agent::Limits;
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::contact::{Contact, State};
use crate::folders::Folders;
use crate::log::Log;
use crate::stop::Stop;
pub(crate) use memory::{Peak, kernel_kills};
pub(crate) use scratch::{size as scratch_size, threshold as scratch_threshold};

/// Processes that do not die of SIGKILL (a disk that hangs) are not waited for longer.
const UNKILLABLE: Duration = Duration::from_secs(10);
/// How often processes are looked for that must end.
const HUNT: Duration = Duration::from_millis(5);

/// Why the agent ended the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    TimeLimit,
    OutOfMemory,
    ScratchLimit,
    /// Standard output that is an output passed `limits.output_bytes`.
    OutputLimit,
    /// The agent itself was asked to stop.
    Asked,
    /// Nobody wants it any more.
    Over,
    /// The server is lost.
    Lost,
}

/// How the command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Why the agent ended it; absent when it ended by itself.
    pub(crate) cause: Option<Cause>,
    /// Its exit code or signal.
    pub(crate) status: WaitStatus,
}

/// What is needed to watch over a command.
pub(crate) struct Supervisor<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) folders: &'a Folders,
    pub(crate) contact: &'a Contact,
    pub(crate) log: &'a Log,
    pub(crate) peak: Arc<Peak>,
    pub(crate) overflow: Arc<Notify>,
    pub(crate) stop: Stop,
    pub(crate) children: Children,
}

/// Ends of child processes.
pub(crate) struct Children(Signals);

impl Children {
    /// Listens from now on: to be called before the command starts.
    pub(crate) fn listen() -> io::Result<Self> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        Ok(Self(signal(SignalKind::child())?))
    }
}

/// What waiting for children gave.
struct Reaped {
    status: Option<WaitStatus>,
    none_left: bool,
}

/// Takes all children that have ended.
fn reap(command: Pid) -> Reaped {
    let mut reaped = Reaped { status: None, none_left: false };
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == command => reaped.status = Some(status),
            Ok(Some(_)) => {}
            Ok(None) => return reaped,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => {
                reaped.none_left = true;
                return reaped;
            }
        }
    }
}

impl Supervisor<'_> {
    /// Waits for the end of the command and leaves nothing of it behind.
    pub(crate) async fn watch(mut self, command: Pid) -> Ended {
        let (cause, status, none_left) = self.until_end(command).await;
        if !none_left {
            self.end_all(command).await;
        }
        Ended { cause, status }
    }

    async fn until_end(&mut self, command: Pid) -> (Option<Cause>, WaitStatus, bool) {
        let time = tokio::time::sleep(Duration::from_secs(self.limits.command_seconds));
        let memory = memory::passed(self.limits.memory_bytes, Arc::clone(&self.peak));
        let scratch = scratch::passed(self.limits.scratch_bytes, self.folders.clone());
        tokio::pin!(time, memory, scratch);
        let mut cause = None;
        let mut kill_at = None;
        let mut memory_passed = false;
        loop {
            let reaped = reap(command);
            if let Some(status) = reaped.status {
                return (cause, status, reaped.none_left);
            }
            let reason = tokio::select! {
                biased;
                _ = self.children.0.recv() => continue,
                () = &mut memory, if !memory_passed => {
                    memory_passed = true;
                    kill_at = Some(Instant::now());
                    Cause::OutOfMemory
                }
                () = tokio::time::sleep_until(kill_at.unwrap_or_else(Instant::now)), if kill_at.is_some() => {
                    kill_everything();
                    // Again should something have been forked meanwhile.
                    kill_at = Some(Instant::now() + HUNT);
                    continue;
                }
                () = &mut time, if cause.is_none() => Cause::TimeLimit,
                () = &mut scratch, if cause.is_none() => Cause::ScratchLimit,
                () = self.overflow.notified(), if cause.is_none() => Cause::OutputLimit,
                () = self.stop.asked(), if cause.is_none() => Cause::Asked,
                state = self.contact.ended(), if cause.is_none() => {
                    if state == State::Over { Cause::Over } else { Cause::Lost }
                }
            };
            self.log.say(&self.words(reason));
            cause = cause.or(Some(reason));
            if kill_at.is_none() {
                kill_at = Some(Instant::now() + Duration::from_secs(self.limits.grace_seconds));
                let _ = kill_process_group(command, Signal::TERM);
            }
        }
    }

    fn words(&self, cause: Cause) -> String {
        match cause {
            Cause::TimeLimit => {
                format!("time limit of {} s reached: the command is stopped", self.limits.command_seconds)
            }
            Cause::OutOfMemory => format!(
                "memory limit of {} bytes passed ({} bytes in use): the command is killed",
                self.limits.memory_bytes.unwrap_or(0),
                self.peak.own()
            ),
            Cause::ScratchLimit => format!(
                "95 % of the disk space limit of {} bytes in use: the command is stopped",
                self.limits.scratch_bytes.unwrap_or(0)
            ),
            Cause::OutputLimit => format!(
                "standard output is an output and passes {} bytes: the command is stopped",
                self.limits.output_bytes
            ),
            Cause::Asked => "asked to stop: the command is stopped".to_owned(),
            Cause::Over => "the attempt is over: the command is stopped".to_owned(),
            Cause::Lost => "the server is lost: the command is stopped".to_owned(),
        }
    }

    /// Kills what is left until nothing is.
    async fn end_all(&mut self, command: Pid) {
        let give_up = Instant::now() + UNKILLABLE;
        loop {
            kill_everything();
            if reap(command).none_left {
                return;
            }
            if Instant::now() > give_up {
                self.log.say("processes of the command can't be killed and are left behind");
                return;
            }
            let _ = tokio::time::timeout(HUNT, self.children.0.recv()).await;
        }
    }
}

/// SIGKILL to all descendants.
fn kill_everything() {
    for pid in tree::descendants() {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
