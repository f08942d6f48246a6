//! Walking through a configuration: a part of it, its name, the way to it, and what it says if it says it in a usual way.

use serde_json::Value;

use crate::{
    python,
    remark::Report,
    yaml::{Key, Kind, Node, Place, Scalar},
};

/// A part of the configuration and the way to it.
#[derive(Clone, Debug)]
pub(crate) struct Spot<'a> {
    pub(crate) node: &'a Node,
    /// Where its key stands; of what has none, where it stands itself.
    pub(crate) place: Place,
    /// Its key as text; empty for what has none.
    pub(crate) name: String,
    pub(crate) path: String,
}

impl<'a> Spot<'a> {
    pub(crate) fn top(node: &'a Node) -> Self {
        Self { node, place: node.place, name: String::new(), path: String::new() }
    }

    /// The member of that name, `null` or not.
    pub(crate) fn get(&self, name: &str) -> Option<Spot<'a>> {
        self.node.entry(name).map(|(key, node)| self.member(key, node))
    }

    /// The member of that name, if it says something.
    pub(crate) fn some(&self, name: &str) -> Option<Spot<'a>> {
        self.get(name).filter(|member| !member.node.is_null())
    }

    pub(crate) fn members(&self) -> Vec<Spot<'a>> {
        self.node.members().iter().map(|(key, node)| self.member(key, node)).collect()
    }

    pub(crate) fn items(&self) -> Vec<Spot<'a>> {
        let item = |(at, node): (usize, &'a Node)| Spot {
            node,
            place: node.place,
            name: String::new(),
            path: format!("{}[{at}]", self.path),
        };
        self.node.items().iter().enumerate().map(item).collect()
    }

    pub(crate) fn is_map(&self) -> bool {
        matches!(self.node.kind, Kind::Map(_))
    }

    pub(crate) fn is_list(&self) -> bool {
        matches!(self.node.kind, Kind::List(_))
    }

    pub(crate) fn json(&self) -> Value {
        self.node.to_json()
    }

    fn member(&self, key: &Key, node: &'a Node) -> Spot<'a> {
        let name = python::key_text(key);
        let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
        let path = match (plain, self.path.is_empty()) {
            (true, true) => name.clone(),
            (true, false) => format!("{}.{name}", self.path),
            (false, _) => format!("{}[{name:?}]", self.path),
        };
        Spot { node, place: key.place, name, path }
    }
}

impl Report {
    /// Text, or what Python makes text of. Nothing of what is empty; of lists and maps neither, with a doubt.
    pub(crate) fn text(&mut self, spot: &Spot<'_>) -> Option<String> {
        match &spot.node.kind {
            Kind::Scalar(Scalar::Null) => None,
            Kind::Scalar(_) => Some(python::text(spot.node)).filter(|text| !text.is_empty()),
            _ => {
                self.doubt(spot, format!("should be text, is {}; it is left out", spot.node.describe()));
                None
            }
        }
    }

    /// The text of a member.
    pub(crate) fn text_of(&mut self, spot: &Spot<'_>, name: &str) -> Option<String> {
        spot.get(name).and_then(|member| self.text(&member))
    }

    /// The items of a list; one value where a list is meant is doubtful, but clear.
    pub(crate) fn list<'a>(&mut self, spot: &Spot<'a>) -> Vec<Spot<'a>> {
        match &spot.node.kind {
            Kind::List(_) => spot.items(),
            Kind::Scalar(Scalar::Null) => Vec::new(),
            _ => {
                let what = spot.node.describe();
                self.doubt(spot, format!("should be a list, is {what}; it is taken as a list of one"));
                vec![spot.clone()]
            }
        }
    }

    /// Whether it is a map. What is empty is none; of anything else there is a doubt.
    pub(crate) fn map(&mut self, spot: &Spot<'_>) -> bool {
        if !spot.is_map() && !spot.node.is_null() {
            self.doubt(spot, format!("should be a map, is {}; it is left out", spot.node.describe()));
        }
        spot.is_map()
    }

    /// A whole number of at least 0; text that says one counts.
    pub(crate) fn whole(&mut self, spot: &Spot<'_>) -> Option<u32> {
        let number = match &spot.node.kind {
            Kind::Scalar(Scalar::Null) => return None,
            Kind::Scalar(Scalar::Int(number)) => u32::try_from(*number).ok(),
            Kind::Scalar(Scalar::Text(text)) => text.trim().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.doubt(spot, "should be a whole number from 0; it is left out");
        }
        number
    }

    /// True or false by Python's rules; anything but a boolean is doubtful.
    pub(crate) fn truth(&mut self, spot: &Spot<'_>) -> bool {
        let is_true = spot.node.is_truthy();
        if !matches!(spot.node.kind, Kind::Scalar(Scalar::Bool(_) | Scalar::Null)) {
            let what = if is_true { "true" } else { "false" };
            self.doubt(spot, format!("is {}; Python takes it for {what}", spot.node.describe()));
        }
        is_true
    }
}
