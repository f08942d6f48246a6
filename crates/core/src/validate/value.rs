//! One value as it stands in a request: which form it has, and whether it satisfies the schema.
//!
//! Order of recognition for an object (Part 1, 1.0, section 7.11.2): `value` = qualified, `href` = link, `collection`,
//! `process`; else it is the value itself. Where the schema knows a member of that name, or the object has members that
//! no such form has, the object is read as the value itself when the first reading fails.

use rutter_types::{Fault, JsonMap};
use serde_json::Value;

use super::{Content, Context, ValidValue, binary, reference};
use crate::{
    process::Input,
    schema::{Branch, Document, applied, follow, shorten},
};

/// Coordinate reference system of a box that names none (`bbox.yaml`).
const CRS84: &str = "http://www.opengis.net/def/crs/OGC/1.3/CRS84";
/// Members that stand beside `value` or `href`.
const WRAPPER: [&str; 11] = [
    "value",
    "href",
    "type",
    "mediaType",
    "encoding",
    "schema",
    "format",
    "rel",
    "hreflang",
    "title",
    "length",
];

/// Reads values of one input.
pub(super) struct Reader<'a> {
    pub(super) input: &'a Input,
    pub(super) context: &'a Context<'a>,
}

/// What a request says of a value's representation.
#[derive(Default)]
pub(super) struct Named<'a> {
    pub(super) media_type: Option<(&'a str, String)>,
    pub(super) encoding: Option<(&'a str, String)>,
}

impl<'a> Named<'a> {
    /// Flat as the schemas of 1.0 say, or nested in `format` as its text and the official suite do.
    fn read(members: &'a JsonMap, media_type: &str, pointer: &str, faults: &mut Vec<Fault>) -> Self {
        let mut text = |flat: &str, nested: &str| {
            let inside = members.get("format").and_then(|format| format.get(nested));
            let flat = members.get(flat).map(|value| (value, format!("{pointer}/{flat}")));
            let (value, at) = flat.or(inside.map(|value| (value, format!("{pointer}/format/{nested}"))))?;
            match value.as_str() {
                Some(text) => Some((text, at)),
                None => {
                    faults.push(Fault { received: Some(shorten(value)), ..Fault::new(at, "must be a text") });
                    None
                }
            }
        };
        let named = if members.contains_key(media_type) { media_type } else { "mediaType" };
        let media_type = text(named, "mediaType");
        Self { media_type, encoding: text("encoding", "encoding") }
    }

    pub(super) fn media_type(&self) -> Option<&'a str> {
        self.media_type.as_ref().map(|(text, _)| *text)
    }
}

