//! The environment of an agent: the usual, its own settings, what the package names, and nothing else.

use std::{
    collections::BTreeMap,
    ffi::{CString, OsStr, OsString},
    fs, io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use rutter_core::{
    executor::ExecutorError,
    process::{EnvEntry, EnvValue},
};
use rutter_types::agent::{ENV_FOLDER, ENV_OPEN_FILES, ENV_SERVER, ENV_TOKEN_FILE};

use crate::{attempt::AttemptFolder, config::LocalConfig};

/// Beginning of names that only the agent's own settings have.
const OWN: &str = "RUTTER_AGENT_";
/// Where programs are when the server itself was not told.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

type Server<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// All variables as `NAME=value`. `server` gives the server's own.
pub(crate) fn environment(
    config: &LocalConfig,
    attempt: &AttemptFolder,
    entries: &[EnvEntry],
    server: Server<'_>,
) -> Result<Vec<CString>, ExecutorError> {
    let mut all = usual(config, server);
    add(&mut all, config, entries, server)?;
    let mut address = OsString::from("unix:");
    address.push(&config.socket);
    all.insert(ENV_SERVER.into(), address);
    all.insert(ENV_TOKEN_FILE.into(), attempt.token_path().into());
    all.insert(ENV_FOLDER.into(), attempt.path().into());
    all.extend(config.open_files.map(|files| (ENV_OPEN_FILES.into(), files.to_string().into())));
    all.into_iter().map(|(name, value)| line(&name, &value)).collect()
}

/// What the package names, and nothing else: the rest is the image's.
pub(crate) fn of_package(
    config: &LocalConfig,
    entries: &[EnvEntry],
    server: Server<'_>,
) -> Result<BTreeMap<String, String>, ExecutorError> {
    let mut all = BTreeMap::new();
    add(&mut all, config, entries, server)?;
    let mut texts = BTreeMap::new();
    for (name, value) in all {
        line(&name, &value)?;
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => texts.insert(name, value),
            (Ok(name), Err(_)) => {
                return impossible(format!(
                    "the value of the environment variable {name} is no UTF-8: write it so"
                ));
            }
            (Err(_), _) => None,
        };
    }
    Ok(texts)
}

fn add(
    all: &mut BTreeMap<OsString, OsString>,
    config: &LocalConfig,
    entries: &[EnvEntry],
    server: Server<'_>,
) -> Result<(), ExecutorError> {
    for entry in entries {
        check_name(&entry.name)?;
        if let Some(value) = resolve(config, entry, server)? {
            all.insert(entry.name.clone().into(), value);
        }
    }
    Ok(())
}

fn usual(config: &LocalConfig, server: Server<'_>) -> BTreeMap<OsString, OsString> {
    let mut path = config.program_path.clone().into_os_string();
    path.push(":");
    path.push(server("PATH").unwrap_or_else(|| USUAL_PATH.into()));
    let language = server("LANG").unwrap_or_else(|| "C.UTF-8".into());
    let mut all = BTreeMap::from([("PATH".into(), path), ("LANG".into(), language)]);
    all.extend(server("TZ").map(|zone| ("TZ".into(), zone)));
    all
}

fn check_name(name: &str) -> Result<(), ExecutorError> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return impossible(format!(
            "the environment variable {name:?} can't be set: rename it in the package"
        ));
    }
    if name.starts_with(OWN) {
        return impossible(format!(
            "names that begin with {OWN} are reserved: rename the variable {name} in the package"
        ));
    }
    Ok(())
}

fn resolve(
    config: &LocalConfig,
    entry: &EnvEntry,
    server: Server<'_>,
) -> Result<Option<OsString>, ExecutorError> {
    match &entry.value {
        EnvValue::Text(text) => Ok(Some(text.into())),
        EnvValue::Inherit => Ok(server(&entry.name)),
        EnvValue::Secret { name, key } => read_secret(config.secrets.as_deref(), name, key).map(Some),
    }
}

/// The value of a secret's key; one newline at its end is the editor's, not the secret's.
fn read_secret(folder: Option<&Path>, name: &str, key: &str) -> Result<OsString, ExecutorError> {
    let Some(folder) = folder else {
        return impossible(format!(
            "the secret '{name}' is needed and the server has no folder of secrets: name one in its configuration"
        ));
    };
    let Some(path) = secret_path(folder, name, key) else {
        return impossible(format!("'{name}' with key '{key}' can't be a secret: use names without '/'"));
    };
    match fs::read(&path) {
        Ok(mut bytes) => {
            if bytes.last() == Some(&b'\n') {
                bytes.pop();
            }
            Ok(OsString::from_vec(bytes))
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            impossible(format!(
                "the secret '{name}' has no key '{key}': write its value to {}",
                path.display()
            ))
        }
        Err(error) => impossible(format!(
            "the secret '{name}' can't be read: make {} readable for the server ({error})",
            path.display()
        )),
    }
}

