//! What a reader of a configuration should know: what has no effect here, what is doubtful, what is left out.

use std::fmt;

use crate::spot::Spot;

/// How much a remark matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Understood, and worth knowing.
    Note,
    /// Has no effect, here or at all.
    Ignored,
    /// Understood in some way that may not be what was meant.
    Doubt,
    /// Is not offered: a process, a collection, a part of a process.
    LeftOut,
}

/// Something that a reader of the configuration should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Line, from 1; 0 when it concerns no line.
    pub line: u64,
    /// Column in characters, from 1; 0 when it concerns no line.
    pub column: u64,
    /// Way from the top, such as `resources.flood.processor.env[0].value`.
    pub path: String,
    /// How much it matters.
    pub level: Level,
    /// What it is, as a fragment that follows the path.
    pub text: String,
}

/// Remarks that are kept; a file with more has one cause for most of them.
const LIMIT: usize = 1000;

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) remarks: Vec<Remark>,
}

impl Report {
    pub(crate) fn note(&mut self, spot: &Spot<'_>, text: impl Into<String>) {
        self.add(Level::Note, spot, text.into());
    }

    pub(crate) fn ignored(&mut self, spot: &Spot<'_>, text: impl Into<String>) {
        self.add(Level::Ignored, spot, text.into());
    }

    pub(crate) fn doubt(&mut self, spot: &Spot<'_>, text: impl Into<String>) {
        self.add(Level::Doubt, spot, text.into());
    }

    pub(crate) fn left_out(&mut self, spot: &Spot<'_>, text: impl Into<String>) {
        self.add(Level::LeftOut, spot, text.into());
    }

    /// Members that nobody reads: pygeoapi passes over them in silence.
    pub(crate) fn unknown(&mut self, spot: &Spot<'_>, known: &[&str]) {
        for member in spot.members() {
            if known.contains(&member.name.as_str()) {
                continue;
            }
            let near = rutter_core::process::nearest(&member.name, known.iter().copied());
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            self.ignored(&member, format!("is unknown and has no effect{hint}"));
        }
    }

    fn add(&mut self, level: Level, spot: &Spot<'_>, text: String) {
        let remark =
            Remark { line: spot.place.line, column: spot.place.column, path: spot.path.clone(), level, text };
        // What an anchor names is looked at wherever an alias repeats it.
        if self.remarks.len() < LIMIT && !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Ignored => "ignored",
            Self::Doubt => "doubtful",
            Self::LeftOut => "left out",
        })
    }
}

/// `7:3: resources.flood.processor.mimetype: ignored: has no effect`
impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}: {}", self.level, self.text)
    }
}
