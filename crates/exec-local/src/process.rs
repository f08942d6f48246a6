//! One process that can't be mistaken for another: a descriptor of it, not a number that is used again.

use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, pidfd_open, pidfd_send_signal, waitid,
};

use crate::system;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal,
}

/// A running or just ended process.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    fd: OwnedFd,
}

impl Process {
    /// A child that was not waited for yet. When it can't be watched it is ended, so that nothing runs unseen.
    pub(crate) fn child(pid: Pid) -> io::Result<Self> {
        Self::open(pid).inspect_err(|_| {
            let _ = kill_process(pid, Signal::KILL);
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED);
        })
    }

    /// The process that has this number now.
    pub(crate) fn open(pid: Pid) -> io::Result<Self> {
        Ok(Self { pid, fd: pidfd_open(pid, PidfdFlags::empty())? })
    }

    /// The process of that number if it started at `start_time`, in clock ticks since the boot.
    pub(crate) fn find(pid: i32, start_time: u64) -> Option<Self> {
        let pid = Pid::from_raw(pid)?;
        let process = Self::open(pid).ok()?;
        // Read after the descriptor was made: if the number still means the old process now, it meant it then.
        (read_start_time(pid)? == start_time).then_some(process)
    }

    /// The process that has this number now; `None` = there is none.
    pub(crate) fn of_number(pid: i32) -> Option<Self> {
        Self::open(Pid::from_raw(pid)?).ok()
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Wait until it ended.
    pub(crate) async fn gone(&self) -> io::Result<()> {
        system::watch(self.fd.as_fd())?.readable().await.map(|_| ())
    }

    /// How it ended; `None` for one that is not our child.
    pub(crate) fn reap(&self) -> Option<Exit> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let status = waitid(WaitId::PidFd(self.fd.as_fd()), options).ok()??;
        Some(status.exit_status().map_or(Exit::Signal, Exit::Code))
    }

    /// Send a signal; `false` = it ended already.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        pidfd_send_signal(&self.fd, signal).is_ok()
    }
}

/// Whether this kernel has what is needed.
pub(crate) fn supported() -> io::Result<()> {
    pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
    Ok(())
}

/// Identifier of the time since the machine was started.
pub(crate) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Field 22 of `/proc/<pid>/stat` (proc(5)). The name before it may hold spaces and parentheses.
fn read_start_time(pid: Pid) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_used_again_is_another_process() {
        let own = rustix::process::getpid();
        let start = read_start_time(own).unwrap();
        let pid = own.as_raw_nonzero().get();
        assert!(Process::find(pid, start).is_some());
        assert!(Process::find(pid, start + 1).is_none());
        assert!(Process::find(0, start).is_none());
    }

    #[test]
    fn what_is_no_child_has_no_known_exit() {
        let own = rustix::process::getpid();
        let process = Process::find(own.as_raw_nonzero().get(), read_start_time(own).unwrap()).unwrap();
        assert_eq!(process.reap(), None);
    }
}
