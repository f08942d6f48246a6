//! Checks a schema of a package: what makes it unusable is a fault at its place, what 1.0 can't say is a notice.

use serde_json::Value;

use super::{
    located::Kind,
    suggest,
    walk::{Report, Spot, meant, shorten},
};
use crate::schema::{LISTS, MAPS, ONE, Schema};

/// The types of JSON Schema.
const TYPES: [&str; 7] = ["array", "boolean", "integer", "number", "object", "string", "null"];

/// Other keywords of JSON Schema 2020-12, and those of 1.0's dialect that mean nothing in it.
const OTHERS: [&str; 41] = [
    "$schema",
    "$id",
    "$ref",
    "$anchor",
    "$dynamicRef",
    "$dynamicAnchor",
    "$vocabulary",
    "$comment",
    "type",
    "enum",
    "const",
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
    "maxContains",
    "minContains",
    "maxProperties",
    "minProperties",
    "required",
    "dependentRequired",
    "title",
    "description",
    "default",
    "deprecated",
    "readOnly",
    "writeOnly",
    "examples",
    "example",
    "format",
    "contentEncoding",
    "contentMediaType",
    "nullable",
    "dependencies",
];

/// Checks a schema and compiles it. `None` after at least one fault.
pub(super) fn compile(report: &mut Report<'_>, spot: &Spot<'_>) -> Option<Schema> {
    if !report.any_object(spot) {
        return None;
    }
    let before = report.faults.len();
    let value = spot.node.to_value();
    walk(report, spot, &value);
    if report.faults.len() > before {
        return None;
    }
    match Schema::compile(&value) {
        Ok(schema) => Some(schema),
        Err(error) => {
            let place = spot.node.nearest(&error.pointer).place;
            let path = format!("{}{}", spot.path, dotted(&error.pointer));
            let remedy = Some("schemas are JSON Schema 2020-12".to_owned());
            report.fault_at(
                place,
                &path,
                format!("is no valid schema: {}", shorten_line(&error.reason)),
                remedy,
            );
            None
        }
    }
}

/// `/properties/a/0` as `.properties.a[0]`.
pub(super) fn dotted(pointer: &str) -> String {
    pointer
        .split('/')
        .skip(1)
        .map(|step| match step.parse::<usize>() {
            Ok(at) => format!("[{at}]"),
            Err(_) => format!(".{}", step.replace("~1", "/").replace("~0", "~")),
        })
        .collect()
}

fn shorten_line(text: &str) -> String {
    const LIMIT: usize = 300;
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LIMIT).collect()
}

fn walk(report: &mut Report<'_>, spot: &Spot<'_>, root: &Value) {
    match spot.node.kind {
        Kind::Map(_) => {}
        Kind::Bool(_) => {
            return cannot_say(report, spot, "a schema that is only true or false", "leave it out");
        }
        _ => return report.wrong_kind(spot, "a schema: an object", "write its members as `name: value`"),
    }
    for (key, member) in spot.members() {
        let name = key.text.as_str();
        if name == "additionalProperties" && matches!(member.node.kind, Kind::Bool(_)) {
            continue;
        }
        if ONE.contains(&name) {
            walk(report, &member, root);
        } else if LISTS.contains(&name) {
            for item in report.list(&member).unwrap_or_default() {
                walk(report, &item, root);
            }
        } else if MAPS.contains(&name) {
            if report.any_object(&member) {
                member.members().iter().for_each(|(_, inner)| walk(report, inner, root));
            }
        } else {
            keyword(report, name, &member, root);
        }
        dialect(report, name, &member);
        unknown(report, key, &member);
    }
}

/// A misspelt keyword would silently allow everything.
fn unknown(report: &mut Report<'_>, key: &super::located::Key, member: &Spot<'_>) {
    let name = key.text.as_str();
    let known = || ONE.iter().chain(&LISTS).chain(&MAPS).chain(&OTHERS).copied();
    if name.starts_with("x-") || known().any(|keyword| keyword == name) {
        return;
    }
    if let Some(near) = suggest::nearest(name, known()) {
        let message = format!("{:?} is no keyword of JSON Schema and has no effect", shorten(name));
        report.notice_at(key.place, &member.path, message, Some(format!("did you mean {near:?}?")));
    }
}

