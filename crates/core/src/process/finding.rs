//! What is wrong in a package, or worth a word: where it stands, what it is, what to write instead.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::located::Place;

/// What keeps a package from being used.
pub type Fault = Finding;

/// What a package's author should know, though the package can be used.
pub type Notice = Finding;

/// Something found in a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1; 0 when it concerns no line.
    pub line: u64,
    /// Column in characters, from 1; 0 when it concerns no line.
    pub column: u64,
    /// Way from the top to the place, such as `executionUnit[0].config.cpuMin`; empty at the top.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    /// One that concerns a file as a whole.
    pub fn of_file(file: &Path, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            path: String::new(),
            message: message.into(),
            remedy: None,
        }
    }

    pub(super) fn at(file: &Path, place: Place, path: &str, message: String, remedy: Option<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: place.line,
            column: place.column,
            path: path.to_owned(),
            message,
            remedy,
        }
    }
}

/// As compilers write it: `file:line:column: path: message; remedy`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Finding {}
