//! The contract between a package and its command, seen from the command: where inputs are, where outputs go, how progress
//! is told. Environment variables are the whole interface, so the programs also run by hand.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Map, Value};

/// All inputs of the job: values as JSON, files as their paths.
#[derive(Debug, Clone, Default)]
pub struct Inputs(Map<String, Value>);

impl Inputs {
    /// Reads the file that `RUTTER_INPUTS_FILE` names.
    pub fn from_env() -> anyhow::Result<Self> {
        let file = std::env::var_os("RUTTER_INPUTS_FILE")
            .context("RUTTER_INPUTS_FILE is not set: it names the JSON file with the inputs")?;
        Self::from_file(Path::new(&file))
    }

    /// Reads a JSON object from input id to value.
    pub fn from_file(file: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read(file).with_context(|| format!("cannot read the inputs {}", file.display()))?;
        let inputs = serde_json::from_slice(&text)
            .with_context(|| format!("the inputs {} are not a JSON object", file.display()))?;
        Ok(Self(inputs))
    }

    /// The value of an input, if it was given or has a default.
    pub fn get(&self, id: &str) -> Option<&Value> {
        self.0.get(id)
    }
}

/// The folder for outputs that `RUTTER_OUT` names.
pub fn out_from_env() -> anyhow::Result<PathBuf> {
    std::env::var_os("RUTTER_OUT")
        .map(PathBuf::from)
        .context("RUTTER_OUT is not set: it names the folder for the outputs")
}

/// Tells how far the program is. Progress is a courtesy: when it cannot be written, the work goes on.
#[derive(Debug, Default)]
pub struct Progress {
    file: Option<File>,
    last: Option<u8>,
}

impl Progress {
    /// Appends to the file that `RUTTER_PROGRESS` names; tells nobody without it.
    pub fn from_env() -> Self {
        let file = std::env::var_os("RUTTER_PROGRESS")
            .and_then(|path| OpenOptions::new().append(true).create(true).open(path).ok());
        Self { file, last: None }
    }

    /// Tells nobody.
    pub fn silent() -> Self {
        Self::default()
    }

    /// Reports `percent` (0 to 100) and what is being done, once per percentage.
    pub fn report(&mut self, percent: u8, text: &str) {
        let percent = percent.min(100);
        if self.last == Some(percent) {
            return;
        }
        self.last = Some(percent);
        if let Some(file) = &mut self.file {
            // One write per line, so that a reader never sees half a line.
            drop(file.write_all(format!("{percent} {text}\n").as_bytes()));
        }
    }

    /// Reports the part `done` of `total` of a step that takes the way from `from` to `to` percent.
    pub fn step(&mut self, from: u8, to: u8, done: usize, total: usize, text: &str) {
        let part = done as f64 / total.max(1) as f64;
        self.report((f64::from(from) + f64::from(to - from) * part) as u8, text);
    }
}
