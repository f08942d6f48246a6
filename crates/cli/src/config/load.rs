//! Reads the configuration: defaults, then the file, then `RUTTER__…` variables, then flags.
//!
//! `RUTTER__SERVER__PUBLIC_URL=https://x/` sets `server.publicUrl`; values are YAML, so lists can be given too.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::Config;

/// Prefix of variables that set configuration keys.
const PREFIX: &str = "RUTTER__";

/// Why the configuration can't be used; each message is one line with place and remedy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file can't be read.
    #[error("{}: {source}; name an existing file with --config", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no YAML.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: u64,
        /// What is wrong.
        message: String,
    },
    /// A variable's value is no YAML.
    #[error("{name}: {message}")]
    Variable {
        /// The variable.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// A key that does not exist, or a value of the wrong kind.
    #[error("{place}: {path}: {message}")]
    Shape {
        /// The file, or `configuration`.
        place: String,
        /// The key.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// Values that can't be right.
    #[error("{}", .0.join("\n"))]
    Values(Vec<String>),
}

/// The configuration file that is there when none is named.
pub(crate) fn usual_file() -> Option<PathBuf> {
    ["rutter.yaml", "/etc/rutter/rutter.yaml"].map(PathBuf::from).into_iter().find(|path| path.is_file())
}

/// Read the configuration; `flags` is merged last. Relative paths in the file become relative to its folder.
pub(crate) fn load(
    file: Option<&Path>,
    variables: impl Iterator<Item = (String, String)>,
    flags: Value,
) -> Result<Config, ConfigError> {
    load_upon(Value::Object(Map::new()), file, variables, flags)
}

/// The same upon settings that everything else beats.
pub(crate) fn load_upon(
    below: Value,
    file: Option<&Path>,
    variables: impl Iterator<Item = (String, String)>,
    flags: Value,
) -> Result<Config, ConfigError> {
    let written = match file {
        Some(path) => read(path)?,
        None => Value::Object(Map::new()),
    };
    let mut tree = below;
    merge(&mut tree, written.clone());
    for (name, value) in variables.filter(|(name, _)| name.starts_with(PREFIX)) {
        let value = rutter_core::yaml::from_str(&value)
            .map_err(|error| ConfigError::Variable { name: name.clone(), message: error.to_string() })?;
        merge(&mut tree, nested(&name[PREFIX.len()..], value));
    }
    merge(&mut tree, flags);
    let place = file.map_or("configuration".into(), |path| path.display().to_string());
    let mut config: Config =
        serde_path_to_error::deserialize(tree.clone()).map_err(|error| ConfigError::Shape {
            place: place.clone(),
            path: error.path().to_string(),
            message: error.inner().to_string(),
        })?;
    if let Some(folder) = file.and_then(Path::parent) {
        anchor(&mut config, folder);
    }
    let faults = config.faults().into_iter().map(|fault| match stands_in(&written, &tree, &fault) {
        true => format!("{place}: {fault}"),
        false => fault,
    });
    let faults: Vec<_> = faults.collect();
    if faults.is_empty() { Ok(config) } else { Err(ConfigError::Values(faults)) }
}

/// Whether the value that a fault (`key: …`) is about was written in the file, and no variable or flag beat it.
fn stands_in(file: &Value, merged: &Value, fault: &str) -> bool {
    let key = fault.split(':').next().unwrap_or_default();
    let pointer = format!("/{}", key.replace('.', "/"));
    file.pointer(&pointer).is_some_and(|value| merged.pointer(&pointer) == Some(value))
}

fn read(path: &Path) -> Result<Value, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let tree: Option<Value> = rutter_core::yaml::from_str(&text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: error.line,
        column: error.column,
        message: error.message,
    })?;
    Ok(tree.unwrap_or_else(|| Value::Object(Map::new())))
}

