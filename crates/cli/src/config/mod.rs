//! The configuration: one typed section per file, read from `rutter.yaml`, then the environment, then flags.
//!
//! Unknown keys are refused with their path. The JSON Schema in `schemas/config.json` is generated from these types.

mod jobs;
mod kubernetes;
mod load;
mod local;
mod log;
mod references;
mod server;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use jobs::Jobs;
pub(crate) use kubernetes::Kubernetes;
pub(crate) use load::{load, load_upon, usual_file};
pub(crate) use local::{ContainerEngine, Local};
pub(crate) use log::{Log, LogFormat};
pub(crate) use references::References;
pub(crate) use server::{Auth, OnExceed, Server};

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The HTTP side.
    pub server: Server,
    /// Folder of everything that must stay: database, results, logs. `./rutter-data` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Folders of application packages, relative to this file. `./processes` when empty.
    pub processes: Vec<PathBuf>,
    /// What jobs may take and how long they stay.
    pub jobs: Jobs,
    /// What may be fetched for inputs given by reference, and called back.
    pub references: References,
    /// Where jobs run.
    pub executor: ExecutorKind,
    /// The local executor.
    pub local: Local,
    /// The executor for Kubernetes.
    pub kubernetes: Kubernetes,
    /// What is logged, and how.
    pub log: Log,
    /// What was taken from a file of pygeoapi.
    #[serde(skip)]
    #[schemars(skip)]
    pub pygeoapi: Option<Pygeoapi>,
}

/// What a file of pygeoapi gives beside settings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pygeoapi {
    /// The file.
    pub file: PathBuf,
    /// Its processes as packages.
    pub processes: Vec<rutter_pygeoapi::Converted>,
    /// What is worth knowing of it.
    pub remarks: Vec<rutter_pygeoapi::Remark>,
    /// What callers send as the input `token`.
    pub token: Option<String>,
    /// Name and secret of the key to the bucket for logs.
    pub bucket_key: Option<(String, String)>,
}

/// Where jobs run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ExecutorKind {
    /// As processes of this machine.
    #[default]
    Local,
    /// As Jobs of a cluster.
    Kubernetes,
}

impl Config {
    /// What can't be right together; each line names the key.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = self.server.faults();
        faults.extend(self.jobs.faults());
        faults.extend(self.references.faults());
        faults.extend(self.local.faults());
        if self.executor == ExecutorKind::Kubernetes {
            faults.extend(self.kubernetes.faults());
        }
        faults
    }
}

/// The JSON Schema of the configuration file.
pub(crate) fn schema() -> serde_json::Value {
    schemars::schema_for!(Config).to_value()
}
