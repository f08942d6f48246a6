//! What a Job and its pods say about a launch: a pure function, in words that need no knowledge of Kubernetes.

mod alone;
mod ended;
mod image;
mod pending;
mod pod;

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{
    batch::v1::{Job, JobCondition},
    core::v1::Pod,
};
use rutter_core::executor::{LaunchEnd, Observation};

pub(crate) use alone::attempt_alone;

/// So often a launch is moved away from its machine; then it is given up, for it may be the cause itself.
pub(crate) const DISRUPTION_LIMIT: u32 = 5;

/// What is known of a launch.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Its Job.
    pub job: &'a Job,
    /// The pods that there are of it.
    pub pods: &'a [Arc<Pod>],
    /// What events told.
    pub notes: &'a Notes,
    /// The time.
    pub now: Timestamp,
    /// How long it may wait for its first start.
    pub pending_budget: Duration,
}

/// What only events tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Why the cluster makes no pod of it.
    pub refused: Option<String>,
    /// Whether an image is being fetched for its newest pod.
    pub pulling: bool,
}

/// What there is of a launch.
pub fn observe(seen: &Seen<'_>) -> Observation {
    if condition(seen.job, "Complete").is_some() {
        return Observation::Ended { end: LaunchEnd::Exited { code: 0 } };
    }
    if let Some(failed) = condition(seen.job, "Failed") {
        return Observation::Ended { end: ended::of_job(seen, failed) };
    }
    if seen.job.metadata.deletion_timestamp.is_some() {
        return Observation::Ended { end: LaunchEnd::Removed };
    }
    let disruptions = pod::disruptions(seen.pods);
    if disruptions >= DISRUPTION_LIMIT {
        return Observation::Ended { end: LaunchEnd::Disrupted { times: disruptions } };
    }
    let live = pod::live(seen.pods);
    if live.is_some_and(pod::runs) {
        return Observation::Running;
    }
    pending(seen, live)
}

/// Whether a Job is over, whatever its end was.
pub(crate) fn is_finished(job: &Job) -> bool {
    condition(job, "Complete").or_else(|| condition(job, "Failed")).is_some()
}

/// Whether a launch waits for its first start, so that time alone can change what is seen of it.
pub(crate) fn waits_for_start(job: &Job, pods: &[Arc<Pod>]) -> bool {
    let held = job.spec.as_ref().and_then(|spec| spec.suspend) == Some(true);
    !held
        && !is_finished(job)
        && job.metadata.deletion_timestamp.is_none()
        && !pods.iter().any(|pod| pod::ran(pod))
}

fn pending(seen: &Seen<'_>, live: Option<&Pod>) -> Observation {
    let pending = pending::of(seen, live);
    if let Some(end) = pending.end {
        return Observation::Ended { end };
    }
    if is_overdue(seen) {
        let seconds = seen.pending_budget.as_secs();
        let why = pending.reason.unwrap_or_else(|| "the cluster did not start it".to_owned());
        let reason = format!("it could not be started within {seconds} s: {why}");
        let end = if pending.is_image {
            LaunchEnd::ImageMissing { reason }
        } else {
            LaunchEnd::CannotStart { reason }
        };
        return Observation::Ended { end };
    }
    Observation::Pending { reason: pending.reason }
}

/// Whether it waited for its first start for too long.
fn is_overdue(seen: &Seen<'_>) -> bool {
    if !waits_for_start(seen.job, seen.pods) {
        return false;
    }
    let status = seen.job.status.as_ref().and_then(|status| status.start_time.as_ref());
    let Some(since) = status.or(seen.job.metadata.creation_timestamp.as_ref()) else { return false };
    let budget = SignedDuration::try_from(seen.pending_budget).unwrap_or(SignedDuration::MAX);
    seen.now.duration_since(since.0) > budget
}

/// A condition that holds.
fn condition<'a>(job: &'a Job, kind: &str) -> Option<&'a JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_deref()?;
    conditions.iter().find(|condition| condition.type_ == kind && condition.status == "True")
}

#[cfg(test)]
mod tests;
