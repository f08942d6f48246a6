//! Values as Python's `str()` writes them: 52N's server turns whatever stands below `env` into text that way.

use std::fmt::Write as _;

use rutter_core::python::float;

use crate::yaml::{Key, Kind, Node, Scalar};

/// `str(value)`: `False`, `None`, `0.1`, `[1, 'x']`, `{'a': True}`, `2025-01-01`.
pub fn text(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar(scalar) => scalar_text(scalar),
        _ => repr(node),
    }
}

/// `str(key)`.
pub fn key_text(key: &Key) -> String {
    scalar_text(&key.value)
}

fn scalar_text(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Text(text) => text.clone(),
        Scalar::Time(time) => time.to_string(),
        other => scalar_repr(other),
    }
}

fn repr(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar(scalar) => scalar_repr(scalar),
        Kind::List(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Kind::Map(members) => {
            let member = |(key, node): &(Key, Node)| format!("{}: {}", scalar_repr(&key.value), repr(node));
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
    }
}

fn scalar_repr(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Null => "None".to_owned(),
        Scalar::Bool(true) => "True".to_owned(),
        Scalar::Bool(false) => "False".to_owned(),
        Scalar::Int(number) => number.to_string(),
        Scalar::Large(digits) => digits.clone(),
        Scalar::Float(number) => float(*number),
        Scalar::Text(text) => text_repr(text),
        Scalar::Time(time) => time.repr(),
    }
}

/// In single quotes, unless the text has some and no double ones.
fn text_repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if is_shown(c) => out.push(c),
            c => escape(&mut out, u32::from(c)),
        }
    }
    out.push(quote);
    out
}

fn escape(out: &mut String, code: u32) {
    // Writing to a text does not fail.
    let _ = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// Python escapes what does not show: control and format characters, blanks other than the space, private ones.
fn is_shown(c: char) -> bool {
    let is_format = matches!(c, '\u{ad}' | '\u{600}'..='\u{605}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}');
    let is_private = matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..);
    c == ' ' || !(c.is_control() || c.is_whitespace() || is_format || is_private)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn written(value: &str) -> String {
        text(&yaml::read(value, &|_| None).unwrap().root)
    }

    #[test]
    fn values_are_written_as_python_does() {
        for (value, wanted) in [
            ("no", "False"),
            ("TRUE", "True"),
            ("1024", "1024"),
            ("0.10", "0.1"),
            ("1.0e+3", "1000.0"),
            ("100000000000000000000.0", "1e+20"),
            ("100000000000000000000", "100000000000000000000"),
            ("", "None"),
            ("010", "8"),
            ("12:30", "750"),
            ("text with 'quotes'", "text with 'quotes'"),
            ("[1, x]", "[1, 'x']"),
            ("{a: yes, 1: [2025-01-01, null]}", "{'a': True, 1: [datetime.date(2025, 1, 1), None]}"),
            ("2025-01-01", "2025-01-01"),
            ("2025-01-01T00:00:00Z", "2025-01-01 00:00:00+00:00"),
            ("[]", "[]"),
            ("{}", "{}"),
            (".inf", "inf"),
        ] {
            assert_eq!(written(value), wanted, "{value}");
        }
    }

    #[test]
    fn texts_inside_of_collections_are_quoted() {
        assert_eq!(written(r#"["it's", 'a"b', 'a''b"c']"#), r#"["it's", 'a"b', 'a\'b"c']"#);
        assert_eq!(written(r#"["a\nb\t\\ \u00e9 \u00a0 \u200b 😀"]"#), r"['a\nb\t\\ é \xa0 \u200b 😀']");
        let times = "[2025-01-02 03:04:05, 2025-01-02T03:04:05.5Z, 2025-01-02 03:04:00+05:30, 2025-01-02 03:04:00-01:00]";
        assert_eq!(
            written(times),
            "[datetime.datetime(2025, 1, 2, 3, 4, 5), \
             datetime.datetime(2025, 1, 2, 3, 4, 5, 500000, tzinfo=datetime.timezone.utc), \
             datetime.datetime(2025, 1, 2, 3, 4, tzinfo=datetime.timezone(datetime.timedelta(seconds=19800))), \
             datetime.datetime(2025, 1, 2, 3, 4, tzinfo=datetime.timezone(datetime.timedelta(days=-1, seconds=82800)))]"
        );
    }
}
