//! Values that stand on the command line: what no argument of a program can hold is found before anything runs.

use rutter_types::Fault;
use serde_json::Value;

use super::{Content, ValidValue};
use crate::{
    id::InputId,
    process::{CommandItem, Process, Template, TemplatePart},
};

/// Bytes of a value in an argument. Linux takes 128 KiB per argument, the text around the value included.
const ARGUMENT_LIMIT: usize = 120 * 1024;

/// Faults of an input's values if a command of the process names them.
pub(super) fn faults(process: &Process, id: &InputId, values: &[ValidValue]) -> Vec<Fault> {
    if !is_named(process, id) {
        return Vec::new();
    }
    values.iter().filter_map(fault).collect()
}

fn is_named(process: &Process, id: &InputId) -> bool {
    let names = |part: &TemplatePart| match part {
        TemplatePart::Value(named) | TemplatePart::Joined(named, _) => named == id,
        TemplatePart::Text(_) | TemplatePart::File(..) => false,
    };
    let is_file = process.inputs.get(id).is_some_and(|input| input.is_file);
    let mut items = process.units.iter().flat_map(|unit| unit.command());
    !is_file && items.any(|item| templates(item).iter().any(|Template(parts)| parts.iter().any(names)))
}

/// The arguments of an item.
pub(crate) fn templates(item: &CommandItem) -> &[Template] {
    match item {
        CommandItem::One(template) => std::slice::from_ref(template),
        CommandItem::Together(templates) => templates,
    }
}

fn fault(value: &ValidValue) -> Option<Fault> {
    let Content::Json(json) = &value.content else { return None };
    let has_nul = |value: &Value| value.as_str().is_some_and(|text| text.contains('\0'));
    if has_nul(json) || json.as_array().is_some_and(|items| items.iter().any(has_nul)) {
        let detail = "holds the character U+0000, which no command line can have: remove it";
        return Some(Fault::new(&value.pointer, detail));
    }
    let bytes = match json {
        Value::String(text) => text.len(),
        Value::Array(_) | Value::Object(_) => json.to_string().len(),
        _ => 0,
    };
    (bytes > ARGUMENT_LIMIT).then(|| {
        let detail = format!(
            "has {bytes} bytes, and this process takes it on its command line: {ARGUMENT_LIMIT} are allowed"
        );
        Fault::new(&value.pointer, detail)
    })
}
