//! Arguments with references to inputs: `$(inputs.level)`, `$(inputs.dem.path)`. `$$(` stands for the text `$(`.

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
    #[error("input {0} is not given as a file")]
    NoFile(InputId),
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
            Self::NoFile(input) => {
                format!("write $(inputs.{input}), or give its schema `type: string` and a contentMediaType")
            }
            Self::NoSelf => "write $(inputs.NAME)".to_owned(),
        }
    }
}

/// Reads one argument. `own` is the input that `$(self)` means.
pub(super) fn parse(
    text: &str,
    inputs: &IndexMap<InputId, Input>,
    own: Option<&InputId>,
) -> Result<Template, TemplateError> {
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
        parts.0.push(reference(after[..end].trim(), inputs, own)?);
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

fn reference(
    inner: &str,
    inputs: &IndexMap<InputId, Input>,
    own: Option<&InputId>,
) -> Result<TemplatePart, TemplateError> {
    if inner == "self" || inner.starts_with("self.") {
        let own = own.ok_or(TemplateError::NoSelf)?;
        return match inner.strip_prefix("self.") {
            Some(field) => file(own, field, inputs),
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
        return file(id, field, inputs);
    }
    let wanted = name.split('.').next().unwrap_or(name);
    let near = suggest::nearest(wanted, inputs.keys().map(InputId::as_str)).map(ToOwned::to_owned);
    Err(TemplateError::NoInput { name: super::walk::shorten(wanted), near })
}

fn file(id: &InputId, field: &str, inputs: &IndexMap<InputId, Input>) -> Result<TemplatePart, TemplateError> {
    let known = match field {
        "path" => FileField::Path,
        "basename" => FileField::Basename,
        "nameroot" => FileField::Nameroot,
        "nameext" => FileField::Nameext,
        _ => return Err(TemplateError::NoField { input: id.clone(), field: super::walk::shorten(field) }),
    };
    if !inputs.get(id).is_some_and(|input| input.is_file) {
        return Err(TemplateError::NoFile(id.clone()));
    }
    Ok(TemplatePart::File(id.clone(), known))
}
