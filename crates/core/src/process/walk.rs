//! Walking through a document: each check of a part's shape says what is wrong there and goes on.

use std::path::Path;

use super::{
    finding::{Fault, Finding, Notice},
    located::{Key, Kind, Node, Place},
    suggest,
};

/// Faults of one file that are told; a file with more has one cause for most of them.
const FAULT_LIMIT: usize = 100;

/// A part of the document and the way to it.
#[derive(Clone, Debug)]
pub(super) struct Spot<'a> {
    pub(super) node: &'a Node,
    pub(super) path: String,
}

/// What was found so far.
#[derive(Debug)]
pub(super) struct Report<'a> {
    file: &'a Path,
    pub(super) faults: Vec<Fault>,
    pub(super) notices: Vec<Notice>,
}

impl<'a> Spot<'a> {
    pub(super) fn top(node: &'a Node) -> Self {
        Self { node, path: String::new() }
    }

    /// The member of that name.
    pub(super) fn get(&self, key: &str) -> Option<Spot<'a>> {
        self.node.get(key).map(|node| Spot { node, path: self.member_path(key) })
    }

    /// Every member; none when it is no object.
    pub(super) fn members(&self) -> Vec<(&'a Key, Spot<'a>)> {
        let Kind::Map(members) = &self.node.kind else { return Vec::new() };
        members.iter().map(|(key, node)| (key, Spot { node, path: self.member_path(&key.text) })).collect()
    }

    /// Every item; none when it is no list.
    pub(super) fn items(&self) -> Vec<Spot<'a>> {
        let Kind::List(items) = &self.node.kind else { return Vec::new() };
        let item = |(at, node)| Spot { node, path: format!("{}[{at}]", self.path) };
        items.iter().enumerate().map(item).collect()
    }

    fn member_path(&self, key: &str) -> String {
        let plain =
            !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$'));
        match (plain, self.path.is_empty()) {
            (true, true) => key.to_owned(),
            (true, false) => format!("{}.{key}", self.path),
            (false, _) => format!("{}[{:?}]", self.path, shorten(key)),
        }
    }
}

impl<'a> Report<'a> {
    pub(super) fn new(file: &'a Path) -> Self {
        Self { file, faults: Vec::new(), notices: Vec::new() }
    }

    /// A fault at a part, with what to write instead.
    pub(super) fn fault(&mut self, spot: &Spot<'_>, message: impl Into<String>, remedy: impl Into<String>) {
        self.fault_at(spot.node.place, &spot.path, message, Some(remedy.into()));
    }

    /// A fault at any place.
    pub(super) fn fault_at(
        &mut self,
        at: Place,
        path: &str,
        message: impl Into<String>,
        remedy: Option<String>,
    ) {
        if self.faults.len() < FAULT_LIMIT {
            self.faults.push(Finding::at(self.file, at, path, message.into(), remedy));
        }
    }

    /// A notice at a part.
    pub(super) fn notice(&mut self, spot: &Spot<'_>, message: impl Into<String>, remedy: Option<String>) {
        self.notice_at(spot.node.place, &spot.path, message, remedy);
    }

    /// A notice at any place.
    pub(super) fn notice_at(
        &mut self,
        at: Place,
        path: &str,
        message: impl Into<String>,
        remedy: Option<String>,
    ) {
        if self.notices.len() < FAULT_LIMIT {
            self.notices.push(Finding::at(self.file, at, path, message.into(), remedy));
        }
    }

    /// An object without other members than the known ones. False when it is no object at all.
    pub(super) fn object(&mut self, spot: &Spot<'_>, known: &[&str]) -> bool {
        self.object_but(spot, known, |_| None)
    }

    /// As [`Report::object`]; `why` gives the reason for members that are known to be impossible here.
    pub(super) fn object_but(
        &mut self,
        spot: &Spot<'_>,
        known: &[&str],
        why: impl Fn(&str) -> Option<&'static str>,
    ) -> bool {
        if !self.any_object(spot) {
            return false;
        }
        for (key, member) in spot.members() {
            if known.contains(&key.text.as_str()) {
                continue;
            }
            if let Some(why) = why(&key.text) {
                self.fault_at(key.place, &member.path, why, None);
                continue;
            }
            let message = format!("unknown member {:?}", shorten(&key.text));
            self.fault_at(key.place, &member.path, message, Some(meant(&key.text, known)));
        }
        true
    }

