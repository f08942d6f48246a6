//! What a value of an output must be: its media type, and whether its bytes satisfy the schema.

use rutter_types::Fault;
use serde_json::Value;

use super::Output;
use crate::schema::essence;

/// What the schema makes of a value's bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// JSON text.
    Json,
    /// Text as it stands.
    Text,
    /// A file whose content the schema does not describe.
    File,
}

fn kind(output: &Output) -> Kind {
    match output.schema.first() {
        Some(branch) if branch.is_file() => Kind::File,
        Some(branch) if branch.is_text() => Kind::Text,
        _ => Kind::Json,
    }
}

/// Whether [`output_faults`] looks into the bytes at all.
pub fn is_checked(output: &Output) -> bool {
    kind(output) != Kind::File
}

/// Faults of an output's bytes; pointers start with `/outputs/<id>`.
pub fn output_faults(output: &Output, id: &str, bytes: &[u8]) -> Vec<Fault> {
    let base = format!("/outputs/{id}");
    let value = match kind(output) {
        Kind::File => return Vec::new(),
        Kind::Text => match std::str::from_utf8(bytes) {
            Ok(text) => Value::String(text.into()),
            Err(_) => return vec![Fault::new(base, "is not UTF-8 text")],
        },
        Kind::Json => match serde_json::from_slice(bytes) {
            Ok(value) => value,
            Err(error) => return vec![Fault::new(base, format!("is not JSON: {error}"))],
        },
    };
    output.schema.faults(&value, &base)
}

/// Media type of a value: the described one that the file's type agrees with, else the file's own where the description
/// leaves it open, else the default of the description.
pub fn media_type_of(output: Option<&Output>, file: Option<&str>) -> String {
    const UNKNOWN: &str = "application/octet-stream";
    let file = file.filter(|media_type| *media_type != UNKNOWN);
    let Some(output) = output else { return file.unwrap_or(UNKNOWN).into() };
    let same = |described: &&String| file.is_some_and(|file| essence(file) == essence(described));
    if let Some(described) = output.media_types.iter().find(same) {
        return described.clone();
    }
    let default = output.media_types.first().map_or(UNKNOWN, String::as_str);
    match kind(output) {
        Kind::File => file.unwrap_or(default).into(),
        Kind::Json => file.filter(|media_type| is_json(media_type)).unwrap_or(default).into(),
        Kind::Text => default.into(),
    }
}

fn is_json(media_type: &str) -> bool {
    let essence = essence(media_type);
    essence == "application/json" || essence.ends_with("+json")
}
