//! YAML as pygeoapi reads it: PyYAML's SafeLoader, so YAML 1.1, and variables of the environment in plain scalars.
//!
//! The rest of this server reads YAML 1.2 strictly. Here `yes` is true, `010` is eight, `12:30` is 750 and the last of two
//! equal keys counts, because that is what the people who wrote these files have been living with.

mod compose;
mod environment;
mod node;
mod number;
mod scalar;
mod time;

use rutter_core::yaml::{DEPTH_LIMIT, TEXT_LIMIT};

pub use environment::Environment;
pub use node::{Key, Kind, Node, Place, Scalar};
pub use time::Time;

/// What helps against most faults of a YAML file.
const REMEDY: &str = "the file must be YAML as pygeoapi reads it";

/// Why a text could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// Where.
    pub place: Place,
    /// What is wrong, without the place.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// A key that stands twice in one map; the last one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Double {
    /// Where it stands again.
    pub place: Place,
    /// The key.
    pub key: String,
    /// Where it stood before.
    pub first: Place,
}

/// What a text says.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The tree.
    pub root: Node,
    /// Keys that stand twice.
    pub doubles: Vec<Double>,
}

/// Reads a text.
///
/// # Errors
/// It is no YAML, or is hostile: too long, nested too deeply, blown up by aliases, several documents, or binary.
pub fn read(text: &str, environment: &Environment<'_>) -> Result<Document, YamlError> {
    refuse_hostile(text)?;
    let mut composer = compose::Composer::new(text, environment);
    let root = composer.document()?;
    Ok(Document { root, doubles: composer.doubles })
}

/// What no parser should see.
fn refuse_hostile(text: &str) -> Result<(), YamlError> {
    if text.len() > TEXT_LIMIT {
        let message = format!("the file has {} bytes, {TEXT_LIMIT} are allowed", text.len());
        let remedy = "put data into files of their own".to_owned();
        return Err(YamlError { place: Place::default(), message, remedy });
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (at, line) in text.split('\n').enumerate() {
        if let Some((column, c)) = line.chars().enumerate().find(|&(_, c)| !is_printable(c)) {
            let message = format!("has the character U+{:04X}: this is not a text file", u32::from(c));
            let place = Place { line: at as u64 + 1, column: column as u64 + 1 };
            return Err(YamlError { place, message, remedy: "save it as text in UTF-8".to_owned() });
        }
    }
    Ok(())
}

/// Characters that PyYAML lets pass.
fn is_printable(c: char) -> bool {
    matches!(c, '\t' | '\r' | '\n' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        || c >= '\u{10000}'
}

#[cfg(test)]
mod tests;