fn secret_path(folder: &Path, name: &str, key: &str) -> Option<PathBuf> {
    let is_component = |text: &str| !matches!(text, "" | "." | "..") && !text.contains(['/', '\0']);
    (is_component(name) && is_component(key)).then(|| folder.join(name).join(key))
}

fn line(name: &OsStr, value: &OsStr) -> Result<CString, ExecutorError> {
    let line = [name.as_bytes(), b"=", value.as_bytes()].concat();
    CString::new(line).or_else(|_| {
        let name = name.to_string_lossy();
        impossible(format!("the value of the environment variable {name} has a NUL character: remove it"))
    })
}

fn impossible<T>(reason: String) -> Result<T, ExecutorError> {
    Err(ExecutorError::Impossible { reason })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{AgentCommand, Capacity};

    fn config(secrets: Option<PathBuf>) -> LocalConfig {
        LocalConfig {
            folder: "/data/attempts".into(),
            agent: AgentCommand { program: "/bin/agent".into(), args: vec![] },
            socket: "/data/agent.sock".into(),
            capacity: Capacity { cpu_milli: 1000, memory_bytes: 1 },
            grace: Duration::ZERO,
            secrets,
            program_path: "/opt/rutter".into(),
            open_files: None,
            containers: None,
        }
    }

    fn resolve_all(secrets: Option<PathBuf>, entries: &[EnvEntry]) -> Result<Vec<String>, ExecutorError> {
        let attempt = AttemptFolder::new("/data/attempts/x-1/1".into());
        let server = |name: &str| match name {
            "PATH" => Some("/bin".into()),
            "KEPT" => Some("yes".into()),
            "RUTTER_TOKEN" => Some("private".into()),
            _ => None,
        };
        let lines = environment(&config(secrets), &attempt, entries, &server)?;
        Ok(lines.into_iter().map(|line| line.into_string().unwrap()).collect())
    }

    fn entry(name: &str, value: EnvValue) -> EnvEntry {
        EnvEntry { name: name.to_owned(), value }
    }

    fn secret(name: &str, key: &str) -> EnvEntry {
        entry("S", EnvValue::Secret { name: name.to_owned(), key: key.to_owned() })
    }

    #[test]
    fn nothing_of_the_server_that_was_not_named() {
        let entries = [
            entry("A", EnvValue::Text("1 = 2".to_owned())),
            entry("KEPT", EnvValue::Inherit),
            entry("UNSET", EnvValue::Inherit),
        ];
        let expected = [
            "A=1 = 2",
            "KEPT=yes",
            "LANG=C.UTF-8",
            "PATH=/opt/rutter:/bin",
            "RUTTER_AGENT_FOLDER=/data/attempts/x-1/1",
            "RUTTER_AGENT_SERVER=unix:/data/agent.sock",
            "RUTTER_AGENT_TOKEN_FILE=/data/attempts/x-1/1/token",
        ];
        assert_eq!(resolve_all(None, &entries).unwrap(), expected);
    }

    #[test]
    fn a_limit_that_the_server_raised_is_told() {
        let config = LocalConfig { open_files: Some(1024), ..config(None) };
        let attempt = AttemptFolder::new("/data/attempts/x-1/1".into());
        let lines = environment(&config, &attempt, &[], &|_| None).unwrap();
        assert!(lines.contains(&c"RUTTER_AGENT_OPEN_FILES=1024".to_owned()), "{lines:?}");
    }

    #[test]
    fn secrets_are_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("db")).unwrap();
        fs::write(folder.path().join("db/password"), "top\n").unwrap();
        let secrets = || Some(folder.path().to_owned());
        assert!(resolve_all(secrets(), &[secret("db", "password")]).unwrap().contains(&"S=top".to_owned()));
        for (secrets, entry, remedy) in [
            (None, secret("db", "password"), "name one in its configuration"),
            (secrets(), secret("db", "user"), "db/user"),
            (secrets(), secret("other", "user"), "other/user"),
            (secrets(), secret("..", "user"), "without '/'"),
            (secrets(), secret("db", "../../etc/passwd"), "without '/'"),
        ] {
            let error = resolve_all(secrets, &[entry]).unwrap_err();
            assert!(
                matches!(&error, ExecutorError::Impossible { reason } if reason.contains(remedy)),
                "{error}"
            );
        }
    }

    #[test]
    fn names_that_would_mislead_are_refused() {
        for name in ["", "A=B", "A\0", "RUTTER_AGENT_FOLDER", "RUTTER_AGENT_CA"] {
            assert!(resolve_all(None, &[entry(name, EnvValue::Text(String::new()))]).is_err(), "{name:?}");
        }
        assert!(resolve_all(None, &[entry("A", EnvValue::Text("x\0y".to_owned()))]).is_err());
    }
}
