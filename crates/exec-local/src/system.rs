//! The two calls of the system that have no safe binding: the only unsafe code of this crate.
//!
//! Starting a process in a session of its own must not copy the server's page tables.
//! `std::process` forks as soon as a session is asked for, and a fork costs more the more memory the server holds;
//! `posix_spawn` shares the memory until the exec and knows `POSIX_SPAWN_SETSID`.
#![allow(unsafe_code, reason = "posix_spawn and the registration of descriptors have no safe binding")]

use std::{
    ffi::{CStr, CString},
    io,
    mem::MaybeUninit,
    os::fd::BorrowedFd,
    ptr,
};

use rustix::process::Pid;
use tokio::io::{Interest, unix::AsyncFd};

/// A process to start.
pub(crate) struct Program<'a> {
    /// Path of the program.
    pub(crate) path: &'a CStr,
    /// Arguments, the program's name first.
    pub(crate) args: &'a [CString],
    /// The whole environment, `NAME=value`.
    pub(crate) env: &'a [CString],
    /// File to which standard output and standard error are appended.
    pub(crate) log: &'a CStr,
}

/// Start it as the leader of a new session, standard input empty, signals at their defaults. The caller must reap it.
pub(crate) fn spawn(program: &Program<'_>) -> io::Result<Pid> {
    let mut actions = Actions::new()?;
    actions.open(libc::STDIN_FILENO, c"/dev/null", libc::O_RDONLY)?;
    actions.open(libc::STDOUT_FILENO, program.log, libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND)?;
    actions.duplicate(libc::STDOUT_FILENO, libc::STDERR_FILENO)?;
    let attributes = Attributes::new_session()?;
    let args = pointers(program.args);
    let env = pointers(program.env);
    let mut pid: libc::pid_t = 0;
    // SAFETY: every pointer is to live memory for the time of the call; both lists end with a null pointer.
    check(unsafe {
        libc::posix_spawn(
            &mut pid,
            program.path.as_ptr(),
            &actions.0,
            &attributes.0,
            args.as_ptr().cast(),
            env.as_ptr().cast(),
        )
    })?;
    Pid::from_raw(pid).ok_or_else(|| io::Error::other("the system gave no process id"))
}

/// Have the runtime tell when a descriptor becomes readable.
pub(crate) fn watch(fd: BorrowedFd<'_>) -> io::Result<AsyncFd<BorrowedFd<'_>>> {
    // SAFETY: borrowed for as long as the registration lives, so it stays open and stays the same.
    Ok(unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?)
}

fn pointers(texts: &[CString]) -> Vec<*const libc::c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}

/// These functions return the error number instead of setting `errno`.
fn check(code: libc::c_int) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}

struct Actions(libc::posix_spawn_file_actions_t);

impl Actions {
    fn new() -> io::Result<Self> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: init fills what it is given, and only then is it taken as initialised.
        unsafe {
            check(libc::posix_spawn_file_actions_init(actions.as_mut_ptr()))?;
            Ok(Self(actions.assume_init()))
        }
    }

    fn open(&mut self, to: libc::c_int, path: &CStr, flags: libc::c_int) -> io::Result<()> {
        // SAFETY: initialised in `new`; the path is copied by the call.
        check(unsafe { libc::posix_spawn_file_actions_addopen(&mut self.0, to, path.as_ptr(), flags, 0o600) })
    }

    fn duplicate(&mut self, from: libc::c_int, to: libc::c_int) -> io::Result<()> {
        // SAFETY: initialised in `new`.
        check(unsafe { libc::posix_spawn_file_actions_adddup2(&mut self.0, from, to) })
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, destroyed once.
        unsafe { libc::posix_spawn_file_actions_destroy(&mut self.0) };
    }
}

struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    /// A new session, no signal blocked, SIGPIPE at its default (the server ignores it, and that would be inherited).
    fn new_session() -> io::Result<Self> {
        let flags = libc::POSIX_SPAWN_SETSID
            | libc::POSIX_SPAWN_SETSIGMASK as libc::c_short
            | libc::POSIX_SPAWN_SETSIGDEF as libc::c_short;
        let mut attributes = MaybeUninit::uninit();
        let mut set = MaybeUninit::uninit();
        // SAFETY: each init fills what it is given before that is used.
        unsafe {
            check(libc::posix_spawnattr_init(attributes.as_mut_ptr()))?;
            let mut attributes = Self(attributes.assume_init());
            libc::sigemptyset(set.as_mut_ptr());
            check(libc::posix_spawnattr_setsigmask(&mut attributes.0, set.as_ptr()))?;
            libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
            check(libc::posix_spawnattr_setsigdefault(&mut attributes.0, set.as_ptr()))?;
            check(libc::posix_spawnattr_setflags(&mut attributes.0, flags))?;
            Ok(attributes)
        }
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised in `new_session`, destroyed once.
        unsafe { libc::posix_spawnattr_destroy(&mut self.0) };
    }
}