fn keyword(report: &mut Report<'_>, name: &str, member: &Spot<'_>, root: &Value) {
    match name {
        "type" => types(report, member),
        "$ref" | "$dynamicRef" => reference(report, member, root),
        _ => {}
    }
}

fn types(report: &mut Report<'_>, spot: &Spot<'_>) {
    match &spot.node.kind {
        Kind::List(_) => {
            for item in spot.items() {
                one_type(report, &item);
            }
        }
        _ => one_type(report, spot),
    }
}

fn one_type(report: &mut Report<'_>, spot: &Spot<'_>) {
    let Kind::Text(text) = &spot.node.kind else {
        let remedy =
            if matches!(spot.node.kind, Kind::Null) { "write \"null\" in quotes" } else { "write a type" };
        return report.wrong_kind(spot, "a type", remedy);
    };
    if TYPES.contains(&text.as_str()) {
        return;
    }
    let remedy = match other_name(text) {
        Some(right) => format!("did you mean {right:?}?"),
        None => meant(text, &TYPES),
    };
    report.fault(spot, format!("{:?} is no type of JSON Schema", shorten(text)), remedy);
}

/// What other languages call the types.
fn other_name(text: &str) -> Option<&'static str> {
    Some(match text.to_lowercase().as_str() {
        "float" | "double" | "decimal" | "real" => "number",
        "int" | "int32" | "int64" | "long" => "integer",
        "str" | "text" | "file" | "date" | "uri" => "string",
        "bool" => "boolean",
        "dict" | "map" | "json" | "geojson" => "object",
        "list" | "tuple" => "array",
        "none" | "nil" => "null",
        _ => return None,
    })
}

fn reference(report: &mut Report<'_>, spot: &Spot<'_>, root: &Value) {
    let Some(text) = report.text(spot) else { return };
    let Some(fragment) = text.strip_prefix('#') else {
        let message = format!("{:?} is in another document; nothing is fetched for a schema", shorten(text));
        return report.fault(spot, message, "copy it below `$defs` and write #/$defs/NAME");
    };
    let pointer = fragment.is_empty() || fragment.starts_with('/');
    if pointer && resolve(root, text).is_none() {
        report.fault(spot, format!("{:?} names nothing in this schema", shorten(text)), "write #/$defs/NAME");
    }
}

/// What a local reference (`#`, `#/…`) names.
pub(super) fn resolve<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(&percent_decoded(reference.strip_prefix('#')?)?)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok()
}

/// Names what descriptions of version 1.0 can't say (its `schema.yaml` is a closed part of OpenAPI 3.0).
fn dialect(report: &mut Report<'_>, name: &str, member: &Spot<'_>) {
    let shown = match name {
        "const" => "an `enum` of one value",
        "type" if matches!(member.node.kind, Kind::List(_)) => "`nullable` or alternatives",
        "exclusiveMinimum" | "exclusiveMaximum" if !matches!(member.node.kind, Kind::Bool(_)) => {
            "an inclusive bound with the mark that it is exclusive"
        }
        "$ref" => "what it names, in its place",
        "examples" => "the first of them",
        "$dynamicRef"
        | "$dynamicAnchor"
        | "$anchor"
        | "if"
        | "then"
        | "else"
        | "prefixItems"
        | "contains"
        | "minContains"
        | "maxContains"
        | "patternProperties"
        | "propertyNames"
        | "unevaluatedItems"
        | "unevaluatedProperties"
        | "dependentRequired"
        | "dependentSchemas"
        | "dependencies" => "nothing",
        "contentSchema" if !matches!(member.node.kind, Kind::Text(_)) => "nothing",
        _ => return,
    };
    cannot_say(
        report,
        member,
        &format!("`{name}`"),
        &format!("descriptions show {shown}; validation uses it as written"),
    );
}

fn cannot_say(report: &mut Report<'_>, spot: &Spot<'_>, what: &str, instead: &str) {
    let message = format!("{what} cannot be said in the schemas of version 1.0");
    report.notice(spot, message, Some(instead.to_owned()));
}
