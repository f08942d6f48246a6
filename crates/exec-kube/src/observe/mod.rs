//! What a Job and its pods say about a launch: a pure function, in words that need no knowledge of Kubernetes.

mod alone;
mod ended;
mod image;
mod pending;
mod pod;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{
    batch::v1::{Job, JobCondition},
    core::v1::Pod,
};
use rutter_core::executor::{LaunchEnd, Observation};

use crate::names;

pub(crate) use alone::{attempt_alone, end_of_adopted, program_has_ended};

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
    /// Pods that were taken from their machines and are gone.
    pub disrupted: BTreeSet<String>,
    /// Whether one of these was on a machine that stopped answering.
    pub lost: bool,
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
    let disruptions = disruptions(seen);
    if disruptions >= DISRUPTION_LIMIT {
        return Observation::Ended { end: LaunchEnd::Disrupted { times: disruptions } };
    }
    let live = pod::live(seen.pods);
    if live.is_some_and(pod::runs) {
        return Observation::Running;
    }
    pending(seen, live)
}

/// Pods of a launch that were taken from their machines: those that are there, those that were seen, and those that are noted.
pub(crate) fn disrupted<'a>(seen: &Seen<'a>) -> BTreeSet<&'a str> {
    let here = seen.pods.iter().filter(|pod| pod::disruption(pod).is_some());
    let here = here.filter_map(|pod| pod.metadata.uid.as_deref());
    here.chain(names::disrupted(seen.job)).chain(seen.notes.disrupted.iter().map(String::as_str)).collect()
}

fn disruptions(seen: &Seen<'_>) -> u32 {
    u32::try_from(disrupted(seen).len()).unwrap_or(u32::MAX)
}

/// How a pod ended, or ends: by what is known of it alone.
pub(crate) fn end_of(pod: &Pod) -> Option<LaunchEnd> {
    let is_over =
        pod::has_ended(pod) || pod::disruption(pod).is_some() || pod.metadata.deletion_timestamp.is_some();
    is_over.then(|| ended::of_pod(pod, 1))
}

/// Whether a pod is over, whatever its end was.
pub(crate) fn has_ended(pod: &Pod) -> bool {
    pod::has_ended(pod)
}

/// Whether a Job is over, whatever its end was.
pub(crate) fn is_finished(job: &Job) -> bool {
    condition(job, "Complete").or_else(|| condition(job, "Failed")).is_some()
}

/// The pod of a launch that ended last, or will.
pub(crate) fn last_pod(pods: &[Arc<Pod>]) -> Option<&Arc<Pod>> {
    pod::last_of(pods)
}

/// How a Job that is over, or is being deleted, ended by what it says itself.
pub(crate) fn end_of_job(job: &Job) -> LaunchEnd {
    if condition(job, "Complete").is_some() {
        return LaunchEnd::Exited { code: 0 };
    }
    let Some(failed) = condition(job, "Failed") else { return LaunchEnd::Removed };
    let why = [failed.reason.as_deref(), failed.message.as_deref()];
    let why: Vec<&str> = why.into_iter().flatten().collect();
    LaunchEnd::Failed { reason: format!("its pod is gone; the cluster says: {}", why.join(": ")) }
}

/// When a Job ended.
pub(crate) fn ended_at(job: &Job) -> Option<Timestamp> {
    let completed = job.status.as_ref().and_then(|status| status.completion_time.as_ref());
    let end = || condition(job, "Complete").or_else(|| condition(job, "Failed"));
    completed.or_else(|| end()?.last_transition_time.as_ref()).map(|time| time.0)
}

/// Whether a launch waits for a start, so that time alone can change what is seen of it.
pub(crate) fn waits_for_start(seen: &Seen<'_>) -> bool {
    waits_since(seen).is_some()
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
        } else if seen.notes.lost {
            LaunchEnd::NodeLost
        } else {
            LaunchEnd::CannotStart { reason }
        };
        return Observation::Ended { end };
    }
    Observation::Pending { reason: pending.reason }
}

/// Whether it waited for a start for too long.
fn is_overdue(seen: &Seen<'_>) -> bool {
    let budget = SignedDuration::try_from(seen.pending_budget).unwrap_or(SignedDuration::MAX);
    waits_since(seen).is_some_and(|since| seen.now.duration_since(since) > budget)
}

/// Since when a launch waits for a start: of its newest pod, or of its first one when it has none yet.
fn waits_since(seen: &Seen<'_>) -> Option<Timestamp> {
    let job = seen.job;
    let held = job.spec.as_ref().and_then(|spec| spec.suspend) == Some(true);
    if held || is_finished(job) || job.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let started = job.status.as_ref().and_then(|status| status.start_time.as_ref());
    let began = started.or(job.metadata.creation_timestamp.as_ref());
    let since = match pod::last(seen.pods) {
        Some(pod) if pod::ran(pod) || pod::has_ended(pod) => None,
        // A pod may be older than the moment at which a queue let its Job go.
        Some(pod) => pod.metadata.creation_timestamp.as_ref().max(began),
        None if disrupted(seen).is_empty() => began,
        // The cluster makes another.
        None => None,
    };
    since.map(|since| since.0)
}

/// A condition that holds.
fn condition<'a>(job: &'a Job, kind: &str) -> Option<&'a JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_deref()?;
    conditions.iter().find(|condition| condition.type_ == kind && condition.status == "True")
}

#[cfg(test)]
mod tests;
