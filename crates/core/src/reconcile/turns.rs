//! Whose turn it is to be looked at: of one job one pass at a time, of all jobs a bounded number.

use std::collections::{HashMap, VecDeque};

use crate::id::JobId;

/// Jobs to be looked at.
#[derive(Debug, Default)]
pub(super) struct Turns {
    due: VecDeque<JobId>,
    known: HashMap<JobId, Turn>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Waits to be looked at.
    Due,
    /// Is looked at.
    Begun,
    /// Is looked at, and something happened to it since.
    Again,
}

impl Turns {
    /// Something may have happened to a job.
    pub(super) fn ask(&mut self, id: JobId) {
        match self.known.get_mut(&id) {
            None => {
                self.known.insert(id, Turn::Due);
                self.due.push_back(id);
            }
            Some(turn @ Turn::Begun) => *turn = Turn::Again,
            Some(Turn::Due | Turn::Again) => {}
        }
    }

    /// The next job, if fewer than so many are being looked at.
    pub(super) fn begin(&mut self, most: usize) -> Option<JobId> {
        if self.known.len() - self.due.len() >= most {
            return None;
        }
        let id = self.due.pop_front()?;
        self.known.insert(id, Turn::Begun);
        Some(id)
    }

    /// A look is over.
    pub(super) fn end(&mut self, id: JobId) {
        if self.known.remove(&id) == Some(Turn::Again) {
            self.ask(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_looked_at_once_at_a_time_and_again_after_what_happened_meanwhile() {
        let (one, other) = (JobId::generate(), JobId::generate());
        let mut turns = Turns::default();
        turns.ask(one);
        turns.ask(one);
        turns.ask(other);
        assert_eq!(turns.begin(2), Some(one));
        turns.ask(one);
        turns.ask(one);
        assert_eq!(turns.begin(1), None, "one is enough at a time");
        assert_eq!(turns.begin(2), Some(other));
        turns.end(other);
        assert_eq!(turns.begin(2), None, "it is being looked at");
        turns.end(one);
        assert_eq!(turns.begin(2), Some(one));
        turns.end(one);
        assert_eq!(turns.begin(2), None);
        assert!(turns.known.is_empty());
    }
}
