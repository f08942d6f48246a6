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
            Becomes::Value => {
                let value = read(&written.path, written.size, written.media_type.as_deref())?;
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

/// JSON when the source says so or the bytes are; text otherwise.
fn read(path: &Path, size: u64, media_type: Option<&str>) -> Result<Value, ItemError> {
    if size > LARGEST_VALUE {
        return Err(ItemError::ValueTooLarge(LARGEST_VALUE));
    }
    let bytes = std::fs::read(path)?;
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
    String::from_utf8(bytes).map(Value::String).map_err(|_| ItemError::NotText)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_or_text() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let of = |bytes: &[u8], media_type| {
            std::fs::write(file.path(), bytes).unwrap();
            read(file.path(), bytes.len() as u64, media_type)
        };
        assert_eq!(of(b"{\"a\": 1}", Some("application/geo+json; charset=utf-8")).unwrap(), json!({"a": 1}));
        assert_eq!(of(b"[1]", None).unwrap(), json!([1]));
        assert_eq!(of(b"<x/>", Some("text/xml")).unwrap(), json!("<x/>"));
        assert_eq!(of(b"5", Some("text/csv")).unwrap(), json!("5"));
        assert!(matches!(of(b"{", Some("application/json")), Err(ItemError::NotJson(_))));
        assert!(matches!(of(b"\xff", None), Err(ItemError::NotText)));
    }
}
