//! Section `local`: what the local executor may use of this machine.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The local executor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Local {
    /// Cores for jobs; all of the machine's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
    /// Memory for jobs, GB (10^9 bytes); 90 % of the machine's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<f64>,
    /// Folder of secrets: `<secretName>/<secretKey>`, as Kubernetes mounts them. Relative to the configuration file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<PathBuf>,
    /// What runs units of `type: docker`.
    pub container_engine: ContainerEngine,
    /// The agent that goes into containers, linked statically: `rutter-agent` beside the server's program when absent.
    /// Relative to the configuration file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_agent: Option<PathBuf>,
    /// The engine's network for containers, such as `host` or `none`; its default when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_network: Option<String>,
}

/// What runs units of `type: docker` on this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ContainerEngine {
    /// Podman or Docker, the first that is there.
    #[default]
    Auto,
    /// Podman.
    Podman,
    /// Docker.
    Docker,
    /// Nothing: they are not run.
    None,
}

impl Local {
    pub(super) fn faults(&self) -> Vec<String> {
        [("cpus", self.cpus), ("memory", self.memory)]
            .iter()
            .filter_map(|(name, value)| value.map(|value| (name, value)))
            .filter(|(_, value)| !(value.is_finite() && *value > 0.0))
            .map(|(name, value)| format!("local.{name}: {value} must be more than 0"))
            .collect()
    }
}