impl Reader<'_> {
    /// One value.
    pub(super) fn read(&self, value: &Value, pointer: &str) -> Result<ValidValue, Vec<Fault>> {
        let Some(members) = value.as_object() else { return self.inline(value, &Named::default(), pointer) };
        let form =
            ["value", "href", "collection", "process"].into_iter().find(|name| members.contains_key(*name));
        let read = match form {
            Some("value") => self.qualified(members, pointer),
            Some("href") => self.link(members, pointer),
            Some(other) => Err(vec![not_supported(other, value, pointer)]),
            None => return self.bare(value, members, pointer),
        };
        let foreign = members.keys().any(|name| !WRAPPER.contains(&name.as_str()));
        let may_be_bare =
            form.is_some_and(|name| self.knows_member(name)) || (form == Some("value") && foreign);
        read.or_else(|faults| {
            if !may_be_bare {
                return Err(faults);
            }
            self.inline(value, &Named::default(), pointer).map_err(|_| faults)
        })
    }

    fn qualified(&self, members: &JsonMap, pointer: &str) -> Result<ValidValue, Vec<Fault>> {
        let mut faults = Vec::new();
        let named = Named::read(members, "mediaType", pointer, &mut faults);
        let inner = &members["value"];
        match self.inline(inner, &named, &format!("{pointer}/value")) {
            Ok(value) if faults.is_empty() => Ok(value),
            Ok(_) => Err(faults),
            Err(found) => {
                faults.extend(found);
                Err(faults)
            }
        }
    }

    fn link(&self, members: &JsonMap, pointer: &str) -> Result<ValidValue, Vec<Fault>> {
        let mut faults = Vec::new();
        let named = Named::read(members, "type", pointer, &mut faults);
        faults.extend(self.media_type_fault(&named));
        if !self.input.by_reference {
            let detail = "must be given in the request itself: send the value, not a link";
            faults.push(Fault::new(pointer, detail));
        }
        let content = reference::read(&members["href"], &format!("{pointer}/href"), self.context);
        match content {
            Ok(content) if faults.is_empty() => {
                let described = || self.input.schema.media_types().into_iter().next();
                let media_type = named.media_type().map(ToOwned::to_owned).or_else(described);
                Ok(ValidValue { pointer: pointer.to_owned(), media_type, content })
            }
            Ok(_) => Err(faults),
            Err(found) => {
                faults.extend(found);
                Err(faults)
            }
        }
    }

    /// An object that has no form of its own.
    fn bare(&self, value: &Value, members: &JsonMap, pointer: &str) -> Result<ValidValue, Vec<Fault>> {
        self.inline(value, &Named::default(), pointer).map_err(|faults| {
            let half = !members.is_empty() && members.keys().all(|name| WRAPPER.contains(&name.as_str()));
            // A `type` with a slash is a media type: whoever sent it meant no object.
            let names_type =
                members.get("type").and_then(Value::as_str).is_some_and(|text| text.contains('/'));
            if !half || (self.input.schema.takes_type_of(value) && !names_type) {
                return faults;
            }
            let mut fault = Fault::new(pointer, "has neither `value` nor `href`: add one of them");
            fault.received = Some(shorten(value));
            fault.allowed =
                self.input.schema.names_media_types().then(|| self.input.schema.media_types().into());
            let mut ignored = Vec::new();
            let wrong = self.media_type_fault(&Named::read(members, "type", pointer, &mut ignored));
            std::iter::once(fault).chain(wrong).collect()
        })
    }

    /// A value without its wrapper.
    fn inline(&self, value: &Value, named: &Named<'_>, pointer: &str) -> Result<ValidValue, Vec<Fault>> {
        if !self.input.by_value {
            let detail = "must be given by link: send {\"href\": …}";
            return Err(vec![Fault { received: Some(shorten(value)), ..Fault::new(pointer, detail) }]);
        }
        let wrong: Vec<Fault> = self.media_type_fault(named).into_iter().collect();
        let check = self.input.schema.check(value, named.media_type(), pointer);
        let unwrapped = unwrapped_items(value).filter(|_| check.is_err());
        let again = unwrapped.as_ref().and_then(|value| {
            self.input.schema.check(value, named.media_type(), pointer).ok().map(|branch| (branch, value))
        });
        let (branch, value) = match (check, again) {
            (Ok(branch), _) => (branch, value),
            (Err(_), Some(found)) => found,
            (Err(faults), None) => return Err(wrong.into_iter().chain(faults).collect()),
        };
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let content = content(branch, value, named, pointer)?;
        let media_type = named.media_type().unwrap_or_else(|| branch.offered()).to_owned();
        Ok(ValidValue { pointer: pointer.to_owned(), media_type: Some(media_type), content })
    }

    /// A media type that no alternative has, where the schema names any.
    fn media_type_fault(&self, named: &Named<'_>) -> Option<Fault> {
        let (media_type, pointer) = named.media_type.as_ref()?;
        let schema = &self.input.schema;
        if !schema.names_media_types() || schema.offers(media_type) {
            return None;
        }
        let offered = schema.media_types();
        Some(Fault {
            pointer: pointer.clone(),
            detail: format!("is no media type of this input: use {}", offered.join(" or ")),
            received: Some(shorten(&Value::from(*media_type))),
            allowed: Some(offered.into()),
        })
    }

    /// Whether the schema itself speaks of a member.
    fn knows_member(&self, name: &str) -> bool {
        let root = &self.input.description.schema;
        knows(root, root, name, 8)
    }
}

fn knows(root: &Value, schema: &Value, name: &str, depth: usize) -> bool {
    let schema = follow(root, schema);
    let listed = schema.get("properties").is_some_and(|properties| properties.get(name).is_some());
    listed || depth > 0 && applied(schema).any(|inner| knows(root, inner, name, depth - 1))
}

/// Items of an array may have wrappers of their own.
fn unwrapped_items(value: &Value) -> Option<Value> {
    let items = value.as_array()?;
    let inner = |item: &Value| item.as_object().and_then(|members| members.get("value")).cloned();
    if !items.iter().any(|item| inner(item).is_some()) {
        return None;
    }
    Some(items.iter().map(|item| inner(item).unwrap_or_else(|| item.clone())).collect())
}

fn content(branch: &Branch, value: &Value, named: &Named<'_>, pointer: &str) -> Result<Content, Vec<Fault>> {
    let encoding = named.encoding.as_ref().map(|(text, _)| *text);
    if let Some((_, at)) = &named.encoding
        && let Some(fault) = binary::encoding_fault(branch, encoding, at)
    {
        return Err(vec![fault]);
    }
    match value {
        Value::String(text) if binary::is_base64(branch, named.media_type(), encoding) => {
            binary::read(text, pointer)
        }
        Value::Object(members) if branch.document == Some(Document::Bbox) => Ok(Content::Json(bbox(members))),
        _ => Ok(Content::Json(value.clone())),
    }
}

/// A box always says its coordinate reference system.
fn bbox(members: &JsonMap) -> Value {
    let mut members = members.clone();
    members.entry("crs").or_insert_with(|| CRS84.into());
    Value::Object(members)
}

fn not_supported(form: &str, value: &Value, pointer: &str) -> Fault {
    let detail = match form {
        "collection" => "collections are not supported as inputs: give the value, or a link to it as `href`",
        _ => "processes are not supported as inputs: run it first, and give a link to its result as `href`",
    };
    Fault { received: Some(shorten(value)), ..Fault::new(pointer, detail) }
}
