//! Which Secrets of the namespace packages may name. Whoever may deploy a package can read what its pods are given, so the
//! operator says what that can be.

use std::{fmt, str::FromStr};

use globset::{Glob, GlobMatcher};
use serde_json::Value;

/// A name of Secrets, in which `*` stands for anything.
#[derive(Clone)]
pub struct Secrets(GlobMatcher);

/// A name that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{written:?} is no name of a Secret: use lower-case letters, digits, '-', '.', and '*' for anything")]
pub struct NoPattern {
    /// What was written.
    pub written: String,
}

impl Secrets {
    /// Whether a Secret is meant.
    pub fn has(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

impl FromStr for Secrets {
    type Err = NoPattern;

    fn from_str(text: &str) -> Result<Self, NoPattern> {
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '*');
        let wrong = || NoPattern { written: text.to_owned() };
        if text.is_empty() || !text.chars().all(known) {
            return Err(wrong());
        }
        Glob::new(text).map(|glob| Self(glob.compile_matcher())).map_err(|_| wrong())
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.glob())
    }
}

/// Every Secret that a part of a pod's specification names, with its place. By the names of members, not by their places:
/// kinds of volumes have their own ways to name one.
pub(crate) fn named_in<'a>(value: &'a Value, at: &str, found: &mut Vec<(String, &'a str)>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                named_in(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(members) => {
            for (member, value) in members {
                let at = format!("{at}/{member}");
                if let Some(name) = named_by(member, value) {
                    found.push((at.clone(), name));
                } else if member == "imagePullSecrets" {
                    let names = value.as_array().into_iter().flatten().enumerate();
                    found.extend(
                        names.filter_map(|(index, it)| Some((format!("{at}/{index}"), it["name"].as_str()?))),
                    );
                }
                named_in(value, &at, found);
            }
        }
        _ => {}
    }
}

fn named_by<'a>(member: &str, value: &'a Value) -> Option<&'a str> {
    match member {
        "secretName" => value.as_str(),
        // Of a projected volume; another volume's has `secretName`.
        "secret" | "secretKeyRef" => value["name"].as_str(),
        _ if member.to_ascii_lowercase().ends_with("secretref") => value["name"].as_str(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_and_patterns() {
        let has = |pattern: &str, name: &str| pattern.parse::<Secrets>().unwrap().has(name);
        assert!(
            has("s3", "s3")
                && has("models-*", "models-key")
                && has("*.models", "a.b.models")
                && has("*", "x")
        );
        assert!(!has("s3", "s33") && !has("models-*", "model") && !has("*.models", "models"));
        for wrong in ["", "A", "a b", "a/b", "{a,b}", "[a]", "?", "../x"] {
            assert!(wrong.parse::<Secrets>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_way_to_name_one_is_seen() {
        let spec = json!({
            "imagePullSecrets": [{"name": "a"}],
            "containers": [{
                "env": [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "b", "key": "k"}}},
                    {"name": "secretName", "value": "harmless"}],
                "envFrom": [{"secretRef": {"name": "c"}}, {"configMapRef": {"name": "harmless"}}],
            }],
            "initContainers": [{"envFrom": [{"secretRef": {"name": "d"}}]}],
            "volumes": [
                {"name": "harmless", "secret": {"secretName": "e"}},
                {"projected": {"sources": [{"secret": {"name": "f"}}, {"configMap": {"name": "harmless"}}]}},
                {"csi": {"driver": "harmless", "nodePublishSecretRef": {"name": "g"}}},
                {"azureFile": {"secretName": "h", "shareName": "harmless"}},
                {"cephfs": {"secretRef": {"name": "i"}}},
            ],
        });
        let mut found = Vec::new();
        named_in(&spec, "", &mut found);
        let names: Vec<&str> = found.iter().map(|(_, name)| *name).collect();
        assert_eq!(names.join(""), "abcdefghi");
        assert_eq!(found[5].0, "/volumes/1/projected/sources/0/secret");
    }
}
