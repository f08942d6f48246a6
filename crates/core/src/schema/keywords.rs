//! Keywords of JSON Schema 2020-12 that hold schemas.

use serde_json::Value;

/// Those that hold one.
pub(crate) const ONE: [&str; 11] = [
    "not",
    "items",
    "additionalProperties",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
];
/// Those that hold a list.
pub(crate) const LISTS: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Those that hold some by name.
pub(crate) const MAPS: [&str; 5] =
    ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
/// Those that hold alternatives, in the order in which they count.
pub(crate) const ALTERNATIVES: [&str; 2] = ["oneOf", "anyOf"];

/// Schemas that the same value must or may satisfy.
pub(crate) fn applied(schema: &Value) -> impl Iterator<Item = &Value> {
    ["allOf", "oneOf", "anyOf"].into_iter().filter_map(|word| schema.get(word)?.as_array()).flatten()
}
