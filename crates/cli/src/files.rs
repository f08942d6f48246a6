//! How many files may be open at once: connections need most of them, and must not take all.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What jobs, the store and results need beside the connections: a quarter, within these bounds.
const LEAST_ASIDE: u64 = 64;
const MOST_ASIDE: u64 = 4096;

/// What raising the limit did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raised {
    /// The limit before, if it is another now; commands get it back.
    pub(crate) before: Option<u64>,
    /// The limit now; `None` = no limit.
    pub(crate) now: Option<u64>,
}

/// Raise the soft limit to the hard one. The soft limit is low for the sake of old programs, not of the machine.
pub(crate) fn raise() -> Raised {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return Raised { before: None, now: current };
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => Raised { before: current, now: maximum },
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised; start with a higher `ulimit -n`");
            Raised { before: None, now: current }
        }
    }
}

/// The hard limit; `None` = no limit.
pub(crate) fn hard_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// Connections that a limit leaves room for.
pub(crate) fn connections(files: Option<u64>) -> usize {
    let Some(files) = files else { return usize::MAX };
    let aside = (files / 4).clamp(LEAST_ASIDE, MOST_ASIDE);
    usize::try_from(files.saturating_sub(aside).max(1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_never_take_every_file() {
        assert_eq!(connections(None), usize::MAX);
        assert_eq!(connections(Some(20_000)), 15_904);
        assert_eq!(connections(Some(1024)), 768);
        assert_eq!(connections(Some(100)), 36);
        assert_eq!(connections(Some(10)), 1);
    }
}
