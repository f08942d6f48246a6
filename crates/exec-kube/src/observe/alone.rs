//! Attempts without an agent, as far as somebody must speak for them.

use k8s_openapi::api::core::v1::Pod;
use rutter_core::executor::{AloneAttempt, AloneEnd, LaunchEnd};

use super::{ended, pod};

/// A pod whose program was started; `None` also for one that is or was taken away: then the Job's end tells.
pub(crate) fn attempt_alone(pod: &Pod) -> Option<AloneAttempt> {
    if !pod::ran(pod) || pod::disruption(pod).is_some() {
        return None;
    }
    let uid = pod.metadata.uid.clone()?;
    let terminated = pod::program(pod).and_then(pod::terminated);
    if terminated.is_none() && !pod::has_ended(pod) {
        return pod.metadata.deletion_timestamp.is_none().then_some(AloneAttempt { uid, end: None });
    }
    let end = ended::of_pod(pod, 0);
    let told = matches!(
        end,
        LaunchEnd::Exited { .. } | LaunchEnd::OutOfMemory | LaunchEnd::TimeLimit | LaunchEnd::ScratchLimit
    );
    let message = terminated.and_then(|terminated| terminated.message.clone());
    told.then_some(AloneAttempt { uid, end: Some(AloneEnd { end, message }) })
}
