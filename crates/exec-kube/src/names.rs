//! Names and labels of our objects in a cluster, and the way back from an object to its launch.
//!
//! A Job is ours when its label says that it belongs to this instance **and** its name is one that we would have given;
//! everything else in the namespace is somebody else's. A Job of another system that was given to an instance keeps its name,
//! which ends with the id of its job, and says by a further label that it is such a one.

use std::{collections::BTreeMap, fmt::Write as _};

use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use rutter_core::id::{InstanceId, LaunchName, ProcessId};
use sha2::{Digest, Sha256};

/// Label: the instance.
pub const INSTANCE: &str = "rutter.dev/instance";
/// Label: the process.
pub const PROCESS: &str = "rutter.dev/process";
/// Label of Jobs whose pods run without an agent.
pub(crate) const ALONE: &str = "rutter.dev/without-agent";
/// Label of Jobs that another system made and that were given to an instance: which system it was.
pub const ADOPTED: &str = "rutter.dev/adopted";
/// Label by which Kubernetes' own tools group objects.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Finalizer of every Job from its creation until its job is archived.
pub const FINALIZER: &str = "rutter.dev/archive";
/// Annotation of a Job: uids of its pods that were taken from their machines, with commas between them.
pub(crate) const DISRUPTED: &str = "rutter.dev/disrupted";
/// Beginning of all labels and annotations that are ours.
pub(crate) const OWN_KEYS: &str = "rutter.dev/";
/// Beginning of all names that are ours.
pub(crate) const OWN_NAMES: &str = "rutter-";

/// Characters of a job's id.
const ID_LENGTH: usize = 36;
/// Longest value of a label.
const LABEL_LIMIT: usize = 63;

/// The Job of a launch; at most 54 characters.
pub fn job_name(launch: LaunchName) -> String {
    format!("{OWN_NAMES}{launch}")
}

/// The launch of a Job by its name alone; `None` = no name that [`job_name`] gives.
pub(crate) fn launch_of_name(name: &str) -> Option<LaunchName> {
    let launch: LaunchName = name.strip_prefix(OWN_NAMES)?.parse().ok()?;
    (job_name(launch) == name).then_some(launch)
}

/// The launch of an adopted Job by its name alone: that ends with the id of its job, whatever stands before it.
pub(crate) fn launch_of_adopted(name: &str) -> Option<LaunchName> {
    let at = name.len().checked_sub(ID_LENGTH)?;
    let job = name.get(at..)?.parse().ok()?;
    Some(LaunchName { job, launch: 1 })
}

/// The launch of a Job of which it is known that it belongs to this instance.
pub(crate) fn launch_of_either(name: &str) -> Option<LaunchName> {
    launch_of_name(name).or_else(|| launch_of_adopted(name))
}

/// The launch of a Job of this instance.
pub fn launch_of(job: &Job, instance: InstanceId) -> Option<LaunchName> {
    let labels = job.metadata.labels.as_ref()?;
    if labels.get(INSTANCE)? != &instance.to_string() {
        return None;
    }
    let name = job.metadata.name.as_deref()?;
    if is_adopted(job) { launch_of_adopted(name) } else { launch_of_name(name) }
}

/// Whether another system made a Job that belongs to an instance.
pub(crate) fn is_adopted(job: &Job) -> bool {
    job.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(ADOPTED))
}

/// Pods of a Job that were taken from their machines, as far as that is noted on it.
pub(crate) fn disrupted(job: &Job) -> impl Iterator<Item = &str> {
    let noted = job.metadata.annotations.as_ref().and_then(|annotations| annotations.get(DISRUPTED));
    noted.into_iter().flat_map(|uids| uids.split(',')).filter(|uid| !uid.is_empty())
}

/// Name and uid of the Job that controls a pod.
pub(crate) fn owner_of(pod: &Pod) -> Option<(&str, &str)> {
    let owners = pod.metadata.owner_references.as_deref()?;
    let job = owners.iter().find(|owner| {
        owner.controller == Some(true) && owner.kind == "Job" && owner.api_version.starts_with("batch/")
    })?;
    Some((&job.name, &job.uid))
}

