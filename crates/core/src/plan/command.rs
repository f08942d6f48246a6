//! Expands a command: each item becomes no argument, one, or several; never a line for a shell.

use rutter_types::agent::{Arg, FileField, Part};
use serde_json::Value;

use super::stage::Staging;
use crate::{
    id::InputId,
    process::{CommandItem, Process, Template, TemplatePart},
    validate::{Content, Valid, ValidValue, templates},
};

/// The arguments of a command for these inputs.
pub(super) fn expand(
    items: &[CommandItem],
    process: &Process,
    valid: &Valid,
    staging: &mut Staging,
) -> Vec<Arg> {
    let mut expansion = Expansion { process, valid, staging };
    items.iter().flat_map(|item| expansion.item(item)).collect()
}

struct Expansion<'a> {
    process: &'a Process,
    valid: &'a Valid,
    staging: &'a mut Staging,
}

impl Expansion<'_> {
    /// Dropped when it names an input without a value; else repeated for each value of an input of several. (An item
    /// that names two such inputs is refused with its package; here it would take them side by side.)
    fn item(&mut self, item: &CommandItem) -> Vec<Arg> {
        let templates = templates(item);
        let named = || templates.iter().flat_map(Template::inputs);
        if named().any(|id| self.values(id).is_empty()) {
            return Vec::new();
        }
        let repeating = templates.iter().flat_map(|template| &template.0).filter_map(|part| match part {
            TemplatePart::Value(id) | TemplatePart::File(id, _) if self.is_many(id) => {
                Some(self.values(id).len())
            }
            _ => None,
        });
        let times = repeating.min().unwrap_or(1);
        (0..times)
            .flat_map(|round| templates.iter().map(move |template| (round, template)))
            .map(|(round, template)| self.argument(template, round))
            .collect()
    }

    fn argument(&mut self, template: &Template, round: usize) -> Arg {
        let mut parts = Parts::default();
        for part in &template.0 {
            match part {
                TemplatePart::Text(text) => parts.text(text),
                TemplatePart::Value(id) => self.value(id, round, &mut parts),
                TemplatePart::File(id, field) => self.file(id, *field, round, &mut parts),
                TemplatePart::Joined(id, separator) => self.joined(id, separator, &mut parts),
            }
        }
        Arg(parts.0)
    }

    fn value(&self, id: &InputId, round: usize, parts: &mut Parts) {
        let position = self.position(id, round);
        if let Some(value) = self.values(id).get(position.unwrap_or(0)) {
            self.one(id, position, value, parts);
        }
    }

    fn one(&self, id: &InputId, index: Option<usize>, value: &ValidValue, parts: &mut Parts) {
        let is_file = self.process.inputs.get(id).is_some_and(|input| input.is_file);
        match (self.staging.of(id, index), &value.content) {
            (Some(stage), _) if is_file => parts.0.push(Part::File { stage, field: FileField::Path }),
            (_, Content::Json(json)) => parts.text(&text(json)),
            (_, Content::Base64(base64)) => parts.text(base64),
            (Some(stage), _) => parts.0.push(Part::Staged { stage }),
            (None, _) => {}
        }
    }

    fn file(&mut self, id: &InputId, field: FileField, round: usize, parts: &mut Parts) {
        let position = self.position(id, round);
        let value = self.valid.inputs.get(id).and_then(|input| input.values.get(position.unwrap_or(0)));
        if let Some(value) = value {
            let stage = self.staging.file(id, position, value);
            parts.0.push(Part::File { stage, field });
        }
    }

    /// All values with a separator: those of an input of several, or the items of an array.
    fn joined(&self, id: &InputId, separator: &str, parts: &mut Parts) {
        let values = self.values(id);
        let many = self.is_many(id);
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                parts.text(separator);
            }
            match &value.content {
                Content::Json(Value::Array(items)) if !many => {
                    parts.text(&items.iter().map(text).collect::<Vec<_>>().join(separator));
                }
                _ => self.one(id, many.then_some(index), value, parts),
            }
        }
    }

    fn values(&self, id: &InputId) -> &[ValidValue] {
        self.valid.inputs.get(id).map_or(&[], |input| &input.values)
    }

    fn position(&self, id: &InputId, round: usize) -> Option<usize> {
        self.is_many(id).then_some(round)
    }

    fn is_many(&self, id: &InputId) -> bool {
        self.process.inputs.get(id).is_some_and(crate::process::Input::is_many)
    }
}

/// Text as it stands, anything else as compact JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// Parts where neighbouring texts are one.
#[derive(Default)]
struct Parts(Vec<Part>);

impl Parts {
    fn text(&mut self, text: &str) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(Part::Text(before)) => before.push_str(text),
            _ => self.0.push(Part::Text(text.to_owned())),
        }
    }
}
