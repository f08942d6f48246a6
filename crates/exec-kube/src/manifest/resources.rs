//! What a pod asks for and may take.

use rutter_core::plan::Plan;
use serde_json::{Value, json};

use super::Image;
use crate::{
    config::{KubernetesConfig, Scratch},
    program::Program,
};

/// Space for the agent's spool of logs, beside what the program has.
const SPOOL: u64 = 64 << 20;
/// Space for the agent itself and what it writes to the pod's own log.
const AGENT: u64 = 64 << 20;

/// Of the program's container.
pub(super) fn of_program(plan: &Plan, image: Image<'_>, config: &KubernetesConfig) -> Value {
    let cpu = image.cpu_limit_milli.map_or(plan.needs.cpu_milli, |limit| plan.needs.cpu_milli.min(limit));
    let memory =
        plan.limits.memory_bytes.map_or(plan.needs.memory_bytes, |limit| plan.needs.memory_bytes.min(limit));
    let mut requests = json!({"cpu": format!("{cpu}m"), "memory": memory.to_string()});
    let mut limits = json!({});
    if let Some(most) = image.cpu_limit_milli {
        limits["cpu"] = json!(format!("{most}m"));
    }
    if let Some(most) = plan.limits.memory_bytes {
        limits["memory"] = json!(most.to_string());
    }
    if let Some((asked, most)) = of_the_machines_disk(plan, image, config) {
        requests["ephemeral-storage"] = json!(asked.saturating_add(SPOOL + AGENT).to_string());
        limits["ephemeral-storage"] = json!(most.saturating_add(SPOOL + AGENT).to_string());
    }
    if image.gpus > 0 {
        limits[config.gpu_resource.as_str()] = json!(image.gpus.to_string());
    }
    json!({"requests": requests, "limits": limits})
}

/// A resource that the package's template names is the template's alone: what one asks for and the other limits need not fit.
pub(super) fn leave_to_template(ours: &mut Value, theirs: &Value) {
    for list in ["limits", "requests"] {
        for name in theirs[list].as_object().into_iter().flatten().map(|(name, _)| name) {
            for list in ["limits", "requests"] {
                if let Some(amounts) = ours[list].as_object_mut() {
                    amounts.shift_remove(name);
                }
            }
        }
    }
}

/// Of the container that brings the agent.
pub(super) fn of_install() -> Value {
    json!({"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}})
}

/// The volume that the agent is brought in.
pub(super) fn agent_volume() -> Value {
    json!({"sizeLimit": AGENT.to_string()})
}

/// Bytes asked for and bytes allowed, beside those of the agent. A program that has a volume may still write to its image's
/// folders, as much as one that has none.
fn of_the_machines_disk(plan: &Plan, image: Image<'_>, config: &KubernetesConfig) -> Option<(u64, u64)> {
    let scratch = plan.limits.scratch_bytes?;
    let volume = volume_for(plan, config).filter(|_| *image.program != Program::Alone);
    Some(volume.map_or((scratch, scratch), |volume| (0, volume.above)))
}

/// The source of the volume of inputs, work and outputs.
pub(super) fn attempt_volume(plan: &Plan, config: &KubernetesConfig, labels: &Value) -> Value {
    let scratch = plan.limits.scratch_bytes;
    if let (Some(volume), Some(scratch)) = (volume_for(plan, config), scratch) {
        // File systems keep a part for themselves.
        let size = scratch.saturating_add(SPOOL).saturating_add(scratch / 10);
        let mut claim = json!({
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size.to_string()}},
        });
        if let Some(class) = &volume.storage_class {
            claim["storageClassName"] = json!(class);
        }
        return json!({"ephemeral": {"volumeClaimTemplate": {"metadata": {"labels": labels}, "spec": claim}}});
    }
    match scratch {
        Some(scratch) => json!({"emptyDir": {"sizeLimit": scratch.saturating_add(SPOOL).to_string()}}),
        None => json!({"emptyDir": {}}),
    }
}

/// How a job gets a volume of its own, if it needs more than machines have.
pub(super) fn volume_for<'a>(plan: &Plan, config: &'a KubernetesConfig) -> Option<&'a Scratch> {
    config.scratch.as_ref().filter(|volume| plan.limits.scratch_bytes.is_some_and(|it| it > volume.above))
}
