//! Sample requests: the package's examples; without any, one made from what the schemas say.

use rutter_core::process::{Input, Process};
use rutter_types::{ExecuteRequest, JsonMap};
use serde_json::{Map, Value, json};

/// A request to show.
pub(super) struct Sample {
    pub(super) title: String,
    pub(super) request: ExecuteRequest,
}

/// The examples, else one made up.
pub(super) fn samples(process: &Process) -> Vec<Sample> {
    if process.examples.is_empty() {
        let inputs =
            process.inputs.iter().map(|(id, input)| (id.to_string(), made_up(id.as_str(), input))).collect();
        return vec![sample("made-up inputs".to_owned(), inputs)];
    }
    let examples = process.examples.iter().enumerate();
    examples
        .map(|(at, example)| {
            let title = example.title.clone().unwrap_or_else(|| format!("example {}", at + 1));
            sample(title, example.inputs.clone())
        })
        .collect()
}

fn sample(title: String, inputs: JsonMap) -> Sample {
    Sample { title, request: ExecuteRequest { inputs, ..ExecuteRequest::default() } }
}

fn made_up(id: &str, input: &Input) -> Value {
    if let Some(default) = &input.default {
        // A file of the package can't be named in a request: it is there when the input is left out.
        let is_file =
            default.get("href").is_some() || default.get(0).is_some_and(|first| first.get("href").is_some());
        if !is_file {
            return wrapped(default.clone());
        }
    }
    let one = if input.is_file {
        json!({"href": format!("https://example.org/{id}")})
    } else {
        wrapped(value(&input.description.schema, &input.description.schema, 0))
    };
    if !input.is_many() {
        return one;
    }
    Value::Array(vec![one; input.min_occurs.clamp(1, 8) as usize])
}

/// Objects travel in a qualified value (Part 1, `/req/core/process-execute-input-inline-object`).
fn wrapped(value: Value) -> Value {
    let is_box = value.get("bbox").is_some() && value.get("type").is_none();
    if value.is_object() && !is_box { json!({ "value": value }) } else { value }
}

/// A value that a schema allows, as far as one can tell.
fn value(schema: &Value, root: &Value, depth: usize) -> Value {
    const DEEPEST: usize = 12;
    if depth > DEEPEST {
        return Value::Null;
    }
    if let Some(given) = given(schema) {
        return given.clone();
    }
    if let Some(target) =
        schema.get("$ref").and_then(Value::as_str).and_then(|name| root.pointer(name.strip_prefix('#')?))
    {
        return value(target, root, depth + 1);
    }
    if let Some(document) = schema.get("format").and_then(Value::as_str).and_then(document) {
        return document;
    }
    for word in ["oneOf", "anyOf", "allOf"] {
        if let Some(first) = schema.get(word).and_then(|branches| branches.get(0)) {
            let mut merged = schema.as_object().cloned().unwrap_or_default();
            merged.shift_remove(word);
            merged.extend(first.as_object().cloned().unwrap_or_default());
            return value(&Value::Object(merged), root, depth + 1);
        }
    }
    typed(schema, root, depth)
}

/// What the author gave.
fn given(schema: &Value) -> Option<&Value> {
    let first = |name: &str| schema.get(name).and_then(|list| list.get(0));
    schema
        .get("default")
        .or_else(|| first("examples"))
        .or_else(|| schema.get("example"))
        .or_else(|| schema.get("const"))
        .or_else(|| first("enum"))
}

/// Documents that `format` names.
fn document(format: &str) -> Option<Value> {
    let point = || json!({"type": "Point", "coordinates": [7.0, 52.0]});
    let feature = || json!({"type": "Feature", "properties": {}, "geometry": point()});
    Some(match format.rsplit('/').next()? {
        "ogc-bbox" => {
            json!({"bbox": [7, 51.9, 7.1, 52], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"})
        }
        "geojson-geometry" => point(),
        "geojson-feature" => feature(),
        "geojson-feature-collection" => json!({"type": "FeatureCollection", "features": [feature()]}),
        "date-time" => json!("2026-01-01T00:00:00Z"),
        "date" => json!("2026-01-01"),
        "time" => json!("12:00:00Z"),
        "uri" | "url" | "iri" => json!("https://example.org/"),
        "email" => json!("someone@example.org"),
        "uuid" => json!("00000000-0000-4000-8000-000000000000"),
        _ => return None,
    })
}

fn typed(schema: &Value, root: &Value, depth: usize) -> Value {
    let name = match schema.get("type") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        Some(name) => name.as_str(),
        None if schema.get("properties").is_some() => Some("object"),
        None => None,
    };
    match name {
        Some("number") => json!(number(schema)),
        Some("integer") => json!(number(schema).ceil() as i64),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        Some("array") => {
            let items = schema.get("items").unwrap_or(&Value::Null);
            let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).min(8);
            (0..count).map(|_| value(items, root, depth + 1)).collect()
        }
        Some("object") => object(schema, root, depth),
        _ => json!(text(schema)),
    }
}

fn number(schema: &Value) -> f64 {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|least| least + 1.0));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|most| most - 1.0));
    match (least, most) {
        (Some(least), _) if least > 1.0 => least,
        (_, Some(most)) if most < 1.0 => most,
        _ => 1.0,
    }
}

fn text(schema: &Value) -> String {
    let bound =
        |name: &str| schema.get(name).and_then(Value::as_u64).and_then(|bound| usize::try_from(bound).ok());
    let least = bound("minLength").unwrap_or(0).min(200);
    let most = bound("maxLength").unwrap_or(usize::MAX);
    let mut text = "text".to_owned();
    while text.len() < least {
        text.push('x');
    }
    text.chars().take(most).collect()
}

fn object(schema: &Value, root: &Value, depth: usize) -> Value {
    let mut members = Map::new();
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        let inner =
            schema.get("properties").and_then(|properties| properties.get(name)).unwrap_or(&Value::Null);
        members.insert(name.to_owned(), value(inner, root, depth + 1));
    }
    Value::Object(members)
}
