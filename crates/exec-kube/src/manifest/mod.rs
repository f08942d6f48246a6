//! The Job of a launch: a pure function of plan, name, instance and settings.
//!
//! No user input and no secret stands in it: the agent fetches its order with the identity of its pod. What the package
//! says is merged between our defaults, which it may change, and what must be as it is.

mod deadline;
mod pod;
mod resources;

use k8s_openapi::api::batch::v1::Job;
pub(crate) use pod::AGENT_GRACE;
use rutter_core::{
    id::{InstanceId, LaunchName},
    plan::{Plan, PlannedUnit},
};
use rutter_types::agent::exit;
use serde_json::{Value, json};

use crate::{
    config::KubernetesConfig,
    image::OwnCommand,
    names::{FINALIZER, job_name, labels},
    wishes::Wishes,
};

/// Queue of a cluster with Kueue.
const QUEUE: &str = "kueue.x-k8s.io/queue-name";

/// Why there is no Job for a plan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManifestError {
    /// It is no plan for images.
    #[error("the process has no execution unit of `type: docker`")]
    NoImage,
    /// The package says what is no pod.
    #[error("`kubernetes` of the package makes no pod: {source}")]
    NoPod {
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// The image of a plan and what goes with it.
#[derive(Clone, Copy, Debug)]
struct Image<'a> {
    reference: &'a str,
    /// What it runs by itself, where the plan has no command.
    own_command: &'a [String],
    cpu_limit_milli: Option<u64>,
    gpus: u32,
}

/// The Job of a launch; `own` = what its image runs by itself, for a plan without a command.
///
/// # Errors
/// The plan can't become a Job.
pub(crate) fn job(
    plan: &Plan,
    own: Option<&OwnCommand>,
    launch: LaunchName,
    instance: InstanceId,
    config: &KubernetesConfig,
) -> Result<Job, ManifestError> {
    let PlannedUnit::Docker { image, cpu_limit_milli, gpus, kubernetes } = &plan.unit else {
        return Err(ManifestError::NoImage);
    };
    let image = Image {
        reference: own.map_or(image, |own| &own.image),
        own_command: own.map_or(&[], |own| &own.words),
        cpu_limit_milli: *cpu_limit_milli,
        gpus: *gpus,
    };
    let wishes = Wishes::read(kubernetes.as_ref());
    let labels = json!(labels(instance, &plan.process));
    let template = pod::template(plan, image, &wishes, &labels, config);
    let mut job_labels = labels;
    if let Some(queue) = &wishes.queue {
        job_labels[QUEUE] = json!(queue);
    }
    let job = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(launch),
            "namespace": config.namespace,
            "labels": job_labels,
            "finalizers": [FINALIZER],
        },
        "spec": {
            // A queue lets it go when it is its turn.
            "suspend": wishes.queue.is_some(),
            "backoffLimit": plan.retries,
            "activeDeadlineSeconds": deadline::of_job(plan, config),
            "ttlSecondsAfterFinished": i32::try_from(config.ttl.as_secs()).unwrap_or(i32::MAX),
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": failure_policy(wishes.program()),
            "template": template,
        },
    });
    serde_json::from_value(job).map_err(|source| ManifestError::NoPod { source })
}

/// Disruptions are no failures; an input that breaks its schema does so in every attempt.
fn failure_policy(program: &str) -> Value {
    json!({"rules": [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": {
            "containerName": program, "operator": "In", "values": [exit::BAD_INPUT],
        }},
    ]})
}

#[cfg(test)]
pub(crate) mod tests;
