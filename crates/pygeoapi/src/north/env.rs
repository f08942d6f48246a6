//! `env` of a processor: values as Python's `str()` writes them, and keys of Secrets.

use serde_json::{Value, json};

use crate::{
    expand::Variables,
    python,
    remark::Report,
    spot::Spot,
    yaml::{Kind, Scalar},
};

/// The variables of a container, in order.
#[derive(Debug, Default)]
pub(super) struct Env {
    entries: Vec<Entry>,
    /// What commands may refer to.
    pub(super) variables: Variables,
}

#[derive(Debug)]
struct Entry {
    name: String,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// A text as written and as Kubernetes fills it in; `None` = only Kubernetes can.
    Text { raw: String, filled: Option<String> },
    /// A key of a Secret.
    Secret { name: String, key: String },
    /// `valueFrom` in Kubernetes' words.
    Raw(Value),
}

/// Reads the list. What the program could not be given is left out with a doubt.
pub(super) fn read(report: &mut Report, processor: &Spot<'_>) -> Env {
    let mut env = Env::default();
    let Some(spot) = processor.some("env") else { return env };
    for item in report.list(&spot) {
        let Some(entry) = entry(report, &item, &env.variables) else { continue };
        let known = match &entry.source {
            Source::Text { filled, .. } => filled.clone(),
            Source::Secret { .. } | Source::Raw(_) => None,
        };
        env.variables.set(&entry.name, known);
        if env.entries.iter().any(|other| other.name == entry.name) {
            report.doubt(&item, format!("{} stands here twice; the last one counts", entry.name));
            env.entries.retain(|other| other.name != entry.name);
        }
        env.entries.push(entry);
    }
    env
}

impl Env {
    /// As `env` of a unit; `None` when something in it can be said to Kubernetes only.
    pub(super) fn of_unit(&self) -> Option<Value> {
        let entries = self.entries.iter().map(|Entry { name, source }| match source {
            _ if !is_plain_name(name) => None,
            Source::Text { filled: Some(text), .. } if !text.contains("$(") => {
                Some(json!({"name": name, "value": text}))
            }
            Source::Secret { name: secret, key } => {
                Some(json!({"name": name, "secretName": secret, "secretKey": key}))
            }
            _ => None,
        });
        entries.collect()
    }

    /// As `env` of a container.
    pub(super) fn of_container(&self) -> Value {
        let entry = |Entry { name, source }: &Entry| match source {
            Source::Text { raw, .. } => json!({"name": name, "value": raw}),
            Source::Secret { name: secret, key } => {
                json!({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}})
            }
            Source::Raw(from) => json!({"name": name, "valueFrom": from}),
        };
        self.entries.iter().map(entry).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

fn entry(report: &mut Report, spot: &Spot<'_>, before: &Variables) -> Option<Entry> {
    if !report.map(spot) {
        return None;
    }
    report.unknown(spot, &["name", "value", "secret_name", "secret_key", "valueFrom"]);
    let Some(name) = report.text_of(spot, "name") else {
        report.doubt(spot, "has no `name`; it is left out");
        return None;
    };
    if name.starts_with("RUTTER_") || name.contains('=') {
        report.doubt(
            spot,
            format!("{name} can't be set: names with `=`, or that begin with RUTTER_; it is left out"),
        );
        return None;
    }
    let source = source(report, spot, before)?;
    Some(Entry { name, source })
}

fn source(report: &mut Report, spot: &Spot<'_>, before: &Variables) -> Option<Source> {
    if spot.get("secret_name").is_some() || spot.get("secret_key").is_some() {
        let (name, key) = (report.text_of(spot, "secret_name"), report.text_of(spot, "secret_key"));
        let (Some(name), Some(key)) = (name, key) else {
            report.doubt(spot, "`secret_name` and `secret_key` belong together; it is left out");
            return None;
        };
        if let Some(value) = spot.get("value") {
            report.doubt(&value, "stands beside a Secret, which counts");
        }
        return Some(Source::Secret { name, key });
    }
    if let Some(value) = spot.get("value") {
        let raw = text(report, &value);
        let expanded = before.expand(&raw);
        let filled = expanded.unknown.is_empty().then_some(expanded.text);
        return Some(Source::Text { raw, filled });
    }
    let Some(from) = spot.some("valueFrom").filter(Spot::is_map) else {
        report.doubt(spot, "has neither `value` nor `secret_name` and `secret_key`; it is left out");
        return None;
    };
    Some(from_kubernetes(&from.json()))
}

/// 52N knows no `valueFrom`; its meaning is clear.
fn from_kubernetes(from: &Value) -> Source {
    let secret = &from["secretKeyRef"];
    let members = (from.as_object().map(|it| it.len()), secret.as_object().map(|it| it.len()));
    match (secret["name"].as_str(), secret["key"].as_str(), members) {
        (Some(name), Some(key), (Some(1), Some(2))) => {
            Source::Secret { name: name.to_owned(), key: key.to_owned() }
        }
        _ => Source::Raw(from.clone()),
    }
}

/// The value as the program sees it.
fn text(report: &mut Report, value: &Spot<'_>) -> String {
    let text = python::text(value.node);
    match &value.node.kind {
        Kind::Scalar(Scalar::Null) => {
            report.doubt(value, "is empty; the program is given the text `None`, as by pygeoapi: write \"\"");
        }
        Kind::Scalar(Scalar::Text(_)) => {}
        Kind::List(_) | Kind::Map(_) => {
            report.doubt(value, format!("the program is given the text `{text}`, as by pygeoapi"));
        }
        Kind::Scalar(_) => report.note(value, format!("the program is given the text `{text}`")),
    }
    text
}

/// Names that `env` of a unit takes.
fn is_plain_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
