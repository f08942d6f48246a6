//! Secret inputs: `writeOnly: true` or `format: password` in a schema. Their values are never shown again: not in the
//! kept request, not in a fault.

use std::collections::HashSet;

use rutter_types::Fault;
use serde_json::Value;

use super::DEPTH_LIMIT;
use crate::{
    process::{Input, Process, Validation},
    schema::{applied, follow},
};

/// What stands in place of a secret.
const MASK: &str = "***";
/// Alternatives followed into each other.
const DEPTH: usize = 8;
/// Schemas compared with parts of one input's value. A value that needs more is masked whole.
const STEPS: usize = 100_000;

/// The request as it is kept with the job: secrets masked, all else as received.
pub fn mask(process: &Process, request: &Value) -> Value {
    let mut kept = request.clone();
    if process.validation == Validation::Lenient
        && let Some(inputs) = kept.get_mut("inputs")
    {
        mask_by_name(inputs, DEPTH_LIMIT);
    }
    if let Some(inputs) = kept.get_mut("inputs").and_then(Value::as_object_mut) {
        for (id, input) in &process.inputs {
            if let Some(value) = inputs.get_mut(id.as_str()).filter(|_| holds_any(input)) {
                mask_input(input, value);
            }
        }
    }
    kept
}

/// The same for inputs that were never compared with a description.
pub fn mask_inputs(inputs: &mut Value) {
    mask_by_name(inputs, DEPTH_LIMIT);
}

/// Where descriptions say nothing of secrets, names do.
fn mask_by_name(value: &mut Value, depth: usize) {
    const SECRETS: [&str; 4] = ["secret", "key", "password", "token"];
    let Some(deeper) = depth.checked_sub(1) else {
        *value = MASK.into();
        return;
    };
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.to_lowercase();
                if SECRETS.iter().any(|secret| name.contains(secret)) {
                    *member = MASK.into();
                } else {
                    mask_by_name(member, deeper);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask_by_name(item, deeper)),
        _ => {}
    }
}

/// Whether any part of an input's values is secret.
pub(super) fn holds_any(input: &Input) -> bool {
    let root = &input.description.schema;
    contains(root, root, &mut HashSet::new())
}

/// The same faults without anything of the values.
pub(super) fn hide(faults: Vec<Fault>) -> Vec<Fault> {
    let hide = |fault: Fault| Fault {
        detail: "is not what the schema of this input allows; nothing of it is shown, as it may be secret"
            .into(),
        received: None,
        ..fault
    };
    faults.into_iter().map(hide).collect()
}

fn mask_input(input: &Input, value: &mut Value) {
    let root = &input.description.schema;
    let mut masking = Masking { root, steps: STEPS };
    match value {
        _ if is_secret(root, root, DEPTH) => masking.steps = 0,
        Value::Array(items) if input.is_many() => items.iter_mut().for_each(|item| masking.wrapped(item)),
        _ => {}
    }
    masking.wrapped(value);
    if masking.steps == 0 {
        *value = MASK.into();
    }
}

/// Masks parts of a value.
struct Masking<'a> {
    root: &'a Value,
    steps: usize,
}

impl Masking<'_> {
    /// A value may stand in a wrapper, in which case both readings are masked.
    fn wrapped(&mut self, value: &mut Value) {
        if let Some(inner) = value.as_object_mut().and_then(|members| members.get_mut("value")) {
            self.inside(self.root, inner);
        }
        self.inside(self.root, value);
    }

    fn inside(&mut self, schema: &Value, value: &mut Value) {
        let Some(left) = self.steps.checked_sub(1) else { return };
        self.steps = left;
        let schema = follow(self.root, schema);
        if is_secret(self.root, schema, 0) {
            *value = MASK.into();
            return;
        }
        for inner in applied(schema) {
            self.inside(inner, value);
        }
        match value {
            Value::Array(items) => {
                let prefix =
                    schema.get("prefixItems").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                for (index, item) in items.iter_mut().enumerate() {
                    if let Some(inner) = prefix.get(index).or_else(|| schema.get("items")) {
                        self.inside(inner, item);
                    }
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    for inner in of_member(schema, name) {
                        self.inside(inner, member);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Schemas of a member. Patterns are not compared: a member too many is masked rather than one too few.
fn of_member<'a>(schema: &'a Value, name: &str) -> Vec<&'a Value> {
    let by_name = schema.get("properties").and_then(|properties| properties.get(name));
    let patterns = schema.get("patternProperties").and_then(Value::as_object).into_iter();
    let others = schema.get("additionalProperties").filter(|_| by_name.is_none());
    by_name.into_iter().chain(patterns.flat_map(|named| named.values())).chain(others).collect()
}

fn is_secret(root: &Value, schema: &Value, depth: usize) -> bool {
    let schema = follow(root, schema);
    let marked = schema.get("writeOnly") == Some(&Value::Bool(true))
        || schema.get("format").is_some_and(|format| format == "password");
    marked || depth > 0 && applied(schema).any(|inner| is_secret(root, inner, depth - 1))
}

fn contains<'a>(root: &'a Value, schema: &'a Value, seen: &mut HashSet<*const Value>) -> bool {
    let schema = follow(root, schema);
    if !seen.insert(schema) {
        return false;
    }
    if is_secret(root, schema, 0) {
        return true;
    }
    let named =
        ["properties", "patternProperties"].into_iter().filter_map(|word| schema.get(word)?.as_object());
    let inside = ["items", "additionalProperties"].into_iter().filter_map(|word| schema.get(word));
    let prefix = schema.get("prefixItems").and_then(Value::as_array).into_iter().flatten();
    let mut all =
        applied(schema).chain(named.flat_map(|members| members.values())).chain(inside).chain(prefix);
    all.any(|inner| contains(root, inner, seen))
}
