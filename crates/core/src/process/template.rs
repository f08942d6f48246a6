//! Arguments with references to inputs: `$(inputs.level)`, `$(inputs.dem.path)`. `$(package)` is the package's folder.
//! `$$(` stands for the text `$(`, as in Kubernetes: a backslash would mean two things in YAML.

use std::path::Path;

use indexmap::IndexMap;
use rutter_types::agent::FileField;

use super::{Input, Template, TemplatePart, suggest};
use crate::id::InputId;

/// Why an argument can't be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    #[error("`$(` has no closing parenthesis")]
    Open,
    #[error("`$({0})` names no input")]
    Unknown(String),
    #[error("there is no input {name:?}")]
    NoInput { name: String, near: Option<String> },
    #[error("{field:?} is nothing that a file has")]
    NoField { input: InputId, field: String },
    #[error("`$(package)` is a folder that this unit has not")]
    NoPackage,
    #[error("`$(self)` has a meaning in `bindings.inputBindings` only")]
    NoSelf,
}

impl TemplateError {
    /// What to write instead.
    pub(super) fn remedy(&self) -> String {
        match self {
            Self::Open => "close it, or write $$( for the text itself".to_owned(),
            Self::Unknown(_) => {
                "write $(inputs.NAME); commands are given to no shell; $$( stands for the text $(".to_owned()
            }
            Self::NoInput { near: Some(near), .. } => format!("did you mean {near:?}?"),
            Self::NoInput { near: None, .. } => "declare it below `inputs`".to_owned(),
            Self::NoField { input, .. } => {
                format!("write $(inputs.{input}.path), or .basename, .nameroot, .nameext")
            }
            Self::NoPackage => {
                "only commands of this machine have it; put the file into the image and write its path there, or make \
                 it an input with `default: {href: …}`"
                    .to_owned()
            }
            Self::NoSelf => "write $(inputs.NAME)".to_owned(),
        }
    }
}

/// What references may name.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) inputs: &'a IndexMap<InputId, Input>,
    /// The input that `$(self)` means.
    pub(super) own: Option<&'a InputId>,
    /// The folder that `$(package)` means.
    pub(super) folder: Option<&'a Path>,
}

/// Reads one argument.
pub(super) fn parse(text: &str, names: Names<'_>) -> Result<Template, TemplateError> {
    let mut parts = Parts::default();
    let mut rest = text;
    while let Some(at) = rest.find("$(") {
        if rest[..at].ends_with('$') {
            parts.text(&rest[..at - 1]);
            parts.text("$(");
            rest = &rest[at + 2..];
            continue;
        }
        parts.text(&rest[..at]);
        let after = &rest[at + 2..];
        let end = after.find(')').ok_or(TemplateError::Open)?;
        match after[..end].trim() {
            "package" => parts.text(&package(names.folder)?),
            inner => parts.0.push(reference(inner, names)?),
        }
        rest = &after[end + 1..];
    }
    parts.text(rest);
    Ok(Template(parts.0))
}

/// Parts where neighbouring texts are one.
#[derive(Default)]
struct Parts(Vec<TemplatePart>);

impl Parts {
    fn text(&mut self, text: &str) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(TemplatePart::Text(before)) => before.push_str(text),
            _ => self.0.push(TemplatePart::Text(text.to_owned())),
        }
    }
}

fn package(folder: Option<&Path>) -> Result<String, TemplateError> {
    let absolute = folder.and_then(|folder| std::path::absolute(folder).ok());
    absolute.and_then(|folder| folder.to_str().map(ToOwned::to_owned)).ok_or(TemplateError::NoPackage)
}

fn reference(inner: &str, names: Names<'_>) -> Result<TemplatePart, TemplateError> {
    let Names { inputs, own, .. } = names;
    if inner == "self" || inner.starts_with("self.") {
        let own = own.ok_or(TemplateError::NoSelf)?;
        return match inner.strip_prefix("self.") {
            Some(field) => file(own, field),
            None => Ok(TemplatePart::Value(own.clone())),
        };
    }
    let Some(name) = inner.strip_prefix("inputs.") else {
        return Err(TemplateError::Unknown(super::walk::shorten(inner)));
    };
    // Names of inputs may have dots themselves: the whole name comes first.
    if let Some((id, _)) = inputs.get_key_value(name) {
        return Ok(TemplatePart::Value(id.clone()));
    }
    if let Some((name, field)) = name.rsplit_once('.')
        && let Some((id, _)) = inputs.get_key_value(name)
    {
        return file(id, field);
    }
    let wanted = name.split('.').next().unwrap_or(name);
    let near = suggest::nearest(wanted, inputs.keys().map(InputId::as_str)).map(ToOwned::to_owned);
    Err(TemplateError::NoInput { name: super::walk::shorten(wanted), near })
}

/// Any value can be had as a file: one that is none is written to one.
fn file(id: &InputId, field: &str) -> Result<TemplatePart, TemplateError> {
    let known = match field {
        "path" => FileField::Path,
        "basename" => FileField::Basename,
        "nameroot" => FileField::Nameroot,
        "nameext" => FileField::Nameext,
        _ => return Err(TemplateError::NoField { input: id.clone(), field: super::walk::shorten(field) }),
    };
    Ok(TemplatePart::File(id.clone(), known))
}
