//! How a launch ended, by what is left of it.

use jiff::SignedDuration;
use k8s_openapi::api::{
    batch::v1::JobCondition,
    core::v1::{ContainerStateTerminated, Pod},
};
use rutter_core::executor::LaunchEnd;

use super::{Seen, disruptions, pending, pod};

/// Reasons for which pods go from machines that do not answer.
const LOST: [&str; 2] = ["DeletionByTaintManager", "DeletionByPodGC"];

const NOEXEC: &str =
    "the supervisor may not be executed there: the machines' volumes must not be mounted `noexec`";

/// The end of a Job that failed.
pub(super) fn of_job(seen: &Seen<'_>, failed: &JobCondition) -> LaunchEnd {
    let last = pod::last(seen.pods);
    if failed.reason.as_deref() == Some("DeadlineExceeded") {
        return match last {
            Some(last) if pod::ran(last) => LaunchEnd::TimeLimit,
            other => {
                let waited = pending::of(seen, other).reason;
                let why = waited.unwrap_or_else(|| "the cluster did not start it".to_owned());
                LaunchEnd::CannotStart { reason: format!("it could not be started in time: {why}") }
            }
        };
    }
    // Its pods are gone before it was archived: nobody but another does that.
    let Some(last) = last else { return LaunchEnd::Removed };
    of_pod(last, disruptions(seen))
}

/// The end of a pod; `disruptions` of the launch.
pub(super) fn of_pod(pod: &Pod, disruptions: u32) -> LaunchEnd {
    let status = pod.status.as_ref();
    let message = status.and_then(|status| status.message.as_deref()).unwrap_or_default();
    match status.and_then(|status| status.reason.as_deref()) {
        Some("Evicted") if is_scratch(message) => return LaunchEnd::ScratchLimit,
        Some("Evicted") => return LaunchEnd::Disrupted { times: disruptions.max(1) },
        Some("DeadlineExceeded") => return LaunchEnd::TimeLimit,
        Some("NodeLost") => return LaunchEnd::NodeLost,
        _ => {}
    }
    match pod::disruption(pod) {
        Some(reason) if LOST.contains(&reason) => return LaunchEnd::NodeLost,
        Some(_) => return LaunchEnd::Disrupted { times: disruptions.max(1) },
        None => {}
    }
    match pod::program(pod).and_then(pod::terminated) {
        Some(end) if is_after_removal(pod, end) => LaunchEnd::Removed,
        Some(end) => of_program(end),
        None => of_unstarted(pod),
    }
}

fn of_program(end: &ContainerStateTerminated) -> LaunchEnd {
    let message = end.message.as_deref().unwrap_or_default();
    match end.reason.as_deref() {
        Some("OOMKilled") => LaunchEnd::OutOfMemory,
        Some("StartError" | "ContainerCannotRun") => {
            LaunchEnd::CannotStart { reason: start_error(message).to_owned() }
        }
        Some("ContainerStatusUnknown") => LaunchEnd::NodeLost,
        _ => LaunchEnd::Exited { code: end.exit_code },
    }
}

/// The program's container never ran: what should have prepared it did not end well, or the pod was taken away.
fn of_unstarted(pod: &Pod) -> LaunchEnd {
    let failed = pod::preparing(pod)
        .iter()
        .find_map(|status| pod::terminated(status).filter(|end| end.exit_code != 0).map(|end| (status, end)));
    match failed {
        Some((status, end)) if status.name == "rutter-agent" => {
            let noexec = end.message.as_deref().is_some_and(|message| message.contains("noexec"));
            let reason = if noexec { NOEXEC } else { "the supervisor could not be put beside the program" };
            LaunchEnd::CannotStart { reason: reason.to_owned() }
        }
        Some((status, end)) => {
            let reason = format!("its preparation `{}` ended with exit code {}", status.name, end.exit_code);
            LaunchEnd::CannotStart { reason }
        }
        None if pod.metadata.deletion_timestamp.is_some() => LaunchEnd::Removed,
        None => LaunchEnd::AgentLost,
    }
}

/// Whether a container ended after its pod was removed. (The time of deletion is when the grace is over.)
fn is_after_removal(pod: &Pod, end: &ContainerStateTerminated) -> bool {
    let Some(deleted) = &pod.metadata.deletion_timestamp else { return false };
    let grace = SignedDuration::from_secs(pod.metadata.deletion_grace_period_seconds.unwrap_or(0));
    let asked = deleted.0.saturating_sub(grace).unwrap_or(deleted.0);
    end.finished_at.as_ref().is_none_or(|finished| finished.0 >= asked)
}

fn is_scratch(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("exceeds the")
        || message.contains("emptydir")
        || message.contains("local ephemeral storage limit")
}

fn start_error(message: &str) -> &'static str {
    if message.contains("permission denied") || message.contains("operation not permitted") {
        NOEXEC
    } else if message.contains("exec format error") {
        "the image is for machines of another kind"
    } else {
        "its container could not be started"
    }
}
