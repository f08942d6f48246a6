//! Media types that a schema speaks of.

use serde_json::Value;

use super::schema_walk::resolve;

/// Media types of the alternatives, in order and each once: `contentMediaType`; else text or bytes for strings, JSON
/// for the rest.
pub(super) fn types(schema: &Value) -> Vec<String> {
    let mut types = Vec::new();
    let branches = branches(schema);
    if branches.is_empty() {
        types.push("application/json".to_owned());
    }
    for branch in branches {
        let media_type = branch.media_type();
        if !types.contains(&media_type) {
            types.push(media_type);
        }
    }
    types
}

/// Whether the program gets a file: the schema, or its first alternative, is a string with a media type or encoding.
pub(super) fn is_file(schema: &Value) -> bool {
    branches(schema).first().is_some_and(Branch::is_file)
}

/// An alternative: what it says itself, and what its surroundings say.
struct Branch<'a> {
    schema: &'a Value,
    around: Option<&'a Value>,
}

fn branches(schema: &Value) -> Vec<Branch<'_>> {
    let top = followed(schema, schema);
    for name in ["oneOf", "anyOf"] {
        if let Some(branches) = top.get(name).and_then(Value::as_array) {
            let branch = |inner| Branch { schema: followed(schema, inner), around: Some(top) };
            let is_null = |branch: &Branch<'_>| branch.get("type").is_some_and(|it| it == "null");
            return branches.iter().map(branch).filter(|branch| !is_null(branch)).collect();
        }
    }
    vec![Branch { schema: top, around: None }]
}

fn followed<'a>(root: &'a Value, mut schema: &'a Value) -> &'a Value {
    const STEPS: usize = 16;
    for _ in 0..STEPS {
        let Some(next) = schema.get("$ref").and_then(Value::as_str).and_then(|name| resolve(root, name)) else { break };
        schema = next;
    }
    schema
}

impl<'a> Branch<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.schema.get(name).or_else(|| self.around.and_then(|around| around.get(name)))
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(Value::as_str)
    }

    fn is_text(&self) -> bool {
        match self.get("type") {
            Some(Value::String(name)) => name == "string",
            Some(Value::Array(names)) => names.iter().all(|name| name == "string" || name == "null"),
            _ => false,
        }
    }

    fn is_binary(&self) -> bool {
        self.get("contentEncoding").is_some() || matches!(self.text("format"), Some("binary" | "byte"))
    }

    fn is_file(&self) -> bool {
        self.is_text() && (self.get("contentMediaType").is_some() || self.is_binary())
    }

    fn media_type(&self) -> String {
        let fallback = match (self.is_text(), self.is_binary()) {
            (true, true) => "application/octet-stream",
            (true, false) => "text/plain",
            (false, _) => "application/json",
        };
        self.text("contentMediaType").unwrap_or(fallback).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn media_types_follow_the_schema() {
        let tiff = "image/tiff; application=geotiff";
        let table = [
            (json!({"type": "string"}), vec!["text/plain"], false),
            (json!({"type": "number"}), vec!["application/json"], false),
            (json!({}), vec!["application/json"], false),
            (json!({"type": "string", "contentMediaType": "text/csv"}), vec!["text/csv"], true),
            (json!({"type": "string", "contentEncoding": "binary", "contentMediaType": tiff}), vec![tiff], true),
            (json!({"type": "string", "format": "byte"}), vec!["application/octet-stream"], true),
            (json!({"type": "object", "contentMediaType": "application/geo+json"}), vec!["application/geo+json"], false),
            (
                json!({"oneOf": [{"type": "string", "contentMediaType": "text/csv"}, {"type": "object"}, {"type": "array"}]}),
                vec!["text/csv", "application/json"],
                true,
            ),
            (json!({"type": "string", "anyOf": [{"contentMediaType": "a/b"}, {"contentMediaType": "c/d"}]}), vec!["a/b", "c/d"], true),
            (json!({"$ref": "#/$defs/t", "$defs": {"t": {"type": "string", "contentMediaType": "a/b"}}}), vec!["a/b"], true),
            (json!({"type": ["string", "null"], "contentMediaType": "a/b"}), vec!["a/b"], true),
        ];
        for (schema, wanted, file) in table {
            assert_eq!(types(&schema), wanted, "{schema}");
            assert_eq!(is_file(&schema), file, "{schema}");
        }
    }
}
