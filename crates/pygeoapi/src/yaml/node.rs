//! A YAML document as Python sees it, where every part knows its place.

use rutter_core::python;
use serde_json::{Map, Number, Value};

use super::time::Time;

/// Where something stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line, from 1; 0 when it concerns no line.
    pub line: u64,
    /// Column in characters, from 1; 0 when it concerns no line.
    pub column: u64,
}

/// A part of a document. What an alias names stands where the alias is; what stands below it, where it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub kind: Kind,
}

/// What a part is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// One value.
    Scalar(Scalar),
    /// Values in order.
    List(Vec<Node>),
    /// Values by their keys.
    Map(Vec<(Key, Node)>),
}

/// The key of a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Where it stands.
    pub place: Place,
    /// What it is: mostly text, but `on:` is `true` and `10:` is a number.
    pub value: Scalar,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number that needs more than 64 bits, in decimal.
    Large(String),
    /// A number with a point.
    Float(f64),
    /// A text.
    Text(String),
    /// A day, or a day and a time.
    Time(Time),
}

impl Node {
    /// The value of that key, which is a text.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, node)| node)
    }

    /// The same with its key.
    pub fn entry(&self, key: &str) -> Option<(&Key, &Node)> {
        let is_it = |(name, _): &&(Key, Node)| matches!(&name.value, Scalar::Text(text) if text == key);
        self.members().iter().find(is_it).map(|(key, node)| (key, node))
    }

    /// Every member; none when it is no map.
    pub fn members(&self) -> &[(Key, Node)] {
        if let Kind::Map(members) = &self.kind { members } else { &[] }
    }

    /// Every item; none when it is no list.
    pub fn items(&self) -> &[Node] {
        if let Kind::List(items) = &self.kind { items } else { &[] }
    }

    /// The text, when it is one.
    pub fn text(&self) -> Option<&str> {
        if let Kind::Scalar(Scalar::Text(text)) = &self.kind { Some(text) } else { None }
    }

    /// Whether nothing stands there.
    pub fn is_null(&self) -> bool {
        self.kind == Kind::Scalar(Scalar::Null)
    }

    /// What Python's `if` takes it for.
    pub fn is_truthy(&self) -> bool {
        match &self.kind {
            Kind::List(items) => !items.is_empty(),
            Kind::Map(members) => !members.is_empty(),
            Kind::Scalar(Scalar::Null) => false,
            Kind::Scalar(Scalar::Bool(it)) => *it,
            Kind::Scalar(Scalar::Int(it)) => *it != 0,
            Kind::Scalar(Scalar::Float(it)) => *it != 0.0,
            Kind::Scalar(Scalar::Text(it)) => !it.is_empty(),
            Kind::Scalar(Scalar::Large(_) | Scalar::Time(_)) => true,
        }
    }

    /// What it is, in a reader's words.
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
            Kind::Scalar(scalar) => match scalar {
                Scalar::Null => "empty",
                Scalar::Bool(_) => "true or false",
                Scalar::Int(_) | Scalar::Large(_) | Scalar::Float(_) => "a number",
                Scalar::Text(_) => "text",
                Scalar::Time(_) => "a date",
            },
        }
    }

    /// As pygeoapi sends it: dates are text, and so is what JSON has no word for.
    pub fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Scalar(scalar) => scalar.to_json(),
            Kind::List(items) => items.iter().map(Node::to_json).collect(),
            Kind::Map(members) => {
                let member = |(key, node): &(Key, Node)| (key.value.as_json_key(), node.to_json());
                Value::Object(members.iter().map(member).collect::<Map<_, _>>())
            }
        }
    }
}

impl Scalar {
    fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(it) => Value::Bool(*it),
            Self::Int(it) => Value::from(*it),
            Self::Large(digits) => digits.parse::<u64>().map_or_else(
                |_| digits.parse().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number),
                Value::from,
            ),
            Self::Float(it) => {
                Number::from_f64(*it).map_or_else(|| Value::String(python::float(*it)), Value::Number)
            }
            Self::Text(it) => Value::String(it.clone()),
            Self::Time(it) => Value::String(it.iso()),
        }
    }

    /// Keys of JSON are text.
    pub(super) fn as_json_key(&self) -> String {
        match self {
            Self::Text(it) => it.clone(),
            Self::Time(it) => it.to_string(),
            Self::Float(it) => python::float(*it),
            other => other.to_json().to_string(),
        }
    }
}