/// `SERVER__PUBLIC_URL` with a value as `{server: {publicUrl: value}}`.
fn nested(name: &str, value: Value) -> Value {
    name.rsplit("__").fold(value, |inner, part| {
        let mut map = Map::new();
        map.insert(camel(part), inner);
        Value::Object(map)
    })
}

fn camel(part: &str) -> String {
    let mut words = part.split('_').map(str::to_lowercase);
    let first = words.next().unwrap_or_default();
    words.fold(first, |mut text, word| {
        let mut letters = word.chars();
        text.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        text.extend(letters);
        text
    })
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// Paths of the file are relative to it, not to where the server was started. Flags are absolute already.
fn anchor(config: &mut Config, folder: &Path) {
    let set = |path: &mut PathBuf| *path = folder.join(&*path);
    config.data.as_mut().map(set);
    config.processes.iter_mut().for_each(set);
    config.server.caller_token_file.as_mut().map(set);
    config.local.secrets.as_mut().map(set);
    config.local.container_agent.as_mut().map(set);
    config.kubernetes.kubeconfig.as_mut().map(set);
    config.kubernetes.registries.authority.as_mut().map(set);
    if let Some(tls) = &mut config.kubernetes.tls {
        set(&mut tls.certificate);
        set(&mut tls.key);
        tls.authority.as_mut().map(set);
    }
    if let Some(super::Auth::TokenFile(path)) = &mut config.server.auth {
        set(path);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Auth;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rutter.yaml");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn variables(list: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
        list.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn flags_beat_variables_and_variables_beat_the_file() {
        let (_folder, path) = file("server: {listen: '127.0.0.1:1', title: A}\njobs: {keepDays: 3}\n");
        let set = variables(&[("RUTTER__SERVER__LISTEN", "127.0.0.1:2"), ("RUTTER__SERVER__TITLE", "B")]);
        let config = load(Some(&path), set, json!({"server": {"listen": "127.0.0.1:3"}})).unwrap();
        assert_eq!(config.server.listen, "127.0.0.1:3");
        assert_eq!(config.server.title, "B");
        assert_eq!(config.jobs.keep_days, 3.0);
    }

    #[test]
    fn unknown_keys_are_refused_with_their_path() {
        let (_folder, path) = file("server:\n  publicURL: https://x/\n");
        let error = load(Some(&path), variables(&[]), json!({})).unwrap_err().to_string();
        assert!(error.contains("server.publicURL") && error.contains("publicUrl"), "{error}");
        let error =
            load(None, variables(&[("RUTTER__SERVER__NOPE", "1")]), json!({})).unwrap_err().to_string();
        assert!(error.contains("server.nope"), "{error}");
    }

    #[test]
    fn faults_of_syntax_say_file_line_and_column() {
        let (_folder, path) = file("server:\n  listen: [\n");
        let error = load(Some(&path), variables(&[]), json!({})).unwrap_err().to_string();
        assert!(error.contains("rutter.yaml:"), "{error}");
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let (folder, path) =
            file("data: d\nprocesses: [p]\nserver: {auth: {tokenFile: tokens.yaml}}\nlocal: {secrets: s}\n");
        let config = load(Some(&path), variables(&[]), json!({})).unwrap();
        assert_eq!(config.data, Some(folder.path().join("d")));
        assert_eq!(config.server.auth, Some(Auth::TokenFile(folder.path().join("tokens.yaml"))));
    }

    #[test]
    fn values_that_cannot_be_right_are_all_named_with_the_file_that_they_stand_in() {
        let (_folder, path) = file("server: {listen: '127.0.0.1:1'}\njobs: {keepDays: -1}\n");
        let flags = json!({"server": {"listen": "nowhere"}});
        let error = load(Some(&path), variables(&[]), flags).unwrap_err().to_string();
        assert!(error.contains(&format!("{}: jobs.keepDays: -1", path.display())), "{error}");
        assert!(error.lines().any(|line| line.starts_with("server.listen: \"nowhere\"")), "{error}");
    }
}
