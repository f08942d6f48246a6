//! The alternatives of a schema: what each is as a representation.

use serde_json::{Map, Value, json};

use super::{
    formats::{Document, named_document},
    keywords::ALTERNATIVES,
    rewrite::follow,
};

/// An alternative of a schema, or the whole of one that has none.
#[derive(Debug)]
pub(crate) struct Branch {
    /// Its `contentMediaType`.
    pub(crate) media_type: Option<String>,
    /// Whether it takes only text.
    pub(crate) is_text: bool,
    /// Whether its text is base64 (`contentEncoding: base64 | binary`, `format: byte | binary`).
    pub(crate) is_base64: bool,
    /// The kind of document that its `format` names.
    pub(crate) document: Option<Document>,
    /// What validates it, where alternatives are chosen by media type.
    pub(crate) validator: Option<jsonschema::Validator>,
    /// The schema with this alternative as the only one.
    pub(super) alone: Value,
    types: Vec<String>,
}

/// The alternatives in order. Each knows what stands around it too.
pub(super) fn branches(root: &Value) -> Vec<Branch> {
    let top = follow(root, root);
    for word in ALTERNATIVES {
        let Some(inner) = top.get(word).and_then(Value::as_array) else { continue };
        let inner: Vec<(&Value, &Value)> = inner.iter().map(|inner| (inner, follow(root, inner))).collect();
        let kept = inner.into_iter().filter(|(_, inner)| inner.get("type").is_none_or(|it| it != "null"));
        let found: Vec<Branch> = kept
            .map(|(written, inner)| Branch::read(root, inner, Some(top), alone(root, top, word, written)))
            .collect();
        if !found.is_empty() {
            return found;
        }
    }
    vec![Branch::read(root, top, None, Value::Null)]
}

/// A schema of one alternative. The root stays, so that references into it go on meaning the same.
fn alone(root: &Value, top: &Value, word: &str, branch: &Value) -> Value {
    let mut members = root.as_object().cloned().unwrap_or_default();
    members.shift_remove("$ref");
    for (name, value) in top.as_object().into_iter().flatten() {
        members.entry(name.clone()).or_insert_with(|| value.clone());
    }
    members.shift_remove(word);
    match members.get_mut("allOf").and_then(Value::as_array_mut) {
        Some(all) => all.push(branch.clone()),
        None => drop(members.insert("allOf".to_owned(), json!([branch]))),
    }
    Value::Object(members)
}

impl Branch {
    fn read(root: &Value, schema: &Value, around: Option<&Value>, alone: Value) -> Self {
        let parts = parts(root, schema).into_iter().chain(around);
        let parts: Vec<&Map<String, Value>> = parts.filter_map(Value::as_object).collect();
        let get = |name: &str| parts.iter().find_map(|part| part.get(name));
        let text = |name: &str| get(name).and_then(Value::as_str);
        let types = types(get("type"));
        let formats = parts.iter().filter_map(|part| part.get("format").and_then(Value::as_str));
        let document = formats.clone().find_map(named_document);
        let encoded = matches!(
            text("contentEncoding").map(str::to_ascii_lowercase).as_deref(),
            Some("base64" | "binary" | "base64url")
        );
        Self {
            media_type: text("contentMediaType").map(ToOwned::to_owned),
            is_text: !types.is_empty() && types.iter().all(|name| name == "string" || name == "null"),
            is_base64: encoded || formats.clone().any(|format| matches!(format, "byte" | "binary")),
            document,
            validator: None,
            alone,
            types,
        }
    }

    /// Whether it says more of a value's form than JSON Schema can check.
    pub(super) fn is_representation(&self) -> bool {
        self.media_type.is_some() || self.is_base64
    }

    /// Whether its values are text.
    pub(crate) fn is_text(&self) -> bool {
        self.is_text
    }

    /// Whether the program gets a file for it.
    pub(crate) fn is_file(&self) -> bool {
        self.is_text && self.is_representation()
    }

    /// Its media type; where none is written, what values of its type have.
    pub(crate) fn offered(&self) -> &str {
        match &self.media_type {
            Some(media_type) => media_type,
            None if self.is_text && self.is_base64 => "application/octet-stream",
            None if self.is_text => "text/plain",
            None => "application/json",
        }
    }

    /// Whether a value of that media type belongs to it. Any JSON is JSON where no media type is written.
    pub(super) fn has(&self, media_type: &str) -> bool {
        let (named, offered) = (essence(media_type), essence(self.offered()));
        let json = self.media_type.is_none() && offered == "application/json" && named.ends_with("+json");
        json || named == offered
    }

    pub(super) fn takes_type_of(&self, value: &Value) -> bool {
        let name = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let numeric = |known: &str| name == "number" && known == "integer";
        self.types.is_empty() && !self.is_text
            || self.types.iter().any(|known| known == name || numeric(known))
    }
}

/// A schema and what its `allOf` adds.
fn parts<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let all = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
    std::iter::once(schema).chain(all.map(|part| follow(root, part))).collect()
}

fn types(written: Option<&Value>) -> Vec<String> {
    let names: Vec<&str> = match written {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    names.into_iter().map(ToOwned::to_owned).collect()
}

/// Type and subtype of a media type, without parameters, in lower case.
pub(crate) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or(media_type).trim().to_ascii_lowercase()
}
