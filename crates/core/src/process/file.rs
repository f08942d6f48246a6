//! Reads package files from the disk.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use super::{
    Fault, Finding, Notice, Process, Runs,
    located::Place,
    package::{self, Read},
    scan,
};
use crate::yaml::TEXT_LIMIT;

/// A package file that was read.
#[derive(Debug)]
pub struct Checked {
    /// The file.
    pub file: PathBuf,
    /// Its text, for showing the lines of faults; empty when it could not be read.
    pub text: String,
    /// The process, or every fault.
    pub result: Result<Process, Vec<Fault>>,
    /// What the author should know.
    pub notices: Vec<Notice>,
}

/// Reads one package file. Its folder is the one that holds it.
pub fn check(file: &Path) -> Checked {
    let (text, read) = load(file);
    Checked { file: file.to_owned(), text, result: read.result, notices: read.notices }
}

/// The same, by what a server allows: every fault for which it would not use the package.
pub fn check_for(file: &Path, runs: &Runs) -> Checked {
    let (text, read) = load(file);
    let result = runs.allowed(read.result, file, read.id_place);
    Checked { file: file.to_owned(), text, result, notices: read.notices }
}

/// Package files that a path means: a file itself, the package of a folder, or the packages in a folder.
///
/// # Errors
/// The path can't be read.
pub fn find(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    if let Some(package) = scan::package_of(path) {
        return Ok(vec![package]);
    }
    Ok(scan::folder(path)?.into_iter().map(|found| found.path).collect())
}

/// The text and what came of it.
pub(super) fn load(file: &Path) -> (String, Read) {
    match text(file) {
        Ok(text) => {
            let read = package::read(&text, file, file.parent());
            (text, read)
        }
        Err(fault) => {
            let read = Read {
                result: Err(vec![fault]),
                notices: Vec::new(),
                id_place: Place::default(),
                missing: Vec::new(),
            };
            (String::new(), read)
        }
    }
}

/// Never more than the limit, whatever the file says of its size.
fn text(path: &Path) -> Result<String, Fault> {
    let fault = |message: String| Finding::of_file(path, message);
    let meta = std::fs::metadata(path).map_err(|error| fault(format!("can't be read: {error}")))?;
    if !meta.is_file() {
        return Err(fault("is no file".to_owned()));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(TEXT_LIMIT as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| fault(format!("can't be read: {error}")))?;
    if bytes.len() > TEXT_LIMIT {
        return Err(fault(format!("is longer than {TEXT_LIMIT} bytes; put data into files of their own")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
        let line = before.split('\n').count() as u64;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) as u64 + 1;
        let remedy = Some("save it as UTF-8".to_owned());
        Finding::at(path, Place { line, column }, "", "is no text in UTF-8".to_owned(), remedy)
    })
}