    /// Any object.
    pub(super) fn any_object(&mut self, spot: &Spot<'_>) -> bool {
        let right = matches!(spot.node.kind, Kind::Map(_));
        if !right {
            self.wrong_kind(spot, "an object", "write its members as `name: value`");
        }
        right
    }

    /// A text that is not empty.
    pub(super) fn text<'n>(&mut self, spot: &Spot<'n>) -> Option<&'n str> {
        match &spot.node.kind {
            Kind::Text(text) if text.trim().is_empty() => {
                self.fault(spot, "is empty", "write a text or remove the member");
                None
            }
            Kind::Text(text) => Some(text),
            Kind::Number(_) | Kind::Bool(_) => {
                let value = spot.node.to_value().to_string();
                let message = format!("must be text, is {}", spot.node.describe());
                self.fault(spot, message, format!("write it in quotes: \"{value}\""));
                None
            }
            _ => {
                self.wrong_kind(spot, "text", "write a text");
                None
            }
        }
    }

    /// An optional member that is text.
    pub(super) fn text_of(&mut self, spot: &Spot<'_>, key: &str) -> Option<String> {
        spot.get(key).and_then(|member| self.text(&member)).map(ToOwned::to_owned)
    }

    /// A number.
    pub(super) fn number(&mut self, spot: &Spot<'_>) -> Option<f64> {
        match &spot.node.kind {
            Kind::Number(number) => number.as_f64(),
            _ => {
                self.wrong_kind(spot, "a number", "write a number without quotes and unit");
                None
            }
        }
    }

    /// A whole number of at least 0.
    pub(super) fn whole(&mut self, spot: &Spot<'_>) -> Option<u32> {
        let number = match &spot.node.kind {
            Kind::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
            _ => None,
        };
        if number.is_none() {
            let message = format!("must be a whole number from 0, is {}", show(spot.node));
            self.fault(spot, message, "write it without quotes, sign and decimals");
        }
        number
    }

    /// True or false.
    pub(super) fn boolean(&mut self, spot: &Spot<'_>) -> Option<bool> {
        match spot.node.kind {
            Kind::Bool(it) => Some(it),
            _ => {
                self.wrong_kind(spot, "true or false", "write `true` or `false`");
                None
            }
        }
    }

    /// A list; its items.
    pub(super) fn list<'n>(&mut self, spot: &Spot<'n>) -> Option<Vec<Spot<'n>>> {
        if !matches!(spot.node.kind, Kind::List(_)) {
            self.wrong_kind(spot, "a list", "write it in brackets: [a, b]");
            return None;
        }
        Some(spot.items())
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, spot: &Spot<'_>) -> Vec<String> {
        let items = self.list(spot).unwrap_or_default();
        items.iter().filter_map(|item| self.text(item)).map(ToOwned::to_owned).collect()
    }

    /// One of some words.
    pub(super) fn word<'w>(&mut self, spot: &Spot<'_>, words: &[&'w str]) -> Option<&'w str> {
        let text = self.text(spot)?;
        let found = words.iter().find(|word| **word == text);
        if found.is_none() {
            self.fault(spot, format!("{:?} is not allowed here", shorten(text)), meant(text, words));
        }
        found.copied()
    }

    /// A part that has another kind than it must.
    pub(super) fn wrong_kind(&mut self, spot: &Spot<'_>, wanted: &str, remedy: &str) {
        let message = format!("must be {wanted}, is {}", spot.node.describe());
        self.fault(spot, message, remedy);
    }
}

/// The remedy for a word that is not among the known ones.
pub(super) fn meant(word: &str, known: &[&str]) -> String {
    match suggest::nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("allowed: {}", known.join(", ")),
    }
}

/// A text that fits into a message.
pub(super) fn shorten(text: &str) -> String {
    const LIMIT: usize = 60;
    if text.chars().count() <= LIMIT {
        return text.to_owned();
    }
    text.chars().take(LIMIT - 1).chain(['…']).collect()
}

/// A value that fits into a message.
pub(super) fn show(node: &Node) -> String {
    match &node.kind {
        Kind::List(_) | Kind::Map(_) | Kind::Null => node.describe().to_owned(),
        _ => shorten(&node.to_value().to_string()),
    }
}
