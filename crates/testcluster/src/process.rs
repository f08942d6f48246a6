//! Processes by number and start time: a number alone may have been given to somebody else since.

use std::{fs, path::Path};

/// A process of this machine, or of a cluster (numbered as inside, see [`Process::find`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    start: u64,
}

impl Process {
    /// The live process of this number, as a `/proc` shows it.
    pub(crate) fn find(proc: &Path, pid: i32) -> Option<Self> {
        let (process, ended) = Self::read(proc, pid)?;
        (!ended).then_some(process)
    }

    fn read(proc: &Path, pid: i32) -> Option<(Self, bool)> {
        let stat = fs::read_to_string(proc.join(format!("{pid}/stat"))).ok()?;
        // The name stands in parentheses and may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ended = matches!(*fields.first()?, "Z" | "X");
        let start = fields.get(19)?.parse().ok()?;
        Some((Self { pid, start }, ended))
    }

    /// As [`Process::to_string`] wrote it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (pid, start) = text.trim().split_once(' ')?;
        Some(Self { pid: pid.parse().ok()?, start: start.parse().ok()? })
    }

    pub(crate) fn alive(self, proc: &Path) -> bool {
        Self::find(proc, self.pid) == Some(self)
    }

    /// Whether nothing is left of it. A process whose first thread has ended may still hold ports by its other threads.
    pub(crate) fn gone(self, proc: &Path) -> bool {
        Self::read(proc, self.pid).is_none_or(|(found, _)| found != self)
    }
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.pid, self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_its_number_and_its_start() {
        let proc = Path::new("/proc");
        let me = Process::find(proc, std::process::id().try_into().unwrap()).unwrap();
        assert!(me.alive(proc) && !me.gone(proc));
        assert_eq!(Process::parse(&me.to_string()), Some(me));
        let another = Process { start: me.start + 1, ..me };
        assert!(!another.alive(proc) && another.gone(proc));
        assert_eq!(Process::find(proc, i32::MAX), None);
    }
}
