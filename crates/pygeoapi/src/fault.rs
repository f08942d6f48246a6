//! What keeps a configuration from being used at all.

use std::path::Path;

use rutter_core::process::Fault;

use crate::yaml::{Place, YamlError};

/// A fault that concerns no line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FaultText {
    pub(crate) message: String,
    pub(crate) remedy: String,
}

pub(crate) fn of_yaml(file: &Path, error: YamlError) -> Fault {
    at(file, error.place, "", error.message, error.remedy)
}

pub(crate) fn of_file(file: &Path, fault: FaultText) -> Fault {
    at(file, Place::default(), "", fault.message, fault.remedy)
}

pub(crate) fn at(
    file: &Path,
    place: Place,
    path: &str,
    message: impl Into<String>,
    remedy: impl Into<String>,
) -> Fault {
    Fault {
        file: file.to_owned(),
        line: place.line,
        column: place.column,
        path: path.to_owned(),
        message: message.into(),
        remedy: Some(remedy.into()),
    }
}
