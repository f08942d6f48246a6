//! What the agent is told at its start: where the server is, who it is itself, where it may write.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use rutter_types::agent::{
    ENV_CA, ENV_CONTACT, ENV_ENVIRONMENT_FILE, ENV_FOLDER, ENV_OPEN_FILES, ENV_SERVER, ENV_TOKEN_FILE,
};

use crate::contact::Address;

/// The start of all variables that are the agent's own and hidden from the program.
pub(crate) const OWN_PREFIX: &str = "RUTTER_AGENT_";

/// Where an attempt runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// As a process of the server's machine, in a folder of its own.
    Machine,
    /// In a container, in the working directory of its image.
    Container,
}

/// Settings from the environment.
pub(crate) struct Settings {
    pub(crate) server: Address,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) folder: PathBuf,
    /// PEM, or a path to it: both are used by people who set CA variables.
    pub(crate) ca: Option<Vec<u8>>,
    /// How many files may be open here, where the server raised its own limit.
    pub(crate) open_files: Option<u64>,
    /// How long the server may be out of reach before there is an order, where that was told.
    pub(crate) contact: Option<Duration>,
    pub(crate) place: Place,
    /// Further variables of the program.
    pub(crate) environment: BTreeMap<String, String>,
    /// What the container's image runs by itself.
    pub(crate) own_command: Vec<String>,
}

/// A setting that is missing or can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0} is not set")]
    Missing(&'static str),
    #[error("{ENV_SERVER} is '{value}'; it must look like unix:/path/to/socket or https://host:port")]
    Server { value: String },
    #[error("{ENV_CA} names '{path}', which can't be read: {source}")]
    Ca { path: String, source: std::io::Error },
    #[error("{name} is '{value}'; it must be a number")]
    NoNumber { name: &'static str, value: String },
    #[error("{ENV_ENVIRONMENT_FILE} names '{path}', which can't be read: {source}")]
    Environment { path: String, source: std::io::Error },
}

impl Settings {
    pub(crate) fn from_env(place: Place, own_command: Vec<String>) -> Result<Self, Error> {
        let server = text(ENV_SERVER).ok_or(Error::Missing(ENV_SERVER))?;
        let address = Address::parse(&server).ok_or(Error::Server { value: server })?;
        let folder = std::env::var_os(ENV_FOLDER).ok_or(Error::Missing(ENV_FOLDER))?;
        // Paths are told to the program, which runs in another directory.
        let folder = std::path::absolute(&folder).unwrap_or_else(|_| folder.into());
        Ok(Self {
            server: address,
            token_file: std::env::var_os(ENV_TOKEN_FILE).map(PathBuf::from),
            folder,
            ca: text(ENV_CA).map(certificates).transpose()?,
            open_files: number(ENV_OPEN_FILES)?,
            contact: number(ENV_CONTACT)?.map(Duration::from_secs),
            place,
            environment: text(ENV_ENVIRONMENT_FILE).map(environment).transpose()?.unwrap_or_default(),
            own_command,
        })
    }
}

fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &'static str) -> Result<Option<u64>, Error> {
    let read = |value: String| value.parse().map_err(|_| Error::NoNumber { name, value });
    text(name).map(read).transpose()
}

fn environment(path: String) -> Result<BTreeMap<String, String>, Error> {
    let read = std::fs::read(&path).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?));
    read.map_err(|source| Error::Environment { path, source })
}

fn certificates(value: String) -> Result<Vec<u8>, Error> {
    if value.contains("-----BEGIN") {
        return Ok(value.into_bytes());
    }
    std::fs::read(&value).map_err(|source| Error::Ca { path: value, source })
}
