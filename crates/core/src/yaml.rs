//! The one YAML reader: YAML 1.2 scalars, no duplicate keys, bounded aliases, errors with line and column.

use serde::de::DeserializeOwned;
use serde_saphyr::{DuplicateKeyPolicy, MessageFormatter, UserMessageFormatter};

pub use serde_saphyr::Spanned;

/// Greatest length of a text in bytes: what a person writes is a thousandth of it.
pub const TEXT_LIMIT: usize = 4 * 1024 * 1024;

/// Greatest depth of nesting.
pub const DEPTH_LIMIT: usize = 64;

/// Why a text could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// Line, from 1; 0 when unknown.
    pub line: u64,
    /// Column in characters, from 1; 0 when unknown.
    pub column: u64,
    /// What is wrong, without the place.
    pub message: String,
}

/// Read YAML, of which JSON is a part.
///
/// `no`, `on` and `yes` are text, `0755` and `1_000` too, unknown tags and duplicate keys are refused, and so is what
/// is longer than [`TEXT_LIMIT`], nested deeper than [`DEPTH_LIMIT`], or grows out of all proportion through aliases.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    read(text, DuplicateKeyPolicy::Error)
}

/// The same for a type that keeps every member, so that it can tell of all duplicate keys at once: here they are no error.
pub(crate) fn from_str_with_doubles<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    read(text, DuplicateKeyPolicy::PassThrough)
}

fn read<T: DeserializeOwned>(text: &str, duplicate_keys: DuplicateKeyPolicy) -> Result<T, YamlError> {
    refuse_hostile(text)?;
    let options = serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        duplicate_keys: duplicate_keys,
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_LIMIT,
            flow_nesting_limit: DEPTH_LIMIT,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 100_000,
        },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let place = error.location();
        let bare = error.without_snippet();
        let error = YamlError {
            line: place.map_or(0, |place| place.line()),
            column: place.map_or(0, |place| place.column()),
            message: UserMessageFormatter.format_message(bare).into_owned(),
        };
        tab_near(text, error.line).unwrap_or(error)
    })
}

/// YAML is indented by spaces only; a parser that meets a tab complains of something else, there or a line before or after.
fn tab_near(text: &str, line: u64) -> Option<YamlError> {
    if text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let lines = (1..=line + 1).zip(text.lines()).skip(usize::try_from(line.saturating_sub(2)).ok()?);
    for (number, text) in lines {
        let indent = text.chars().take_while(|c| matches!(c, ' ' | '\t'));
        if let Some(at) = indent.into_iter().position(|c| c == '\t') {
            let message = "is indented by a tab: write spaces, YAML takes no tabs there".to_owned();
            return Some(YamlError { line: number, column: at as u64 + 1, message });
        }
    }
    None
}

/// What no parser should see: a text too long, and control characters, which a terminal or a log would obey.
fn refuse_hostile(text: &str) -> Result<(), YamlError> {
    if text.len() > TEXT_LIMIT {
        let message = format!("the text has {} bytes, {TEXT_LIMIT} are allowed", text.len());
        return Err(YamlError { line: 0, column: 0, message });
    }
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{85}');
    for (at, line) in text.lines().enumerate() {
        if let Some((column, c)) = line.chars().enumerate().find(|&(_, c)| control(c)) {
            let message =
                format!("has the control character U+{:04X}: this is not a text file", u32::from(c));
            return Err(YamlError { line: at as u64 + 1, column: column as u64 + 1, message });
        }
    }
    Ok(())
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
    fn json_is_read_as_it_is() {
        let text = "{\n\t\"a\": [1, 2.5e3, -0, true, null],\n\t\"b\\/\": \"\\u00e9\\ud83d\\ude00\\n\",\"c\":{\"d\":\"\"}}";
        let read: Value = from_str(text).unwrap();
        assert_eq!(read, json!({"a": [1, 2500.0, 0, true, null], "b/": "é😀\n", "c": {"d": ""}}));
    }

    #[test]
    fn duplicate_keys_and_unknown_tags_are_refused_with_their_line() {
        let error = from_str::<Value>("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!((error.line, error.column), (3, 1), "{error}");
        assert!(!error.message.contains("line 3"), "the place stands in its own members: {error}");
        assert!(from_str::<Value>("a: !foo bar").is_err());
    }

    #[test]
    fn a_tab_is_called_a_tab() {
        for (text, line, column) in
            [("a:\n\tb: 1\n", 2, 1), ("a:\n  b: 1\n\tc: 2\n", 3, 1), ("a:\n  \tb: 1\n  c: 2\n", 2, 3)]
        {
            let error = from_str::<Value>(text).unwrap_err();
            assert_eq!((error.line, error.column), (line, column), "{text:?}: {error}");
            assert!(error.message.contains("tab"), "{text:?}: {error}");
        }
        assert_eq!(from_str::<Value>("{\n\t\"a\": 1\n}").unwrap(), json!({"a": 1}), "JSON may have tabs");
        let double = from_str::<Value>("{\n\t\"a\": 1,\n\t\"a\": 2\n}").unwrap_err();
        assert!(!double.message.contains("tab"), "{double}");
    }

    #[test]
    fn hostile_texts_are_refused_quickly() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let list = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{list}]\n"));
        }
        let deep = "[".repeat(5_000);
        let deep_block: String = (0..500).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        let long = "a".repeat(TEXT_LIMIT + 1);
        for text in [&bomb, &deep, &deep_block, &long, "a: \u{0}", "a: 1\n--- \nb: 2\n", "\u{1b}[2J"] {
            assert!(from_str::<Value>(text).is_err(), "{:?}", &text[..text.len().min(40)]);
        }
    }
}
