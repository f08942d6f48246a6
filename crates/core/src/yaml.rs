//! The one YAML reader: YAML 1.2 scalars, no duplicate keys, bounded aliases, errors with line and column.

use serde::de::DeserializeOwned;

/// Why a text could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// Line, from 1; 0 when unknown.
    pub line: u64,
    /// Column, from 1; 0 when unknown.
    pub column: u64,
    /// What is wrong, without the place.
    pub message: String,
}

/// Read YAML, of which JSON is a part.
///
/// `no`, `on` and `yes` are text, `0755` and `1_000` too, unknown tags and duplicate keys are refused.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let place = error.location();
        YamlError {
            line: place.map_or(0, |place| place.line()),
            column: place.map_or(0, |place| place.column()),
            message: error.to_string(),
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn scalars_mean_what_they_look_like() {
        let read: Value = from_str("{a: no, b: 0755, c: 1_000, d: true, e: 1.5, f: 2}").unwrap();
        assert_eq!(read, json!({"a": "no", "b": "0755", "c": "1_000", "d": true, "e": 1.5, "f": 2}));
    }

    #[test]
    fn duplicate_keys_and_unknown_tags_are_refused_with_their_line() {
        let error = from_str::<Value>("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!(error.line, 3, "{error}");
        assert!(from_str::<Value>("a: !foo bar").is_err());
    }
}
