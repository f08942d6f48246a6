//! What a scalar is: by YAML 1.1, as PyYAML resolves it, or by its tag.

use super::{
    Scalar,
    environment::{self, Environment},
    number, time,
};

/// Why a scalar has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ScalarError {
    #[error("the variable {0} is not set and has no default")]
    Unset(String),
    #[error("{0:?} looks like a date, and there is no such day or time")]
    NoTime(String),
    #[error("the number has more digits than Python reads")]
    Digits,
    #[error("{text:?} is no {tag}, which its tag says it is")]
    NotAsTagged { text: String, tag: &'static str },
    #[error("the tag `{0}` is unknown here")]
    Tag(String),
}

impl ScalarError {
    /// What to do about it.
    pub(super) fn remedy(&self) -> String {
        match self {
            Self::Unset(name) => {
                format!("set {name}, or write ${{{name}:-default}}; in quotes it is left as it is")
            }
            Self::NoTime(_) | Self::Digits => "write it in quotes, if it is a text".to_owned(),
            Self::NotAsTagged { .. } | Self::Tag(_) => "remove the tag".to_owned(),
        }
    }
}

/// A plain scalar.
pub(super) fn plain(text: &str, environment: &Environment<'_>) -> Result<Scalar, ScalarError> {
    match by_form(text)? {
        Some(scalar) => Ok(scalar),
        None if environment::is_in(text) => fill(text, environment),
        None => Ok(Scalar::Text(text.to_owned())),
    }
}

/// One whose tag says what it is; `tag` without the prefix of YAML's own.
pub(super) fn tagged(text: &str, tag: &str, environment: &Environment<'_>) -> Result<Scalar, ScalarError> {
    let not = |tag| ScalarError::NotAsTagged { text: shorten(text), tag };
    match tag {
        "str" => Ok(Scalar::Text(text.to_owned())),
        "null" => Ok(Scalar::Null),
        "bool" => boolean(&text.to_lowercase()).map(Scalar::Bool).ok_or_else(|| not("bool")),
        "int" => number::tagged_int(text).ok_or_else(|| not("int")),
        "float" => number::tagged_float(text).map(Scalar::Float).ok_or_else(|| not("float")),
        "timestamp" => time::read(text).flatten().map(Scalar::Time).ok_or_else(|| not("timestamp")),
        "!env" => fill(text, environment),
        _ => Err(ScalarError::Tag(shorten(tag))),
    }
}

fn fill(text: &str, environment: &Environment<'_>) -> Result<Scalar, ScalarError> {
    environment::fill(text, environment).map_err(ScalarError::Unset)
}

/// What it is unless it is a text.
fn by_form(text: &str) -> Result<Option<Scalar>, ScalarError> {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Ok(Some(Scalar::Null));
    }
    if let Some(yes) = boolean(text) {
        return Ok(Some(Scalar::Bool(yes)));
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return Ok(None);
    }
    if let Some(number) = number::float(text) {
        return Ok(Some(Scalar::Float(number)));
    }
    if let Some(number) = number::int(text) {
        return number.map(Some).ok_or(ScalarError::Digits);
    }
    match time::read(text) {
        Some(time) => {
            time.map(|time| Some(Scalar::Time(time))).ok_or_else(|| ScalarError::NoTime(shorten(text)))
        }
        None => Ok(None),
    }
}

/// In one of three spellings: lower case, upper case, the first letter large.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

pub(super) fn shorten(text: &str) -> String {
    const LIMIT: usize = 60;
    if text.chars().count() <= LIMIT {
        return text.to_owned();
    }
    text.chars().take(LIMIT - 1).chain(['…']).collect()
}
