//! A schema in a few words, for tables.

use serde_json::Value;

/// Longest list of allowed values that is shown.
const VALUES: usize = 12;

/// What values a schema allows.
pub(super) fn kind(schema: &Value) -> String {
    if let Some(name) = named(schema) {
        return name.to_owned();
    }
    if let Some(branches) = ["oneOf", "anyOf"].iter().find_map(|name| schema.get(name)?.as_array()) {
        let mut kinds: Vec<String> = branches.iter().map(kind).collect();
        kinds.dedup();
        return kinds.join(" or ");
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let shown: Vec<String> = values.iter().take(VALUES).map(word).collect();
        let more = if values.len() > VALUES { ", …" } else { "" };
        return format!("{}{more}", shown.join(", "));
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => text(schema),
        Some("integer") => format!("whole number{}", range(schema, "minimum", "maximum", "")),
        Some("number") => format!("number{}", range(schema, "minimum", "maximum", "")),
        Some("boolean") => "true or false".into(),
        Some("array") => array(schema),
        Some("object") => match schema.get("contentMediaType").and_then(Value::as_str) {
            Some(media_type) => format!("object, {media_type}"),
            None => "object".into(),
        },
        _ => "any".into(),
    }
}

fn named(schema: &Value) -> Option<&'static str> {
    let format = |schema: &Value| schema.get("format").and_then(Value::as_str).map(str::to_owned);
    let listed = || schema.get("allOf")?.as_array()?.iter().find_map(format);
    let format = format(schema).or_else(listed)?;
    match format.rsplit('/').next()? {
        "ogc-bbox" => Some("bounding box"),
        "geojson-geometry" => Some("GeoJSON geometry"),
        "geojson-feature" => Some("GeoJSON feature"),
        "geojson-feature-collection" => Some("GeoJSON feature collection"),
        "date-time" => Some("date and time"),
        "date" => Some("date"),
        "uri" => Some("URL"),
        "uuid" => Some("UUID"),
        _ => None,
    }
}

fn text(schema: &Value) -> String {
    let encoded = schema.get("contentEncoding").is_some()
        || matches!(schema.get("format").and_then(Value::as_str), Some("byte" | "binary"));
    match (schema.get("contentMediaType").and_then(Value::as_str), encoded) {
        (Some(media_type), true) => format!("file, {media_type}"),
        (Some(media_type), false) => media_type.to_owned(),
        (None, true) => "file".into(),
        (None, false) => format!("text{}", range(schema, "minLength", "maxLength", " characters")),
    }
}

fn array(schema: &Value) -> String {
    let of = schema.get("items").map_or_else(|| "any".into(), kind);
    format!("list of: {of}{}", range(schema, "minItems", "maxItems", " items"))
}

fn range(schema: &Value, least: &str, most: &str, unit: &str) -> String {
    match (schema.get(least), schema.get(most)) {
        (Some(least), Some(most)) => format!(", {least} to {most}{unit}"),
        (Some(least), None) => format!(", at least {least}{unit}"),
        (None, Some(most)) => format!(", at most {most}{unit}"),
        (None, None) => String::new(),
    }
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_in_a_few_words() {
        for (schema, wanted) in [
            (json!({"type": "string"}), "text"),
            (json!({"type": "string", "minLength": 1, "maxLength": 9}), "text, 1 to 9 characters"),
            (json!({"type": "number", "minimum": 0, "maximum": 60}), "number, 0 to 60"),
            (json!({"type": "array", "items": {"type": "integer"}}), "list of: whole number"),
            (json!({"allOf": [{"format": "ogc-bbox"}]}), "bounding box"),
            (json!({"enum": ["a", 1]}), "a, 1"),
            (
                json!({"type": "string", "contentEncoding": "binary", "contentMediaType": "image/tiff"}),
                "file, image/tiff",
            ),
            (
                json!({"oneOf": [{"type": "string", "contentMediaType": "text/csv"}, {"type": "boolean"}]}),
                "text/csv or true or false",
            ),
            (json!({}), "any"),
        ] {
            assert_eq!(kind(&schema), wanted, "{schema}");
        }
    }
}
