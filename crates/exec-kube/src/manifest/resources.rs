//! What a pod asks for and may take.

use rutter_core::plan::Plan;
use serde_json::{Value, json};

use super::Image;

/// Space for the agent's spool of logs, beside what the program has.
const SPOOL: u64 = 64 << 20;
/// Space for the agent itself and what it writes to the pod's own log.
const AGENT: u64 = 64 << 20;

/// Of the program's container.
pub(super) fn of_program(plan: &Plan, image: Image<'_>, gpu_resource: &str) -> Value {
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
    if let Some(scratch) = plan.limits.scratch_bytes {
        let space = json!(scratch.saturating_add(SPOOL + AGENT).to_string());
        requests["ephemeral-storage"] = space.clone();
        limits["ephemeral-storage"] = space;
    }
    if image.gpus > 0 {
        limits[gpu_resource] = json!(image.gpus.to_string());
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

/// The volume of inputs, work and outputs.
pub(super) fn attempt_volume(plan: &Plan) -> Value {
    match plan.limits.scratch_bytes {
        Some(scratch) => json!({"sizeLimit": scratch.saturating_add(SPOOL).to_string()}),
        None => json!({}),
    }
}
