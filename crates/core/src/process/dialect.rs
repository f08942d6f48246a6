//! Schemas for descriptions: JSON Schema 2020-12 said in 1.0's dialect, a closed part of OpenAPI 3.0 (`schema.yaml`).
//!
//! Clients of 1.0 and the official test suite refuse more than that. What can't be said is left out, so that a
//! description never forbids what validation allows.

use serde_json::{Map, Value, json};

use super::schema_walk::resolve;

/// Schemas made from one: references that multiply are cut there.
const NODE_LIMIT: usize = 10_000;
/// References followed into each other.
const DEPTH_LIMIT: usize = 32;
/// Members that say nothing about which values are allowed.
const ANNOTATIONS: [&str; 8] =
    ["title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly"];

/// A schema in 1.0's dialect: local references in place, `const` as `enum`, type lists as `nullable` or
/// alternatives, exclusive bounds by mark; order of members kept. (Part 1, version 1.0, `schema.yaml`.)
pub fn to_v1(schema: &Value) -> Value {
    let mut translation = Translation { root: schema, open: Vec::new(), made: 0 };
    translation.schema(schema)
}

struct Translation<'a> {
    root: &'a Value,
    /// References being followed: one in itself is cut.
    open: Vec<String>,
    made: usize,
}

impl Translation<'_> {
    fn schema(&mut self, schema: &Value) -> Value {
        self.made += 1;
        match schema {
            _ if self.made > NODE_LIMIT => json!({}),
            Value::Bool(false) => json!({"not": {}}),
            Value::Object(members) if members.contains_key("$ref") => self.reference(members),
            Value::Object(members) => Value::Object(self.members(members)),
            _ => json!({}),
        }
    }

    /// What a reference names, in its place. What stands beside it holds too.
    fn reference(&mut self, members: &Map<String, Value>) -> Value {
        let mut beside = members.clone();
        let reference = beside.shift_remove("$ref");
        let target = reference.as_ref().and_then(Value::as_str).map_or(json!({}), |name| self.follow(name));
        if beside.keys().all(|key| ANNOTATIONS.contains(&key.as_str())) {
            let Value::Object(mut merged) = target else { return json!({}) };
            merged.extend(self.members(&beside));
            return Value::Object(merged);
        }
        let mut out = self.members(&beside);
        also(&mut out, target);
        Value::Object(out)
    }

    fn follow(&mut self, name: &str) -> Value {
        let cut = self.open.len() >= DEPTH_LIMIT || self.open.iter().any(|open| open == name);
        let root = self.root;
        let Some(target) = resolve(root, name).filter(|_| !cut) else { return json!({}) };
        self.open.push(name.to_owned());
        let translated = self.schema(target);
        self.open.pop();
        translated
    }

    fn members(&mut self, members: &Map<String, Value>) -> Map<String, Value> {
        let mut out = Map::new();
        for (name, value) in members {
            self.member(name, value, members, &mut out);
        }
        out
    }

    fn member(&mut self, name: &str, value: &Value, all: &Map<String, Value>, out: &mut Map<String, Value>) {
        match name {
            "minimum" | "maximum" if out.contains_key(name) => {}
            "title" | "multipleOf" | "maximum" | "minimum" | "maxLength" | "minLength" | "pattern"
            | "maxItems" | "minItems" | "uniqueItems" | "maxProperties" | "minProperties" | "description"
            | "format" | "nullable" | "readOnly" | "writeOnly" | "deprecated" | "contentMediaType"
            | "contentEncoding" => {
                put(out, name, value.clone());
            }
            "exclusiveMinimum" | "exclusiveMaximum" => bound(name, value, all, out),
            "default" | "example" => put(out, name, value.clone()),
            "examples" if !all.contains_key("example") => {
                if let Some(first) = value.as_array().and_then(|examples| examples.first()) {
                    put(out, "example", first.clone());
                }
            }
            "const" => enumeration(std::slice::from_ref(value), out),
            "enum" if !all.contains_key("const") => {
                enumeration(value.as_array().map_or(&[], Vec::as_slice), out)
            }
            "type" => types(value, out),
            "required" => required(value, out),
            "contentSchema" if value.is_string() => put(out, name, value.clone()),
            "additionalProperties" if value.is_boolean() => put(out, name, value.clone()),
            // Beside `patternProperties` it concerns fewer members than it would without.
            "additionalProperties" if all.contains_key("patternProperties") => {}
            "items" if all.contains_key("prefixItems") => tuple(value, all, out),
            "not" if value == &Value::Bool(false) => {}
            "not" | "items" | "additionalProperties" => put(out, name, self.schema(value)),
            "allOf" | "anyOf" | "oneOf" => self.alternatives(name, value, out),
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                let translated = properties.map(|(key, inner)| (key.clone(), self.schema(inner))).collect();
                put(out, name, Value::Object(translated));
            }
            _ => {}
        }
    }

    fn alternatives(&mut self, name: &str, value: &Value, out: &mut Map<String, Value>) {
        let branches = value.as_array().map_or(&[][..], Vec::as_slice);
        let is_null = |branch: &&Value| branch.get("type").and_then(Value::as_str) == Some("null");
        let nullable = name != "allOf" && branches.iter().any(|branch| is_null(&branch));
        let kept = branches.iter().filter(|branch| !(nullable && is_null(branch)));
        let translated: Vec<Value> = kept.map(|branch| self.schema(branch)).collect();
        if nullable {
            put(out, "nullable", Value::Bool(true));
        }
        if translated.is_empty() {
            return;
        }
        match out.get_mut(name).and_then(Value::as_array_mut) {
            Some(before) if name == "allOf" => before.extend(translated),
            Some(_) => also(out, json!({ name: translated })),
            None => put(out, name, Value::Array(translated)),
        }
    }
}

