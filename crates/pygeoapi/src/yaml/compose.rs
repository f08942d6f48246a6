//! Makes the tree of the events of a parser: tags, anchors, merge keys, and keys that stand twice.

use std::collections::{HashMap, hash_map::Entry};

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};

use super::{
    DEPTH_LIMIT, Double, Key, Kind, Node, Place, Scalar, YamlError,
    environment::Environment,
    scalar::{self, shorten},
};

/// Prefix of YAML's own tags.
const YAML: &str = "tag:yaml.org,2002:";
/// Parts that a file may have, counting what anchors keep and aliases repeat: people write a thousandth.
const PARTS: usize = 200_000;

/// Keys that are told of.
const DOUBLES: usize = 100;

/// What an empty file is.
const NOTHING: Node = Node { place: Place { line: 0, column: 0 }, kind: Kind::Scalar(Scalar::Null) };

/// Builds the tree.
pub(super) struct Composer<'i, 'e> {
    parser: Parser<'i, StrInput<'i>>,
    environment: &'e Environment<'e>,
    anchors: HashMap<usize, Anchored>,
    parts: usize,
    pub(super) doubles: Vec<Double>,
}

struct Anchored {
    node: Node,
    parts: usize,
    depth: usize,
}

/// Who stands where in the tree.
struct At {
    place: Place,
    anchor: usize,
    tag: Option<String>,
}

impl<'i, 'e> Composer<'i, 'e> {
    pub(super) fn new(text: &'i str, environment: &'e Environment<'e>) -> Self {
        let mut options = granit_parser::options! {
            block_scalar_eof_without_line_feed: true,
            flow_nesting_limit: DEPTH_LIMIT,
            block_nesting_limit: DEPTH_LIMIT,
        };
        options.set_emit_comments(false);
        Self {
            parser: Parser::new_from_str_with_options(text, options),
            environment,
            anchors: HashMap::new(),
            parts: 0,
            doubles: Vec::new(),
        }
    }

    /// The one document; nothing, if there is none.
    pub(super) fn document(&mut self) -> Result<Node, YamlError> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => {
                    return Ok(root.unwrap_or(NOTHING));
                }
                Event::DocumentStart(..) if root.is_some() => {
                    let message = "a second document begins here";
                    return Err(error(place(span.start), message, "keep one document in the file"));
                }
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event => root = Some(self.node(event, span, 0)?.0),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'i>, Span), YamlError> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(fault)) => Err(error(place(*fault.marker()), fault.info(), super::REMEDY)),
            None => Err(error(Place::default(), "the file ends too early", super::REMEDY)),
        }
    }

    /// A part, and how many levels it has.
    fn node(&mut self, event: Event<'i>, span: Span, depth: usize) -> Result<(Node, usize), YamlError> {
        let place = place(span.start);
        if depth > DEPTH_LIMIT {
            return Err(too_deep(place));
        }
        match event {
            Event::Alias(anchor) => self.alias(anchor, place, depth),
            Event::Scalar(text, style, anchor, tag) => {
                let at = At { place, anchor, tag: tag.map(|tag| name_of(&tag)) };
                let value = self.scalar(&text, style, &at)?;
                self.done(at, Kind::Scalar(value), 0)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let at = At { place, anchor, tag: tag.map(|tag| name_of(&tag)) };
                at.must_be("seq", "a list")?;
                self.list(at, depth)
            }
            Event::MappingStart(_, anchor, tag) => {
                let at = At { place, anchor, tag: tag.map(|tag| name_of(&tag)) };
                at.must_be("map", "a map")?;
                self.map(at, depth)
            }
            _ => Err(error(place, "something is missing here", super::REMEDY)),
        }
    }

    fn scalar(&self, text: &str, style: ScalarStyle, at: &At) -> Result<Scalar, YamlError> {
        let value = match at.tag.as_deref() {
            // The tag `!` alone stands for "as if it were plain".
            Some("!") => scalar::plain(text, self.environment),
            None if style == ScalarStyle::Plain => scalar::plain(text, self.environment),
            None => Ok(Scalar::Text(text.to_owned())),
            Some(tag) => scalar::tagged(text, tag, self.environment),
        };
        value.map_err(|fault| error(at.place, fault.to_string(), fault.remedy()))
    }

    fn list(&mut self, at: At, depth: usize) -> Result<(Node, usize), YamlError> {
        let (mut items, mut deepest) = (Vec::new(), 0);
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return self.done(at, Kind::List(items), deepest);
            }
            let (item, levels) = self.node(event, span, depth + 1)?;
            deepest = deepest.max(levels + 1);
            items.push(item);
        }
    }

    fn map(&mut self, at: At, depth: usize) -> Result<(Node, usize), YamlError> {
        let (mut members, mut deepest) = (Members::default(), 0);
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                let members = members.finish(&mut self.doubles);
                return self.done(at, Kind::Map(members), deepest);
            }
            let is_plain = matches!(event, Event::Scalar(_, ScalarStyle::Plain, _, None));
            let (key, _) = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let (value, levels) = self.node(event, span, depth + 1)?;
            deepest = deepest.max(levels + 1);
            if is_plain && key.text() == Some("<<") {
                members.merge(value)?;
            } else {
                members.own.push((name(key)?, value));
            }
        }
    }

    fn alias(&mut self, anchor: usize, place: Place, depth: usize) -> Result<(Node, usize), YamlError> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            let message = "this alias stands inside of what it names";
            return Err(error(place, message, "write the value out"));
        };
        if depth + anchored.depth > DEPTH_LIMIT {
            return Err(too_deep(place));
        }
        let (parts, depth) = (anchored.parts, anchored.depth);
        // Counted before it is copied.
        self.parts += parts;
        self.check_size(place)?;
        let kind = self.anchors.get(&anchor).map(|anchored| anchored.node.kind.clone());
        Ok((Node { place, kind: kind.unwrap_or(Kind::Scalar(Scalar::Null)) }, depth))
    }

    /// A part that is whole. Only now it can be named.
    fn done(&mut self, at: At, kind: Kind, depth: usize) -> Result<(Node, usize), YamlError> {
        let node = Node { place: at.place, kind };
        self.parts += 1;
        if at.anchor > 0 {
            let parts = parts_of(&node);
            self.parts += parts;
            self.check_size(at.place)?;
            self.anchors.insert(at.anchor, Anchored { node: node.clone(), parts, depth });
        }
        self.check_size(at.place)?;
        Ok((node, depth))
    }

    fn check_size(&self, place: Place) -> Result<(), YamlError> {
        if self.parts <= PARTS {
            return Ok(());
        }
        let message = "here the file is larger, with its aliases, than anything that people write";
        Err(error(place, message, "write values out instead of repeating them by aliases"))
    }
}

