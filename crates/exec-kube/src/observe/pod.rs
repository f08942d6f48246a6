//! What one pod says of itself.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodCondition,
};

/// The pod that runs or will: the newest that has not ended.
pub(super) fn live(pods: &[Arc<Pod>]) -> Option<&Pod> {
    newest(pods.iter().filter(|pod| !has_ended(pod))).map(Arc::as_ref)
}

/// The pod that ended last.
pub(super) fn last(pods: &[Arc<Pod>]) -> Option<&Pod> {
    last_of(pods).map(Arc::as_ref)
}

/// The same, to be shared.
pub(super) fn last_of(pods: &[Arc<Pod>]) -> Option<&Arc<Pod>> {
    newest(pods.iter())
}

fn newest<'a>(pods: impl Iterator<Item = &'a Arc<Pod>>) -> Option<&'a Arc<Pod>> {
    pods.max_by_key(|pod| (pod.metadata.creation_timestamp.clone(), pod.metadata.name.clone()))
}

/// Why a pod was or is being taken from its machine.
pub(super) fn disruption(pod: &Pod) -> Option<&str> {
    condition(pod, "DisruptionTarget")
        .filter(|condition| condition.status == "True")
        .map(|condition| condition.reason.as_deref().unwrap_or_default())
}

pub(super) fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_deref()?;
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// Whether the program's container runs or has just ended.
pub(super) fn runs(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none() && phase(pod) == "Running" && ran(pod)
}

/// Whether the program's container was ever started.
pub(super) fn ran(pod: &Pod) -> bool {
    program(pod)
        .and_then(|status| status.state.as_ref())
        .is_some_and(|state| state.running.is_some() || state.terminated.is_some())
}

pub(super) fn has_ended(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

pub(super) fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// The program's container: the first of the pod.
pub(super) fn program(pod: &Pod) -> Option<&ContainerStatus> {
    let statuses = pod.status.as_ref()?.container_statuses.as_deref()?;
    let name = pod.spec.as_ref().and_then(|spec| spec.containers.first()).map(|container| &container.name);
    match name {
        Some(name) => statuses.iter().find(|status| &status.name == name),
        None => statuses.first(),
    }
}

/// Containers that prepare the program's, in their order.
pub(super) fn preparing(pod: &Pod) -> &[ContainerStatus] {
    let status = pod.status.as_ref().and_then(|status| status.init_container_statuses.as_deref());
    status.unwrap_or_default()
}

pub(super) fn terminated(status: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    status.state.as_ref().and_then(|state: &ContainerState| state.terminated.as_ref())
}
