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
    if !program_has_ended(pod) {
        return pod.metadata.deletion_timestamp.is_none().then_some(AloneAttempt { uid, end: None });
    }
    let end = ended::of_pod(pod, 0);
    let told = matches!(
        end,
        LaunchEnd::Exited { .. } | LaunchEnd::OutOfMemory | LaunchEnd::TimeLimit | LaunchEnd::ScratchLimit
    );
    told.then_some(AloneAttempt { uid, end: Some(AloneEnd { end, message: last_word(pod) }) })
}

/// Whether the program of a pod has ended, as far as it ever ran.
pub(crate) fn program_has_ended(pod: &Pod) -> bool {
    pod::has_ended(pod) || pod::program(pod).and_then(pod::terminated).is_some()
}

/// How the pod of a Job that another system made ended, whatever it ended of; `Some(None)` = it runs, `None` = it did not start.
pub(crate) fn end_of_adopted(pod: &Pod) -> Option<Option<AloneEnd>> {
    if program_has_ended(pod) {
        return Some(Some(AloneEnd { end: ended::of_pod(pod, 0), message: last_word(pod) }));
    }
    pod::ran(pod).then_some(None)
}

fn last_word(pod: &Pod) -> Option<String> {
    pod::program(pod).and_then(pod::terminated).and_then(|terminated| terminated.message.clone())
}
