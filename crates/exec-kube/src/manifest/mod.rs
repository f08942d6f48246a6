//! The Job of a launch: a pure function of plan, name, instance and settings.
//!
//! No user input and no secret stands in it: the agent fetches its order with the identity of its pod. (Two exceptions: images
//! of the older managers that run without the agent have the variable that is their contract; and a package may let callers
//! choose among values that it lists, `fromInputs`.) What the package says is merged between our defaults, which it may
//! change, and what must be as it is.

mod deadline;
mod pod;
mod resources;

use k8s_openapi::api::batch::v1::Job;
pub(crate) use pod::AGENT_GRACE;
use rutter_core::{
    id::{InstanceId, LaunchName},
    plan::{Plan, PlannedUnit},
};
use rutter_types::agent::{Variable, exit};
use serde_json::{Value, json};

use crate::{
    config::KubernetesConfig,
    names::{ALONE, FINALIZER, job_name, labels},
    program::Program,
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
    /// What of it runs.
    program: &'a Program,
    /// What it is told where no agent tells it.
    variables: &'a [Variable],
    /// What the package's containers before it are told.
    ids: &'a [Variable],
    cpu_limit_milli: Option<u64>,
    gpus: u32,
}

/// The Job of a launch; `program` = what it runs.
///
/// # Errors
/// The plan can't become a Job.
pub(crate) fn job(
    plan: &Plan,
    program: &Program,
    launch: LaunchName,
    instance: InstanceId,
    config: &KubernetesConfig,
) -> Result<Job, ManifestError> {
    let PlannedUnit::Docker { image, cpu_limit_milli, gpus, kubernetes } = &plan.unit else {
        return Err(ManifestError::NoImage);
    };
    // What callers send stands in a pod only where there is no other way.
    let variables = if *program == Program::Alone { plan.variables(launch.job) } else { Vec::new() };
    let ids = plan.their_ids(launch.job);
    let image = Image {
        variables: &variables,
        ids: &ids,
        reference: if let Program::OfImage(own) = program { &own.image } else { image },
        program,
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
    if *program == Program::Alone {
        job_labels[ALONE] = json!("true");
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
            "podFailurePolicy": failure_policy(wishes.program(), program),
            "template": template,
        },
    });
    serde_json::from_value(job).map_err(|source| ManifestError::NoPod { source })
}

/// Disruptions are no failures; an input that breaks its schema does so in every attempt.
fn failure_policy(container: &str, program: &Program) -> Value {
    let mut rules = vec![
        json!({"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}),
    ];
    // That code is the agent's word.
    if *program != Program::Alone {
        rules.push(json!({"action": "FailJob", "onExitCodes": {
            "containerName": container, "operator": "In", "values": [exit::BAD_INPUT],
        }}));
    }
    json!({ "rules": rules })
}

#[cfg(test)]
pub(crate) mod tests;
