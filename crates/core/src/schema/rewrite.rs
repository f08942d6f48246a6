//! Brings a schema into the form that the validating library takes. Places stay where they are.

use serde_json::{Map, Value, json};

use super::{
    formats::{DOCUMENT_KEYWORD, named_document},
    keywords::{ALTERNATIVES, LISTS, MAPS, ONE},
};

/// The same schema in JSON Schema 2020-12, with formats of whole documents as a keyword of ours.
pub(super) fn to_2020_12(schema: &Value) -> Value {
    let mut rewritten = rewrite(schema);
    if let Some(members) = rewritten.as_object_mut() {
        // Schemas are read as 2020-12 whatever they say: an unknown dialect would have to be fetched.
        members.shift_remove("$schema");
    }
    rewritten
}

fn rewrite(schema: &Value) -> Value {
    let Value::Object(members) = schema else { return schema.clone() };
    let mut out = Map::new();
    for (name, value) in members {
        out.insert(name.clone(), inner(name, value));
    }
    nullable(&mut out);
    exclusive(&mut out, "exclusiveMinimum", "minimum");
    exclusive(&mut out, "exclusiveMaximum", "maximum");
    document(&mut out);
    Value::Object(out)
}

fn inner(name: &str, value: &Value) -> Value {
    match value {
        Value::Object(named) if MAPS.contains(&name) => {
            Value::Object(named.iter().map(|(key, inner)| (key.clone(), rewrite(inner))).collect())
        }
        Value::Array(items) if LISTS.contains(&name) => items.iter().map(rewrite).collect(),
        Value::Object(_) if ONE.contains(&name) => rewrite(value),
        _ => value.clone(),
    }
}

/// `nullable: true` (OpenAPI 3.0): null is allowed too.
fn nullable(members: &mut Map<String, Value>) {
    if members.shift_remove("nullable") != Some(Value::Bool(true)) {
        return;
    }
    if let Some(Value::String(name)) = members.get("type") {
        let types = json!([name, "null"]);
        members.insert("type".to_owned(), types);
    }
    if let Some(Value::Array(values)) = members.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    for word in ALTERNATIVES {
        if let Some(Value::Array(branches)) = members.get_mut(word) {
            branches.push(json!({"type": "null"}));
        }
    }
}

/// `minimum: 3, exclusiveMinimum: true` (OpenAPI 3.0) is `exclusiveMinimum: 3`.
fn exclusive(members: &mut Map<String, Value>, exclusive: &str, inclusive: &str) {
    let Some(Value::Bool(is_exclusive)) = members.get(exclusive).cloned() else { return };
    members.shift_remove(exclusive);
    if is_exclusive && let Some(bound) = members.shift_remove(inclusive) {
        members.insert(exclusive.to_owned(), bound);
    }
}

fn document(members: &mut Map<String, Value>) {
    if members.get("type").is_some_and(|name| name == "string") {
        return;
    }
    if let Some(document) = members.get("format").and_then(Value::as_str).and_then(named_document) {
        members.shift_remove("format");
        members.insert(DOCUMENT_KEYWORD.to_owned(), Value::String(document.name().to_owned()));
    }
}

/// What a schema is after its local references.
pub(crate) fn follow<'a>(root: &'a Value, mut schema: &'a Value) -> &'a Value {
    const STEPS: usize = 16;
    for _ in 0..STEPS {
        let name = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix('#'));
        let Some(next) = name.and_then(|pointer| root.pointer(pointer)) else { break };
        schema = next;
    }
    schema
}