/// Nothing in a description may be `null` or hold one: the official suite refuses it.
fn put(out: &mut Map<String, Value>, name: &str, value: Value) {
    if !holds_null(&value) {
        out.insert(name.to_owned(), value);
    }
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(holds_null),
        Value::Object(members) => members.values().any(holds_null),
        _ => false,
    }
}

/// Both must hold.
fn also(out: &mut Map<String, Value>, schema: Value) {
    if schema.as_object().is_some_and(Map::is_empty) {
        return;
    }
    match out.get_mut("allOf").and_then(Value::as_array_mut) {
        Some(all) => all.push(schema),
        None => {
            out.insert("allOf".to_owned(), json!([schema]));
        }
    }
}

fn enumeration(values: &[Value], out: &mut Map<String, Value>) {
    let kept: Vec<Value> = values.iter().filter(|value| !value.is_null()).cloned().collect();
    if kept.len() < values.len() {
        out.insert("nullable".to_owned(), Value::Bool(true));
    }
    if !kept.is_empty() {
        put(out, "enum", Value::Array(kept));
    }
}

fn types(value: &Value, out: &mut Map<String, Value>) {
    let named = match value {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        _ => value.as_str().into_iter().collect::<Vec<_>>(),
    };
    let kept: Vec<&str> = named.iter().copied().filter(|name| *name != "null").collect();
    if kept.len() < named.len() {
        out.insert("nullable".to_owned(), Value::Bool(true));
    }
    match kept.as_slice() {
        [] => {}
        [one] => put(out, "type", json!(one)),
        many => {
            also(out, json!({"anyOf": many.iter().map(|name| json!({"type": name})).collect::<Vec<_>>()}))
        }
    }
}

fn required(value: &Value, out: &mut Map<String, Value>) {
    let mut names: Vec<&Value> = Vec::new();
    for name in value.as_array().into_iter().flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if !names.is_empty() {
        put(out, "required", json!(names));
    }
}

/// `exclusiveMinimum: 3` is `minimum: 3, exclusiveMinimum: true` there. The tighter of two bounds stays.
fn bound(name: &str, value: &Value, all: &Map<String, Value>, out: &mut Map<String, Value>) {
    if value.is_boolean() {
        return put(out, name, value.clone());
    }
    let (inclusive, lower) = match name {
        "exclusiveMinimum" => ("minimum", true),
        _ => ("maximum", false),
    };
    let looser = all
        .get(inclusive)
        .and_then(Value::as_f64)
        .zip(value.as_f64())
        .is_some_and(|(other, this)| if lower { other > this } else { other < this });
    if !looser {
        put(out, inclusive, value.clone());
        put(out, name, Value::Bool(true));
    }
}

