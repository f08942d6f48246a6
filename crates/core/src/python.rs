//! Values as Python writes them.
//!
//! Images made for pygeoapi's Kubernetes managers read their inputs from an environment variable that was written by
//! `json.dumps`; they split it, compare it and log it, so it has to be the same text.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// The value as `json.dumps` of Python writes it: `, ` and `: ` between things, everything but ASCII escaped.
///
/// ```
/// let inputs = serde_json::json!({"start": "Kiel", "speed": 6.50, "event": "Ü"});
/// assert_eq!(rutter_core::python::json_dumps(&inputs), r#"{"start": "Kiel", "speed": 6.5, "event": "\u00dc"}"#);
/// ```
pub fn json_dumps(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value);
    out
}

/// A floating-point number as `repr` and `str` of Python write it: `2.5`, `300.0`, `1e+16`, `1e-05`, `inf`, `nan`.
pub fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    // Rust has the same shortest digits; what differs is when they get an exponent, and how it is written.
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = number.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&json_number(number)),
        Value::String(text) => write_text(out, text),
        Value::Array(items) => write_list(out, ('[', ']'), items, write_value),
        Value::Object(members) => write_list(out, ('{', '}'), members, |out, (name, member)| {
            write_text(out, name);
            out.push_str(": ");
            write_value(out, member);
        }),
    }
}

fn write_list<T>(
    out: &mut String,
    (open, close): (char, char),
    items: impl IntoIterator<Item = T>,
    write: impl Fn(&mut String, T),
) {
    out.push(open);
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        write(out, item);
    }
    out.push(close);
}

fn json_number(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() => float(value),
        _ => number.to_string(),
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a text does not fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn worked_examples_agree() {
        let route: Value = serde_json::from_str(
            r#"{"start":"Kiel","wrt_speed":6.50,"area":{"type":"Point","coordinates":[1,2]},"api_key":"s3cr3t"}"#,
        )
        .unwrap();
        assert_eq!(
            json_dumps(&route),
            r#"{"start": "Kiel", "wrt_speed": 6.5, "area": {"type": "Point", "coordinates": [1, 2]}, "api_key": "s3cr3t"}"#
        );
        let flood = json!({"token": "t0k", "event": "Überflutung"});
        assert_eq!(json_dumps(&flood), r#"{"token": "t0k", "event": "\u00dcberflutung"}"#);
    }

    #[test]
    fn numbers_are_those_of_python() {
        for (written, wanted) in [
            ("2.50", "2.5"),
            ("3e2", "300.0"),
            ("1e15", "1000000000000000.0"),
            ("1e16", "1e+16"),
            ("123456789012345680", "123456789012345680"),
            ("1.2345e22", "1.2345e+22"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("1.5e-7", "1.5e-07"),
            ("1e100", "1e+100"),
            ("-0.0", "-0.0"),
            ("5e-324", "5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("18446744073709551615", "18446744073709551615"),
            ("-3", "-3"),
        ] {
            let value: Value = serde_json::from_str(written).unwrap();
            assert_eq!(json_dumps(&value), wanted, "{written}");
        }
        assert_eq!(float(f64::NAN), "nan");
        assert_eq!(float(f64::NEG_INFINITY), "-inf");
    }

    #[test]
    fn texts_are_ascii() {
        let text = "\"\\/\u{8}\u{c}\n\r\t\u{0}\u{1f}\u{7f} é😀";
        let wanted = r#""\"\\/\b\f\n\r\t\u0000\u001f\u007f \u00e9\ud83d\ude00""#;
        assert_eq!(json_dumps(&json!(text)), wanted);
    }

    #[test]
    fn collections_have_blanks_and_keep_their_order() {
        let value = json!({"b": [], "a": {}, "c": [null, true, false, {"x": [1, 2]}]});
        assert_eq!(json_dumps(&value), r#"{"b": [], "a": {}, "c": [null, true, false, {"x": [1, 2]}]}"#);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(number in any::<f64>(), text in ".*") {
            prop_assume!(number.is_finite());
            let value = json!({text: [number]});
            let written = json_dumps(&value);
            prop_assert!(written.is_ascii());
            prop_assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
        }
    }
}
