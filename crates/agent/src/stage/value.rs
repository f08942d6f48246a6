//! What stands in the inputs file for a staged input.

use std::path::Path;

use rutter_types::JsonMap;
use rutter_types::agent::{Becomes, StageItem};
use serde_json::Value;

use super::{ItemError, Stager, Written};

/// Largest file that is read as a value, bytes.
const LARGEST_VALUE: u64 = 64 * 1024 * 1024;

impl Stager<'_> {
    /// Fills the item's position; gives the value when it was read from the file.
    pub(super) fn fill(
        &self,
        item: &StageItem,
        written: &Written,
        inputs: &mut JsonMap,
    ) -> Result<Option<Value>, ItemError> {
        match item.becomes {
            Becomes::Nothing => Ok(None),
            Becomes::Path => {
                put(inputs, item, Value::String(written.path.to_string_lossy().into_owned()));
                Ok(None)
            }
            Becomes::Value | Becomes::Text => {
                let bytes = whole(&written.path, written.size)?;
                let value = match item.becomes {
                    Becomes::Text => text(bytes)?,
                    _ => json_or_text(bytes, written.media_type.as_deref())?,
                };
                put(inputs, item, value.clone());
                Ok(Some(value))
            }
        }
    }
}

fn put(inputs: &mut JsonMap, item: &StageItem, value: Value) {
    let Some(index) = item.index else {
        inputs.insert(item.input.clone(), value);
        return;
    };
    let position = inputs.entry(item.input.clone()).or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(values) = position {
        if values.len() <= index {
            values.resize(index + 1, Value::Null);
        }
        values[index] = value;
    }
}

fn whole(path: &Path, size: u64) -> Result<Vec<u8>, ItemError> {
    if size > LARGEST_VALUE {
        return Err(ItemError::ValueTooLarge(LARGEST_VALUE));
    }
    Ok(std::fs::read(path)?)
}

/// JSON when the source says so or the bytes are; text otherwise.
fn json_or_text(bytes: Vec<u8>, media_type: Option<&str>) -> Result<Value, ItemError> {
    let essence =
        media_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let says_json = essence.ends_with("/json") || essence.ends_with("+json");
    let says_text = essence.starts_with("text/") && essence != "text/plain";
    if !says_text {
        match serde_json::from_slice(&bytes) {
            Ok(value) => return Ok(value),
            Err(error) if says_json => return Err(ItemError::NotJson(error)),
            Err(_) => {}
        }
    }
    text(bytes)
}

fn text(bytes: Vec<u8>) -> Result<Value, ItemError> {
    String::from_utf8(bytes).map(Value::String).map_err(|_| ItemError::NotText)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_json_or_text() {
        let of = |bytes: &[u8], media_type| json_or_text(bytes.to_vec(), media_type);
        assert_eq!(of(b"{\"a\": 1}", Some("application/geo+json; charset=utf-8")).unwrap(), json!({"a": 1}));
        assert_eq!(of(b"[1]", None).unwrap(), json!([1]));
        assert_eq!(of(b"<x/>", Some("text/xml")).unwrap(), json!("<x/>"));
        assert_eq!(of(b"5", Some("text/csv")).unwrap(), json!("5"));
        assert!(matches!(of(b"{", Some("application/json")), Err(ItemError::NotJson(_))));
        assert!(matches!(of(b"\xff", None), Err(ItemError::NotText)));
    }
}
