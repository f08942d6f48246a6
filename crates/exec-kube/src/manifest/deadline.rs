//! Deadlines in seconds. The agent keeps the command's own limit; these are for agents that are gone.

use rutter_core::plan::Plan;

use crate::{config::KubernetesConfig, observe::DISRUPTION_LIMIT};

/// Kubernetes takes no longer deadline for a pod.
const LONGEST: u64 = i32::MAX as u64;
/// Longest pause that Kubernetes makes before another attempt.
const BACKOFF: u64 = 600;

/// Of a pod: fetching, command, grace, sending.
pub(super) fn of_pod(plan: &Plan, config: &KubernetesConfig) -> u64 {
    config
        .staging_budget
        .as_secs()
        .saturating_add(plan.limits.command_seconds)
        .saturating_add(plan.limits.grace_seconds)
        .saturating_add(config.upload_window.as_secs())
        .clamp(1, LONGEST)
}

/// Of a pod without an agent: nobody else keeps the command's limit, and fetching the image counts.
pub(super) fn of_pod_alone(plan: &Plan) -> u64 {
    plan.limits.command_seconds.clamp(1, LONGEST)
}

/// Of the Job: all attempts and the wait for a machine. A backstop: it deletes pods.
pub(super) fn of_job(plan: &Plan, config: &KubernetesConfig) -> u64 {
    let attempts = u64::from(plan.retries) + 1 + u64::from(DISRUPTION_LIMIT);
    let attempt =
        of_pod(plan, config).saturating_add(config.pending_budget.as_secs()).saturating_add(BACKOFF);
    attempt.saturating_mul(attempts).clamp(1, LONGEST)
}