impl At {
    fn must_be(&self, tag: &str, what: &str) -> Result<(), YamlError> {
        match self.tag.as_deref() {
            None | Some("!") => Ok(()),
            Some(found) if found == tag => Ok(()),
            Some(found) => {
                let message = format!("the tag `{}` does not go with {what}", shorten(found));
                Err(error(self.place, message, "remove the tag"))
            }
        }
    }
}

/// Members of a map before it is known which of them count.
#[derive(Default)]
struct Members {
    merged: Vec<(Key, Node)>,
    own: Vec<(Key, Node)>,
}

impl Members {
    /// `<<: *anchor`, or a list of such maps, of which the first counts most.
    fn merge(&mut self, value: Node) -> Result<(), YamlError> {
        let wrong = |node: &Node| {
            let message = format!("`<<` takes a map or a list of maps, this is {}", node.describe());
            error(node.place, message, "write <<: *NAME, where &NAME stands before a map")
        };
        match value.kind {
            Kind::Map(merged) => self.merged.extend(merged),
            Kind::List(items) => {
                for item in items.into_iter().rev() {
                    match item.kind {
                        Kind::Map(merged) => self.merged.extend(merged),
                        _ => return Err(wrong(&item)),
                    }
                }
            }
            Kind::Scalar(_) => return Err(wrong(&value)),
        }
        Ok(())
    }

    /// Python's dictionaries keep the first place of a key and the last value; what is merged comes before.
    fn finish(self, doubles: &mut Vec<Double>) -> Vec<(Key, Node)> {
        // Where a key is, and whether it was written here.
        let mut places: HashMap<String, (usize, bool)> = HashMap::new();
        let mut members: Vec<(Key, Node)> = Vec::new();
        let merged = self.merged.len();
        for (at, (key, node)) in self.merged.into_iter().chain(self.own).enumerate() {
            let is_own = at >= merged;
            match places.entry(identity(&key.value)) {
                Entry::Vacant(place) => {
                    place.insert((members.len(), is_own));
                    members.push((key, node));
                }
                Entry::Occupied(mut place) => {
                    let (index, was_own) = *place.get();
                    place.insert((index, is_own));
                    let (first, value) = &mut members[index];
                    if was_own && is_own && doubles.len() < DOUBLES {
                        let name = key.value.as_json_key();
                        doubles.push(Double { place: key.place, key: name, first: first.place });
                    }
                    first.place = key.place;
                    *value = node;
                }
            }
        }
        members
    }
}

fn name(key: Node) -> Result<Key, YamlError> {
    let (place, what) = (key.place, key.describe());
    match key.kind {
        Kind::Scalar(value) => Ok(Key { place, value }),
        _ => Err(error(place, format!("{what} can't be a key"), "write a text there")),
    }
}

fn parts_of(node: &Node) -> usize {
    let below: usize = node.items().iter().map(parts_of).sum();
    below + node.members().iter().map(|(_, value)| 1 + parts_of(value)).sum::<usize>() + 1
}

/// Keys that Python takes for the same have the same text: 1, 1.0 and true are one key.
fn identity(key: &Scalar) -> String {
    match key {
        Scalar::Text(text) => format!("t{text}"),
        Scalar::Null => "z".to_owned(),
        Scalar::Bool(it) => format!("n{}", u8::from(*it)),
        Scalar::Int(it) => format!("n{it}"),
        Scalar::Large(it) => format!("n{it}"),
        Scalar::Float(it) if it.fract() == 0.0 && it.is_finite() => format!("n{it:.0}"),
        Scalar::Float(it) => format!("f{it}"),
        Scalar::Time(it) => format!("d{it}"),
    }
}

/// A tag without the prefix of YAML's own.
fn name_of(tag: &Tag) -> String {
    match tag.suffix_in_namespace(YAML) {
        Some(name) => name.into_owned(),
        None => format!("{}{}", tag.handle(), tag.suffix()),
    }
}

fn too_deep(place: Place) -> YamlError {
    error(place, format!("is nested deeper than {DEPTH_LIMIT} levels"), "write it flatter")
}

fn error(place: Place, message: impl Into<String>, remedy: impl Into<String>) -> YamlError {
    YamlError { place, message: message.into(), remedy: remedy.into() }
}

fn place(marker: Marker) -> Place {
    Place { line: marker.line() as u64, column: marker.col() as u64 + 1 }
}
