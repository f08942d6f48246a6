//! What the registry knows of one package file from look to look.

use std::{path::PathBuf, sync::Arc};

use super::{
    Fault, Process, Runs, file,
    located::Place,
    scan::{Found, Stamp},
};

/// Looks at a file that keeps changing before its faults are told all the same.
const PATIENCE: u32 = 4;

/// Whether there was a look before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// The server starts: what is wrong is told at once.
    First,
    /// A file may be half written: what is wrong must be wrong twice.
    Again,
}

/// One package file.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    /// What the file was when it was last read; `None` = read it again.
    stamp: Option<Stamp>,
    /// What it was when it was found wrong for the first time.
    doubted: Option<Stamp>,
    doubts: u32,
    missed: bool,
    /// The last version without faults.
    pub(super) good: Option<Arc<Process>>,
    pub(super) id_place: Place,
    /// Faults of the newest version.
    pub(super) faults: Option<Vec<Fault>>,
    /// Files whose coming may mend it.
    missing: Vec<PathBuf>,
}

impl Entry {
    /// The file was seen. Also tells whether anything about it is other than before.
    pub(super) fn seen(known: Option<Self>, found: Found, look: Look, runs: &Runs) -> (Self, bool) {
        let mut entry = known.unwrap_or_else(|| Self::new(found.path.clone()));
        entry.missed = false;
        let mended = entry.missing.iter().any(|path| path.is_file());
        if entry.stamp.as_ref() == Some(&found.stamp) && !mended {
            return (entry, false);
        }
        let changed = entry.read(found.stamp, look, runs);
        (entry, changed)
    }

    /// The file was not seen. `None` when it was not seen before either.
    pub(super) fn missed(mut self) -> Option<Self> {
        let first = !self.missed;
        self.missed = true;
        first.then_some(self)
    }

    /// Whether the file was missing at the last look.
    pub(super) fn is_missed(&self) -> bool {
        self.missed
    }

    fn new(path: PathBuf) -> Self {
        Self {
            path,
            stamp: None,
            doubted: None,
            doubts: 0,
            missed: false,
            good: None,
            id_place: Place::default(),
            faults: None,
            missing: Vec::new(),
        }
    }

    fn read(&mut self, stamp: Stamp, look: Look, runs: &Runs) -> bool {
        let (_, read) = file::load(&self.path);
        let result = runs.allowed(read.result, &self.path, read.id_place);
        let still = Stamp::of(&self.path).ok().as_ref() == Some(&stamp);
        let sure = match look {
            Look::First => true,
            Look::Again => still && (result.is_ok() || self.doubted.as_ref() == Some(&stamp)),
        };
        if !sure && self.doubts < PATIENCE {
            self.doubts += 1;
            self.doubted = Some(stamp);
            return false;
        }
        self.doubts = 0;
        self.doubted = None;
        self.stamp = still.then_some(stamp);
        self.missing = read.missing;
        match result {
            Ok(process) => {
                let same = self.faults.is_none()
                    && self.good.as_ref().is_some_and(|good| good.digest == process.digest);
                self.id_place = read.id_place;
                self.faults = None;
                if !same {
                    self.good = Some(Arc::new(process));
                }
                !same
            }
            Err(faults) => {
                let same = self.faults.as_ref() == Some(&faults);
                self.faults = Some(faults);
                !same
            }
        }
    }
}
