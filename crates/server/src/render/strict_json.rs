//! JSON bodies, read strictly: a body that two readers could understand differently is refused with the place of the fault.

use std::{cell::RefCell, fmt};

use rutter_types::{Fault, JsonMap};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// Read a body. Refused are invalid UTF-8, syntax errors, members given twice, arrays and objects nested more than `depth`
/// levels, and numbers that could not be kept exactly enough: integers over 64 bits and numbers beyond what a double holds.
pub fn read(body: &[u8], depth: usize) -> Result<Value, Box<Fault>> {
    let fault = |pointer: String, detail: String| Box::new(Fault::new(pointer, detail));
    let text = std::str::from_utf8(body).map_err(|error| {
        fault(String::new(), format!("the body is not UTF-8: byte {} is wrong", error.valid_up_to()))
    })?;
    let path = RefCell::new(Vec::new());
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Node { path: &path, depth: 0, most: depth }.deserialize(&mut reader).and_then(|value| {
        reader.end()?;
        Ok(value)
    });
    let value = read.map_err(|error| fault(path.borrow().concat(), error.to_string()))?;
    match wide_integer(text) {
        Some(number) => Err(fault(
            String::new(),
            format!(
                "the integer {number} does not fit into 64 bits: write it as a string, or with a decimal point if it may be rounded"
            ),
        )),
        None => Ok(value),
    }
}

/// A part of a JSON pointer with its slash.
pub(crate) fn pointer_part(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Reads one value; where it is stays in `path` when it fails.
#[derive(Clone, Copy)]
struct Node<'a> {
    path: &'a RefCell<Vec<String>>,
    depth: usize,
    most: usize,
}

impl Node<'_> {
    fn below<E: de::Error>(self) -> Result<Self, E> {
        if self.depth >= self.most {
            return Err(E::custom(format!("is nested more than {} levels deep", self.most)));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("the number is out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut values = Vec::new();
        loop {
            self.path.borrow_mut().push(format!("/{}", values.len()));
            let value = seq.next_element_seed(below)?;
            self.path.borrow_mut().pop();
            match value {
                Some(value) => values.push(value),
                None => return Ok(Value::Array(values)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut members = JsonMap::new();
        while let Some(name) = map.next_key::<String>()? {
            self.path.borrow_mut().push(pointer_part(&name));
            if members.contains_key(&name) {
                return Err(de::Error::custom("the member is given twice"));
            }
            let value = map.next_value_seed(below)?;
            self.path.borrow_mut().pop();
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

/// The first integer that needs more than 64 bits: the reader would round it without a word.
fn wide_integer(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at + 1),
            b'-' | b'0'..=b'9' => {
                let length = bytes[at..].iter().take_while(|b| b"+-.eE0123456789".contains(b)).count();
                let number = &text[at..at + length];
                let integer = !number.contains(['.', 'e', 'E']);
                if integer
                    && number.len() > 18
                    && number.parse::<i64>().is_err()
                    && number.parse::<u64>().is_err()
                {
                    return Some(number);
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    None
}

fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(body: &str) -> (String, String) {
        let fault = read(body.as_bytes(), 64).unwrap_err();
        (fault.pointer, fault.detail)
    }

    #[test]
    fn good_bodies_are_read_with_their_order() {
        let text = r#"{"inputs":{"b":1,"a":[1.5,-2,"x\"1e999",true,null,{"c":{}}]}}"#;
        assert_eq!(read(text.as_bytes(), 64).unwrap().to_string(), text);
    }

    #[test]
    fn a_member_given_twice_is_named_by_its_pointer() {
        let (pointer, detail) = fault(r#"{"inputs":{"a":[{"x/y":1,"x/y":2}]}}"#);
        assert_eq!(pointer, "/inputs/a/0/x~1y");
        assert!(detail.contains("twice"), "{detail}");
        assert_eq!(fault(r#"{"a":1,"\u0061":2}"#).0, "/a", "escapes are resolved first");
    }

    #[test]
    fn deep_nesting_is_refused_without_deep_recursion() {
        let deep = "[".repeat(1_000_000);
        assert!(fault(&deep).1.contains("64 levels"));
        let allowed = format!("{}{}", "[".repeat(64), "]".repeat(64));
        assert!(read(allowed.as_bytes(), 64).is_ok());
    }

    #[test]
    fn bad_text_and_numbers_are_refused() {
        assert!(read(b"{\"a\":\"\xff\"}", 64).unwrap_err().detail.contains("byte 6"));
        assert!(fault(r#"{"a":1e999}"#).1.contains("out of range"));
        assert_eq!(fault(r#"{"a":1e999}"#).0, "/a");
        assert!(fault(r#"{"a":123456789012345678901}"#).1.contains("64 bits"));
        assert!(read(br#"{"a":18446744073709551615}"#, 64).is_ok());
        for broken in ["", "{", "{\"a\":1}x", "{\"a\":\"\\ud800\"}", "{'a':1}", "NaN", "{\"a\":1,}"] {
            assert!(read(broken.as_bytes(), 64).is_err(), "{broken}");
        }
    }
}
