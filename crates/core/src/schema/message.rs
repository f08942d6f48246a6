//! Errors of the validating library in words that say what to change, without whole documents in them.

use jsonschema::{
    ValidationError,
    error::{TypeKind, ValidationErrorKind as Kind},
};
use rutter_types::Fault;
use serde_json::{Value, json};

use super::SchemaError;

/// Characters of a value that are shown.
const RECEIVED_LIMIT: usize = 200;
/// Characters of a value that stand in a sentence.
const INLINE_LIMIT: usize = 60;

/// A fault at the place of an error.
pub(super) fn fault(error: &ValidationError<'_>, base: &str) -> Fault {
    let mut pointer = format!("{base}{}", error.instance_path());
    let mut detail = detail(error);
    if let Kind::Custom { message, .. } = error.kind()
        && let Some((place, text)) = message.split_once('\n')
    {
        pointer.push_str(place);
        detail = text.to_owned();
        let received = error.instance().pointer(place).map(shorten);
        return Fault { pointer, detail, received, allowed: None };
    }
    Fault { pointer, detail, received: Some(shorten(error.instance())), allowed: allowed(error.kind()) }
}

/// Why a schema is none. The library names the place in the schema by either path.
pub(super) fn schema_error(error: &ValidationError<'_>) -> SchemaError {
    let in_schema = error.instance_path().to_string();
    let pointer = if in_schema.is_empty() { error.schema_path().to_string() } else { in_schema };
    let reason = match error.kind() {
        Kind::Referencing(_) => {
            format!(
                "a reference leads nowhere ({error}); nothing is fetched: copy it below `$defs` and write #/$defs/NAME"
            )
        }
        _ => detail(error),
    };
    SchemaError { pointer, reason }
}

/// A value as it is shown: whole when it is short, else the beginning of its JSON.
pub(crate) fn shorten(value: &Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::String(text) => match cut(text, RECEIVED_LIMIT) {
            Some(begin) => Value::String(format!("{begin}…")),
            None => value.clone(),
        },
        Value::Array(_) | Value::Object(_) => {
            let text = beginning(value, RECEIVED_LIMIT * 4);
            match cut(&text, RECEIVED_LIMIT) {
                Some(begin) => Value::String(format!("{begin}…")),
                None => value.clone(),
            }
        }
    }
}

