//! Schemas as OpenAPI 3.0 can say them: 1.0's dialect without the words of JSON Schema that OpenAPI 3.0 refuses.

use rutter_core::process::dialect::to_v1;
use serde_json::{Map, Value, json};

/// A schema of one value for OpenAPI 3.0.
pub(super) fn openapi(schema: &Value) -> Value {
    translate(&to_v1(schema))
}

fn translate(schema: &Value) -> Value {
    let Some(members) = schema.as_object() else { return schema.clone() };
    if let Some(name) = format_of(members).and_then(component) {
        let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
        let says_more = members
            .keys()
            .any(|key| !matches!(key.as_str(), "format" | "allOf" | "type" | "contentMediaType"));
        return match says_more {
            false => reference,
            true => json!({ "allOf": [reference, Value::Object(plain(members))] }),
        };
    }
    Value::Object(plain(members))
}

fn plain(members: &Map<String, Value>) -> Map<String, Value> {
    let mut out = Map::new();
    let is_told_apart = !members.get("oneOf").is_some_and(differ_by_media_type);
    for (name, value) in members {
        let name = if name == "oneOf" && !is_told_apart { "anyOf" } else { name };
        let value = match name {
            "contentMediaType" | "contentEncoding" | "contentSchema" => continue,
            // Said by a component already.
            "format" if value.as_str().and_then(component).is_some() => continue,
            "properties" => super::object(
                value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, schema)| (name.clone(), translate(schema))),
            ),
            "items" | "not" => translate(value),
            "additionalProperties" if value.is_object() => translate(value),
            "allOf" | "anyOf" | "oneOf" => value.as_array().into_iter().flatten().map(translate).collect(),
            _ => value.clone(),
        };
        out.insert(name.to_owned(), value);
    }
    let is_binary =
        members.get("contentEncoding").is_some() || out.get("format").is_some_and(|it| it == "binary");
    if is_binary && out.get("type").is_some_and(|kind| kind == "string") {
        out.insert("format".into(), "byte".into());
    }
    // The default of a file is a path in its package, which no caller can give.
    if is_binary && out.get("default").is_some_and(Value::is_object) {
        out.remove("default");
    }
    if out.get("type").is_some_and(|kind| kind == "array") && !out.contains_key("items") {
        out.insert("items".into(), json!({}));
    }
    out
}

/// Whether the branches of a `oneOf` have media types, which OpenAPI 3.0 can't say: without them a text fits several
/// branches, and a `oneOf` would refuse it.
fn differ_by_media_type(branches: &Value) -> bool {
    branches
        .as_array()
        .into_iter()
        .flatten()
        .filter(|branch| branch.get("contentMediaType").is_some())
        .count()
        > 1
}

/// The name in `format`, there or alone in an `allOf` (which is how 1.0 writes a bounding box).
fn format_of(members: &Map<String, Value>) -> Option<&str> {
    let direct = members.get("format").and_then(Value::as_str);
    let listed =
        || members.get("allOf")?.as_array()?.iter().find_map(|branch| branch.get("format")?.as_str());
    direct.or_else(listed)
}

/// The component that says what a format of the standard means (`/rec/ogc-process-description/format-key`).
fn component(format: &str) -> Option<&'static str> {
    let short =
        format.strip_prefix("http://www.opengis.net/def/format/ogcapi-processes/0/").unwrap_or(format);
    match short {
        "ogc-bbox" => Some("bbox"),
        "geojson-geometry" => Some("geojsonGeometry"),
        "geojson-feature" => Some("geojsonFeature"),
        "geojson-feature-collection" => Some("geojsonFeatureCollection"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_of_openapi_are_left() {
        let binary = json!({"type": "string", "contentEncoding": "binary", "contentMediaType": "image/tiff", "default": {"href": "x.tif"}});
        assert_eq!(openapi(&binary), json!({"type": "string", "format": "byte"}));
        let boxed = json!({"allOf": [{"format": "ogc-bbox"}]});
        assert_eq!(openapi(&boxed), json!({"$ref": "#/components/schemas/bbox"}));
        let texts = json!({"oneOf": [{"type": "string", "contentMediaType": "text/csv"}, {"const": 1}]});
        assert_eq!(openapi(&texts), json!({"oneOf": [{"type": "string"}, {"enum": [1]}]}));
        let alike = json!({"oneOf": [
            {"type": "string", "contentMediaType": "text/csv"},
            {"type": "string", "contentMediaType": "text/plain"},
        ]});
        assert_eq!(openapi(&alike), json!({"anyOf": [{"type": "string"}, {"type": "string"}]}));
        let point = json!({"type": "object", "format": "geojson-geometry", "properties": {"type": {"enum": ["Point"]}}});
        assert_eq!(
            openapi(&point),
            json!({"allOf": [
                {"$ref": "#/components/schemas/geojsonGeometry"},
                {"type": "object", "properties": {"type": {"enum": ["Point"]}}},
            ]})
        );
    }
}
