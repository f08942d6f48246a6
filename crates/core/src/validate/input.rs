//! One input: how many values it has, and its default.

use rutter_types::Fault;
use serde_json::{Value, json};

use super::{
    Content, Context, DEPTH_LIMIT, ValidInput, ValidValue, binary, command_line, secret, value::Reader,
};
use crate::{
    id::InputId,
    process::{Input, Process},
    schema::shorten,
};

/// The values of an input; `None` = it is optional and absent.
pub(super) fn read(
    process: &Process,
    id: &InputId,
    input: &Input,
    given: Option<&Value>,
    context: &Context<'_>,
) -> Result<Option<ValidInput>, Vec<Fault>> {
    let pointer = format!("/inputs/{id}");
    let Some(given) = given else { return absent(input, pointer) };
    let read = given_values(input, given, &pointer, context);
    let checked = read.and_then(|values| {
        let faults = command_line::faults(process, id, &values);
        if faults.is_empty() { Ok(Some(ValidInput { values })) } else { Err(faults) }
    });
    checked.map_err(|faults| if secret::holds_any(input) { secret::hide(faults) } else { faults })
}

fn given_values(
    input: &Input,
    given: &Value,
    pointer: &str,
    context: &Context<'_>,
) -> Result<Vec<ValidValue>, Vec<Fault>> {
    if input.max_occurs == Some(0) {
        return Err(vec![fault(pointer, "takes no value: remove it".into(), given)]);
    }
    if is_deeper(given, DEPTH_LIMIT) {
        let detail = format!("nests deeper than {DEPTH_LIMIT} arrays and objects");
        return Err(vec![Fault::new(pointer, detail)]);
    }
    let reader = Reader { input, context };
    if input.is_many() { many(&reader, given, pointer) } else { single(&reader, given, pointer) }
}

fn single(reader: &Reader<'_>, given: &Value, pointer: &str) -> Result<Vec<ValidValue>, Vec<Fault>> {
    reader.read(given, pointer).map(|value| vec![value]).map_err(|mut faults| {
        let only = given.as_array().filter(|items| items.len() == 1).and_then(|items| items.first());
        if only.is_some_and(|only| reader.read(only, pointer).is_ok()) {
            faults = vec![fault(pointer, "takes one value: send it without the brackets".into(), given)];
        }
        faults
    })
}

/// Several values travel in an array, also when there is one of them. A bare one is taken when it is right
/// (Part 1, `/req/core/process-execute-input-array`).
fn many(reader: &Reader<'_>, given: &Value, pointer: &str) -> Result<Vec<ValidValue>, Vec<Fault>> {
    let bare = |faults: Vec<Fault>| match reader.read(given, pointer) {
        Ok(value) if reader.input.min_occurs <= 1 => Ok(vec![value]),
        Ok(_) => Err(vec![count_fault(reader.input, 1, given, pointer)]),
        Err(bare) => Err(if faults.is_empty() { bare } else { faults }),
    };
    let Some(items) = given.as_array() else { return bare(Vec::new()) };
    let mut values = Vec::new();
    let mut faults = Vec::new();
    if !counts(reader.input, items.len()) {
        faults.push(count_fault(reader.input, items.len(), given, pointer));
    }
    for (index, item) in items.iter().enumerate() {
        match reader.read(item, &format!("{pointer}/{index}")) {
            Ok(value) => values.push(value),
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() { Ok(values) } else { bare(faults) }
}

fn counts(input: &Input, number: usize) -> bool {
    let number = u64::try_from(number).unwrap_or(u64::MAX);
    number >= u64::from(input.min_occurs) && input.max_occurs.is_none_or(|most| number <= u64::from(most))
}

fn count_fault(input: &Input, number: usize, given: &Value, pointer: &str) -> Fault {
    let values = |number: u64| if number == 1 { "1 value".to_owned() } else { format!("{number} values") };
    let wanted = match (input.min_occurs, input.max_occurs) {
        (least, None) => format!("at least {}", values(least.into())),
        (0, Some(most)) => format!("at most {}", values(most.into())),
        (least, Some(most)) if least == most => values(least.into()),
        (least, Some(most)) => format!("{least} to {}", values(most.into())),
    };
    Fault {
        allowed: Some(json!({
            "minOccurs": input.min_occurs,
            "maxOccurs": input.max_occurs.map_or(json!("unbounded"), |most| json!(most)),
        })),
        ..fault(pointer, format!("has {}, needs {wanted} in an array", values(number as u64)), given)
    }
}

fn fault(pointer: &str, detail: String, given: &Value) -> Fault {
    Fault { received: Some(shorten(given)), ..Fault::new(pointer, detail) }
}

fn absent(input: &Input, pointer: String) -> Result<Option<ValidInput>, Vec<Fault>> {
    if let Some(default) = &input.default {
        return Ok(Some(ValidInput { values: default_values(input, default, &pointer) }));
    }
    if input.min_occurs == 0 {
        return Ok(None);
    }
    let mut fault = Fault::new(pointer, "is missing, and the process needs it");
    fault.allowed = Some(shorten(&input.description.schema));
    Err(vec![fault])
}

/// Defaults were checked with their package.
fn default_values(input: &Input, default: &Value, pointer: &str) -> Vec<ValidValue> {
    match default.as_array() {
        Some(items) if input.is_many() => {
            let each = |(index, item)| default_value(input, item, format!("{pointer}/{index}"));
            items.iter().enumerate().map(each).collect()
        }
        _ => vec![default_value(input, default, pointer.to_owned())],
    }
}

fn default_value(input: &Input, default: &Value, pointer: String) -> ValidValue {
    if let Some(href) = default_reference(input, default) {
        let is_url = url::Url::parse(href).is_ok();
        let content = if is_url { Content::Url(href.to_owned()) } else { Content::Package(href.to_owned()) };
        let media_type = default.get("type").and_then(Value::as_str).map(ToOwned::to_owned);
        let media_type = media_type.or_else(|| input.schema.media_types().into_iter().next());
        return ValidValue { pointer, media_type, content };
    }
    let branch = input.schema.check(default, None, "").ok();
    let content = match (default.as_str(), branch) {
        (Some(text), Some(branch)) if binary::is_base64(branch, None, None) => binary::clean(text),
        _ => Content::Json(default.clone()),
    };
    ValidValue { pointer, media_type: branch.map(|branch| branch.offered().to_owned()), content }
}

/// `{href: …}` names a file, where the input has files or the object is no value of it.
fn default_reference<'a>(input: &Input, default: &'a Value) -> Option<&'a str> {
    let href = default.get("href")?.as_str()?;
    (input.is_file || !input.schema.accepts(default)).then_some(href)
}

/// Whether a value nests deeper than that. Looks no deeper itself.
pub(super) fn is_deeper(value: &Value, limit: usize) -> bool {
    match value {
        Value::Array(items) => limit == 0 || items.iter().any(|item| is_deeper(item, limit - 1)),
        Value::Object(members) => limit == 0 || members.values().any(|member| is_deeper(member, limit - 1)),
        _ => false,
    }
}