/// One step of a JSON pointer (RFC 6901).
pub(crate) fn escape(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

fn cut(text: &str, limit: usize) -> Option<&str> {
    text.char_indices().nth(limit).map(|(at, _)| &text[..at])
}

/// The first bytes of a value's JSON; a value of a gigabyte is not printed for it.
fn beginning(value: &Value, limit: usize) -> String {
    struct Limited(Vec<u8>, usize);
    impl std::io::Write for Limited {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let room = self.1.saturating_sub(self.0.len());
            if room == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            let taken = bytes.len().min(room);
            self.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut limited = Limited(Vec::new(), limit);
    // Ending early is the purpose.
    let _ = serde_json::to_writer(&mut limited, value);
    String::from_utf8_lossy(&limited.0).into_owned()
}

/// What an error speaks of: the value when it is short.
fn subject(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("this array of {}", items.len()),
        Value::Object(_) => "this object".to_owned(),
        Value::String(text) if text.chars().nth(INLINE_LIMIT).is_some() => "this text".to_owned(),
        _ => value.to_string(),
    }
}

fn detail(error: &ValidationError<'_>) -> String {
    let it = subject(error.instance());
    match error.kind() {
        Kind::Maximum { limit } => format!("{it} is greater than the maximum of {limit}"),
        Kind::Minimum { limit } => format!("{it} is less than the minimum of {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("{it} must be less than {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("{it} must be greater than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("{it} is not a multiple of {multiple_of}"),
        Kind::MaxLength { limit } => format!("is longer than {}", count(*limit, "character", "characters")),
        Kind::MinLength { limit } => format!("is shorter than {}", count(*limit, "character", "characters")),
        Kind::MaxItems { limit } => format!("{it} has more than {}", count(*limit, "item", "items")),
        Kind::MinItems { limit } => format!("{it} has fewer than {}", count(*limit, "item", "items")),
        Kind::MaxProperties { limit } => format!("has more than {}", count(*limit, "member", "members")),
        Kind::MinProperties { limit } => format!("has fewer than {}", count(*limit, "member", "members")),
        Kind::Type { kind } => format!("{it} is not {}", type_words(kind)),
        Kind::Enum { options } => {
            let options = subject_list(options);
            format!("{it} is not one of {options}")
        }
        Kind::Constant { expected_value } => format!("{it} is not {}", subject(expected_value)),
        Kind::Pattern { pattern } => format!("{it} does not match the pattern {pattern}"),
        Kind::Format { format } => format!("{it} is no {}", format_words(format)),
        Kind::Required { property } => format!("the member {property} is missing"),
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            format!(
                "has {} that is not allowed: {}",
                plural(unexpected.len(), "a member", "members"),
                names(unexpected)
            )
        }
        Kind::AdditionalItems { limit } => format!("{it} has more than {limit} items"),
        Kind::UniqueItems => format!("{it} holds the same item twice"),
        Kind::Contains => format!("{it} holds none of the items that it must hold"),
        Kind::FalseSchema => "nothing is allowed here".to_owned(),
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => alternatives(&it, context),
        Kind::OneOfMultipleValid { .. } => {
            format!("{it} matches more than one of the alternatives; it must match one")
        }
        Kind::Not { .. } => format!("{it} is what is not allowed here"),
        Kind::PropertyNames { error } => {
            format!("a member has a name that is not allowed: {}", detail(error))
        }
        Kind::BacktrackLimitExceeded { .. } | Kind::RegexEngineFailure { .. } => {
            format!("{it} took too long to compare with the pattern")
        }
        Kind::Custom { message, .. } => message.clone(),
        _ => error.masked().to_string(),
    }
}

/// The alternative that came nearest says what to change.
fn alternatives(it: &str, context: &[Vec<ValidationError<'static>>]) -> String {
    let depth = |errors: &&Vec<ValidationError<'static>>| {
        let deepest = errors.iter().map(|error| error.instance_path().to_string().matches('/').count()).max();
        (deepest, std::cmp::Reverse(errors.len()))
    };
    let nearest = context.iter().filter(|errors| !errors.is_empty()).max_by_key(depth);
    let Some(error) = nearest.and_then(|errors| errors.first()) else {
        return format!("{it} matches none of the alternatives");
    };
    let place = error.instance_path().to_string();
    let at = if place.is_empty() { String::new() } else { format!("at {place}: ") };
    format!(
        "{it} matches none of the {} alternatives; the nearest says: {at}{}",
        context.len(),
        detail(error)
    )
}

fn allowed(kind: &Kind) -> Option<Value> {
    Some(match kind {
        Kind::Maximum { limit } => json!({"maximum": limit}),
        Kind::Minimum { limit } => json!({"minimum": limit}),
        Kind::ExclusiveMaximum { limit } => json!({"exclusiveMaximum": limit}),
        Kind::ExclusiveMinimum { limit } => json!({"exclusiveMinimum": limit}),
        Kind::MultipleOf { multiple_of } => json!({"multipleOf": multiple_of}),
        Kind::MaxLength { limit } => json!({"maxLength": limit}),
        Kind::MinLength { limit } => json!({"minLength": limit}),
        Kind::MaxItems { limit } => json!({"maxItems": limit}),
        Kind::MinItems { limit } => json!({"minItems": limit}),
        Kind::Enum { options } => json!({"enum": options.as_ref()}),
        Kind::Constant { expected_value } => json!({"enum": [expected_value.as_ref()]}),
        Kind::Pattern { pattern } => json!({"pattern": pattern}),
        Kind::Format { format } => json!({"format": format}),
        Kind::Required { property } => json!({"required": [property]}),
        Kind::Type { kind } => json!({"type": type_names(kind)}),
        _ => return None,
    })
}

fn type_names(kind: &TypeKind) -> Value {
    match kind {
        TypeKind::Single(name) => json!(name.to_string()),
        TypeKind::Multiple(names) => names.iter().map(|name| json!(name.to_string())).collect(),
    }
}

fn type_words(kind: &TypeKind) -> String {
    let words = |name: &str| match name {
        "string" => "a text (string)".to_owned(),
        "integer" => "a whole number (integer)".to_owned(),
        "number" => "a number".to_owned(),
        "boolean" => "true or false (boolean)".to_owned(),
        "array" => "an array".to_owned(),
        "object" => "an object".to_owned(),
        other => other.to_owned(),
    };
    match kind {
        TypeKind::Single(name) => words(&name.to_string()),
        TypeKind::Multiple(names) => {
            names.iter().map(|name| words(&name.to_string())).collect::<Vec<_>>().join(" or ")
        }
    }
}

fn format_words(format: &str) -> String {
    match format {
        "date-time" => "date-time of RFC 3339, such as 2026-01-31T12:00:00Z".to_owned(),
        "date" => "date of RFC 3339, such as 2026-01-31".to_owned(),
        "time" => "time of RFC 3339, such as 12:00:00Z".to_owned(),
        "uri" => "absolute URI".to_owned(),
        "byte" => "base64 text".to_owned(),
        "epsg-code" => "EPSG code, such as 4326".to_owned(),
        "regex" => "pattern that is understood here: look-around and back references are not, and its size is limited".to_owned(),
        other => other.to_owned(),
    }
}

fn subject_list(options: &Value) -> String {
    const SHOWN: usize = 12;
    let Some(options) = options.as_array() else { return "the allowed values".to_owned() };
    let shown: Vec<String> = options.iter().take(SHOWN).map(subject).collect();
    let more = if options.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

fn names(unexpected: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = unexpected
        .iter()
        .take(SHOWN)
        .map(|name| format!("{:?}", cut(name, INLINE_LIMIT).unwrap_or(name)))
        .collect();
    shown.join(", ")
}

fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

fn plural(number: usize, one: &'static str, many: &'static str) -> &'static str {
    if number == 1 { one } else { many }
}
