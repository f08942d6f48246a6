//! A document that still knows where each of its parts stands, so that every fault can name its line and column.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Number, Value};

use crate::yaml::Spanned;

/// A place in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// From 1; 0 when unknown.
    pub(super) line: u64,
    /// In characters, from 1; 0 when unknown.
    pub(super) column: u64,
}

/// A part of a document. What an alias names stands where the alias is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) kind: Kind,
}

/// What a part is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// Name of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) place: Place,
    pub(super) text: String,
}

impl Node {
    /// The member of that name.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Map(members) => members.iter().find(|(name, _)| name.text == key).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The node that a JSON pointer names, or the last one on its way.
    pub(super) fn nearest(&self, pointer: &str) -> &Node {
        let mut node = self;
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            let next = match &node.kind {
                Kind::List(items) => step.parse::<usize>().ok().and_then(|at| items.get(at)),
                _ => node.get(&step),
            };
            let Some(next) = next else { break };
            node = next;
        }
        node
    }

    /// Without places.
    pub(super) fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(it) => Value::Bool(*it),
            Kind::Number(it) => Value::Number(it.clone()),
            Kind::Text(it) => Value::String(it.clone()),
            Kind::List(items) => items.iter().map(Node::to_value).collect(),
            Kind::Map(members) => {
                members.iter().map(|(key, node)| (key.text.clone(), node.to_value())).collect()
            }
        }
    }

    /// What it is, in a reader's words.
    pub(super) fn describe(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "empty",
            Kind::Bool(_) => "true or false",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "an object",
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Spanned::<Kind>::deserialize(deserializer)?;
        let place = Place { line: read.referenced.line(), column: read.referenced.column() };
        Ok(Self { place, kind: read.value })
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Spanned::<String>::deserialize(deserializer)?;
        let place = Place { line: read.referenced.line(), column: read.referenced.column() };
        Ok(Self { place, text: read.value })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what JSON can say")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        Kind::deserialize(deserializer)
    }

    fn visit_bool<E>(self, it: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(it))
    }

    fn visit_i64<E>(self, it: i64) -> Result<Kind, E> {
        Ok(Kind::Number(it.into()))
    }

    fn visit_u64<E>(self, it: u64) -> Result<Kind, E> {
        Ok(Kind::Number(it.into()))
    }

    fn visit_f64<E: de::Error>(self, it: f64) -> Result<Kind, E> {
        let number =
            Number::from_f64(it).ok_or_else(|| E::custom(format_args!("{it} is not a number in JSON")))?;
        Ok(Kind::Number(number))
    }

    fn visit_str<E>(self, it: &str) -> Result<Kind, E> {
        Ok(Kind::Text(it.to_owned()))
    }

    fn visit_string<E>(self, it: String) -> Result<Kind, E> {
        Ok(Kind::Text(it))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Kind::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Kind, A::Error> {
        let mut map = Vec::new();
        while let Some(member) = members.next_entry()? {
            map.push(member);
        }
        Ok(Kind::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::yaml;

    #[test]
    fn every_part_knows_its_place() {
        let node: Node = yaml::from_str("a: 1\nb:\n  - x\n  - {c: true, \"d\": null}\n").unwrap();
        assert_eq!(node.to_value(), json!({"a": 1, "b": ["x", {"c": true, "d": null}]}));
        assert_eq!(node.nearest("/b/0").place, Place { line: 3, column: 5 });
        assert_eq!(node.nearest("/b/1/c").place, Place { line: 4, column: 9 });
        let Kind::Map(members) = &node.nearest("/b/1").kind else { panic!() };
        assert_eq!(members[1].0.place, Place { line: 4, column: 15 });
    }

    #[test]
    fn aliases_and_merges_stand_where_they_are_used() {
        let node: Node = yaml::from_str("a: &x {p: 1}\nb: *x\nc:\n  <<: *x\n  q: 2\n").unwrap();
        assert_eq!(node.to_value(), json!({"a": {"p": 1}, "b": {"p": 1}, "c": {"p": 1, "q": 2}}));
        assert_eq!(node.nearest("/b").place.line, 2);
    }
}
