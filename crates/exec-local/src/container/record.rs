//! What a launch remembers of its container, so that a later start of the server needs no package.

use rutter_core::plan::{Plan, PlannedUnit};
use serde::{Deserialize, Serialize};

use super::Engine;

/// How much a container may do; the levels of `kubernetes.security`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Security {
    /// What the engine gives.
    None,
    /// No more rights than its user, who may be root.
    Baseline,
    /// No more rights than its user, who is not root.
    #[default]
    Restricted,
}

/// Part of `launch.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ContainerRecord {
    /// The engine it was started with: another one does not know its containers.
    pub(crate) engine: Engine,
    pub(crate) image: String,
    pub(crate) cpu_limit_milli: Option<u64>,
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) gpus: u32,
    #[serde(default)]
    pub(crate) security: Security,
}

impl ContainerRecord {
    /// Of a plan for an image; `None` for a command.
    pub(crate) fn of(plan: &Plan, engine: &Engine) -> Option<Self> {
        let PlannedUnit::Docker { image, cpu_limit_milli, gpus, kubernetes } = &plan.unit else {
            return None;
        };
        let level = kubernetes.as_ref().and_then(|member| member.get("security")).cloned();
        Some(Self {
            engine: engine.clone(),
            image: image.clone(),
            cpu_limit_milli: *cpu_limit_milli,
            memory_bytes: plan.limits.memory_bytes,
            gpus: *gpus,
            // What is no level was refused with its package.
            security: level.and_then(|level| serde_json::from_value(level).ok()).unwrap_or_default(),
        })
    }
}