/// `items` beside `prefixItems` is about the rest; closed, it says how many there are.
fn tuple(value: &Value, all: &Map<String, Value>, out: &mut Map<String, Value>) {
    let length = all.get("prefixItems").and_then(Value::as_array).map(Vec::len);
    if let (Value::Bool(false), Some(length)) = (value, length)
        && !all.contains_key("maxItems")
    {
        put(out, "maxItems", json!(length));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Members that `schema.yaml` of version 1.0 knows; it forbids all others.
    const CLOSED: [&str; 33] = [
        "title",
        "multipleOf",
        "maximum",
        "exclusiveMaximum",
        "minimum",
        "exclusiveMinimum",
        "maxLength",
        "minLength",
        "pattern",
        "maxItems",
        "minItems",
        "uniqueItems",
        "maxProperties",
        "minProperties",
        "required",
        "enum",
        "type",
        "not",
        "allOf",
        "oneOf",
        "anyOf",
        "items",
        "properties",
        "additionalProperties",
        "description",
        "format",
        "default",
        "nullable",
        "readOnly",
        "writeOnly",
        "example",
        "deprecated",
        "contentMediaType",
    ];

    /// The rules of `schema.yaml` and of the official suite: closed, no `$ref`, no `const`, one type, marks for
    /// exclusive bounds, no boolean schema, no null.
    fn check_v1(schema: &Value) {
        let members = schema.as_object().unwrap_or_else(|| panic!("not an object: {schema}"));
        for (name, value) in members {
            let known =
                CLOSED.contains(&name.as_str()) || name == "contentEncoding" || name == "contentSchema";
            assert!(known, "{name} in {schema}");
            assert!(!holds_null(value), "null in {schema}");
            match name.as_str() {
                "type" => assert!(value.is_string() && value != "null", "{schema}"),
                "exclusiveMinimum" | "exclusiveMaximum" => assert!(value.is_boolean(), "{schema}"),
                "allOf" | "anyOf" | "oneOf" => {
                    assert!(!value.as_array().unwrap().is_empty());
                    value.as_array().unwrap().iter().for_each(check_v1);
                }
                "items" | "not" => check_v1(value),
                "additionalProperties" if !value.is_boolean() => check_v1(value),
                "properties" => value.as_object().unwrap().values().for_each(check_v1),
                "required" | "enum" => assert!(!value.as_array().unwrap().is_empty(), "{schema}"),
                _ => {}
            }
        }
    }

    #[test]
    fn each_keyword_is_said_as_1_0_says_it() {
        let table = [
            (json!({"const": 3}), json!({"enum": [3]})),
            (json!({"type": ["string", "null"]}), json!({"nullable": true, "type": "string"})),
            (json!({"type": ["string"]}), json!({"type": "string"})),
            (
                json!({"type": ["string", "number"], "title": "x"}),
                json!({"allOf": [{"anyOf": [{"type": "string"}, {"type": "number"}]}], "title": "x"}),
            ),
            (json!({"exclusiveMinimum": 0}), json!({"minimum": 0, "exclusiveMinimum": true})),
            (json!({"exclusiveMinimum": 0, "minimum": 5}), json!({"minimum": 5})),
            (json!({"minimum": 5, "exclusiveMinimum": 7}), json!({"minimum": 7, "exclusiveMinimum": true})),
            (json!({"exclusiveMinimum": 7, "minimum": 5}), json!({"minimum": 7, "exclusiveMinimum": true})),
            (json!({"exclusiveMaximum": 9, "maximum": 8}), json!({"maximum": 8})),
            (json!({"examples": ["a", "b"]}), json!({"example": "a"})),
            (json!({"enum": ["a", null]}), json!({"nullable": true, "enum": ["a"]})),
            (json!({"const": null}), json!({"nullable": true})),
            (json!({"default": null, "type": "string"}), json!({"type": "string"})),
            (json!({"required": []}), json!({})),
            (
                json!({"properties": {"a": true, "b": false}}),
                json!({"properties": {"a": {}, "b": {"not": {}}}}),
            ),
            (json!({"additionalProperties": false}), json!({"additionalProperties": false})),
            (json!({"prefixItems": [{}, {}], "items": false}), json!({"maxItems": 2})),
            (json!({"prefixItems": [{}], "items": {"type": "string"}}), json!({})),
            (
                json!({"anyOf": [{"type": "null"}, {"type": "string"}]}),
                json!({"nullable": true, "anyOf": [{"type": "string"}]}),
            ),
            (
                json!({"if": {"type": "string"}, "then": {}, "$schema": "x", "$comment": "y", "x-a": 1}),
                json!({}),
            ),
            (json!({"patternProperties": {"^a": {}}, "additionalProperties": {"type": "string"}}), json!({})),
            (json!({"allOf": [{"format": "ogc-bbox"}]}), json!({"allOf": [{"format": "ogc-bbox"}]})),
            (json!({"contentSchema": {"type": "string"}}), json!({})),
        ];
        for (schema, wanted) in table {
            let translated = to_v1(&schema);
            assert_eq!(translated, wanted, "of {schema}");
            check_v1(&translated);
        }
    }

    #[test]
    fn local_references_stand_in_their_place_and_circles_end() {
        let schema = json!({
            "$defs": {"tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/tree"}}}, "id": {"type": "integer"}},
            "properties": {
                "tree": {"$ref": "#/$defs/tree", "title": "A tree"},
                "id": {"$ref": "#/$defs/id", "minimum": 1},
            },
        });
        let wanted = json!({"properties": {
            "tree": {"type": "object", "properties": {"left": {}}, "title": "A tree"},
            "id": {"minimum": 1, "allOf": [{"type": "integer"}]},
        }});
        assert_eq!(to_v1(&schema), wanted);
    }

    #[test]
    fn members_keep_their_order() {
        let schema =
            json!({"type": "object", "properties": {"z": {}, "a": {}}, "title": "x", "description": "y"});
        assert_eq!(to_v1(&schema).to_string(), schema.to_string());
    }

    #[test]
    fn references_that_multiply_are_cut() {
        let mut defs = Map::new();
        for level in 0..40 {
            let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
            defs.insert(format!("d{level}"), json!({"allOf": [next, next, next]}));
        }
        defs.insert("d40".to_owned(), json!({"type": "string"}));
        let translated = to_v1(&json!({"$ref": "#/$defs/d0", "$defs": defs}));
        assert!(translated.to_string().len() < 1_000_000);
    }

    #[test]
    fn a_translation_is_its_own_translation() {
        let schema = json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "number", "minimum": 1, "exclusiveMinimum": true}}});
        assert_eq!(to_v1(&to_v1(&schema)), to_v1(&schema));
        check_v1(&to_v1(&schema));
    }
}