/// Labels of a Job and its pods.
pub(crate) fn labels(instance: InstanceId, process: &ProcessId) -> BTreeMap<String, String> {
    BTreeMap::from([
        (INSTANCE.to_owned(), instance.to_string()),
        (PROCESS.to_owned(), label_value(process.as_str())),
        (MANAGED_BY.to_owned(), "rutter".to_owned()),
    ])
}

/// A text as the value of a label: itself when it is one, else a hash.
fn label_value(text: &str) -> String {
    let at_an_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let fits = text.len() <= LABEL_LIMIT
        && at_an_end(text.chars().next())
        && at_an_end(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if fits {
        return text.to_owned();
    }
    let digest = Sha256::digest(text.as_bytes());
    digest[..20].iter().fold("sha256-".to_owned(), |mut hash, byte| {
        let _ = write!(hash, "{byte:02x}");
        hash
    })
}

#[cfg(test)]
mod tests {
    use rutter_core::id::JobId;

    use super::*;

    fn job(name: &str, instance: &str) -> Job {
        let mut job = Job::default();
        job.metadata.name = Some(name.to_owned());
        job.metadata.labels = Some(BTreeMap::from([(INSTANCE.to_owned(), instance.to_owned())]));
        job
    }

    #[test]
    fn a_job_leads_back_to_its_launch() {
        let instance = InstanceId::generate();
        for launch in [1, 9, 10, u32::MAX] {
            let launch = LaunchName { job: JobId::generate(), launch };
            let name = job_name(launch);
            assert!(name.len() <= 63, "{name}");
            assert_eq!(launch_of(&job(&name, &instance.to_string()), instance), Some(launch));
        }
    }

    #[test]
    fn what_is_not_ours_is_no_launch() {
        let instance = InstanceId::generate();
        let ours = instance.to_string();
        let id = JobId::generate();
        let right = format!("rutter-{id}-1");
        assert!(launch_of(&job(&right, &ours), instance).is_some());
        let other = InstanceId::generate().to_string();
        assert_eq!(launch_of(&job(&right, &other), instance), None, "another instance's");
        assert_eq!(launch_of(&Job::default(), instance), None, "without labels");
        for name in [
            "",
            "rutter-",
            "rutter-1",
            &format!("rutter-{id}"),
            &format!("rutter-{id}-01"),
            &format!("rutter-{id}-+1"),
            &format!("rutter-{id}--1"),
            &format!("other-{id}-1"),
            &right.to_uppercase(),
        ] {
            assert_eq!(launch_of(&job(name, &ours), instance), None, "{name}");
        }
    }

    #[test]
    fn a_job_of_another_system_is_ours_only_when_it_was_given_to_us() {
        let instance = InstanceId::generate();
        let id: JobId = "99755242-31af-11f0-80bd-0255ac10006c".parse().unwrap();
        for prefix in ["pygeoapi-job-", "", "x-", "rutter-"] {
            let name = format!("{prefix}{id}");
            let mut theirs = job(&name, &instance.to_string());
            assert_eq!(launch_of(&theirs, instance), None, "{name}");
            theirs.metadata.labels.get_or_insert_default().insert(ADOPTED.to_owned(), "52north".to_owned());
            assert_eq!(launch_of(&theirs, instance), Some(LaunchName { job: id, launch: 1 }), "{name}");
            assert_eq!(launch_of(&theirs, InstanceId::generate()), None, "{name}");
        }
        for name in
            ["", "pygeoapi-job-1", &format!("{id}-x"), &format!("p-{}", id.to_string().to_uppercase())]
        {
            let mut theirs = job(name, &instance.to_string());
            theirs.metadata.labels.get_or_insert_default().insert(ADOPTED.to_owned(), "eox".to_owned());
            assert_eq!(launch_of(&theirs, instance), None, "{name}");
        }
    }

    #[test]
    fn every_process_id_becomes_a_label() {
        assert_eq!(label_value("flood.v1_x-2"), "flood.v1_x-2");
        let long = "x".repeat(128);
        for id in [long.as_str(), "ends-with-", "ends.", &"y".repeat(64)] {
            let value = label_value(id);
            assert!(value.len() <= LABEL_LIMIT && value.starts_with("sha256-"), "{value}");
        }
        assert_ne!(label_value("a-"), label_value("b-"));
    }
}
