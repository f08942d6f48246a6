//! The few system calls for which neither the standard library nor rustix has a safe form.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

/// Makes the command die with the thread that starts it, however that ends.
pub(crate) fn die_with_parent(command: &mut Command) {
    let parent = getpid();
    let before_exec = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // The agent may have died before the signal was set.
        if getppid() != Some(parent) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        Ok(())
    };
    // SAFETY: the closure runs in the forked child before exec. It makes two plain system calls (prctl, getppid),
    // allocates nothing and takes no lock, so it is async-signal-safe; it captures a plain number.
    unsafe { command.pre_exec(before_exec) };
}

/// Makes these variables the agent's own, to be inherited by the command. Only while it has a single thread.
pub(crate) fn adopt(variables: &BTreeMap<String, String>) {
    for (name, value) in variables {
        // SAFETY: called before the runtime is built, so no other thread reads the environment meanwhile.
        unsafe { std::env::set_var(name, value) };
    }
}

/// What all children that have ended and been waited for took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ChildrenUsage {
    /// User and system time, seconds.
    pub(crate) cpu_seconds: f64,
    /// Greatest resident size of any one of them, bytes; pages of files they mapped are in it.
    pub(crate) max_resident: u64,
}

/// `getrusage(RUSAGE_CHILDREN)`.
pub(crate) fn children_usage() -> ChildrenUsage {
    // SAFETY: `rusage` is plain data for which all-zero is valid, and the kernel writes into exactly one of it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    ChildrenUsage {
        cpu_seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        max_resident: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    }
}
