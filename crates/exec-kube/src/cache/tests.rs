//! Events of watches, and who is told.

use std::collections::BTreeSet;

use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::runtime::watcher::Event;
use rutter_core::id::{InstanceId, JobId, LaunchName};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{Cache, strip_job, strip_pod};
use crate::{
    manifest::tests::{all, instance},
    names::{FINALIZER, INSTANCE, job_name},
};

struct Bench {
    cache: Cache,
    changes: mpsc::UnboundedReceiver<LaunchName>,
}

impl Bench {
    fn new() -> Self {
        let (sender, changes) = mpsc::unbounded_channel();
        Self { cache: Cache::new(instance(), sender), changes }
    }

    fn told(&mut self) -> BTreeSet<LaunchName> {
        std::iter::from_fn(|| self.changes.try_recv().ok()).collect()
    }
}

fn launch() -> LaunchName {
    LaunchName { job: JobId::generate(), launch: 1 }
}

fn job(launch: LaunchName, uid: &str, version: &str) -> Job {
    serde_json::from_value(json!({
        "metadata": {"name": job_name(launch), "uid": uid, "resourceVersion": version, "finalizers": [FINALIZER],
            "labels": {INSTANCE: instance().to_string()}},
        "spec": {"template": {}},
    }))
    .unwrap()
}

fn pod(launch: LaunchName, name: &str, job_uid: &str) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": name, "uid": format!("uid of {name}"), "resourceVersion": "1", "ownerReferences": [
            {"apiVersion": "batch/v1", "kind": "Job", "controller": true, "name": job_name(launch), "uid": job_uid}]},
    }))
    .unwrap()
}

#[test]
fn changes_of_jobs_and_pods_are_told() {
    let mut bench = Bench::new();
    let one = launch();
    bench.cache.job_event(Event::Apply(job(one, "j", "1")));
    assert_eq!(bench.told(), [one].into());
    bench.cache.pod_event(Event::Apply(pod(one, "p", "j")));
    assert_eq!(bench.told(), [one].into());
    assert_eq!(bench.cache.known(one).unwrap().pods.len(), 1);
    bench.cache.pod_event(Event::Delete(pod(one, "p", "j")));
    assert_eq!(bench.told(), [one].into());
    assert!(bench.cache.known(one).unwrap().pods.is_empty());
    bench.cache.job_event(Event::Delete(job(one, "j", "2")));
    assert_eq!(bench.told(), [one].into());
    assert!(bench.cache.known(one).is_none());
}

#[test]
fn a_new_list_tells_exactly_what_changed_while_nobody_watched() {
    let mut bench = Bench::new();
    let (same, changed, gone, new) = (launch(), launch(), launch(), launch());
    for launch in [same, changed, gone] {
        bench.cache.job_event(Event::Apply(job(launch, "j", "1")));
    }
    bench.told();
    assert!(!bench.cache.job_event(Event::Init));
    bench.cache.job_event(Event::InitApply(job(same, "j", "1")));
    bench.cache.job_event(Event::InitApply(job(changed, "j", "2")));
    bench.cache.job_event(Event::InitApply(job(new, "j", "3")));
    assert_eq!(bench.told(), BTreeSet::new());
    assert!(bench.cache.known(gone).is_some(), "nothing is lost before the list is whole");
    assert!(bench.cache.job_event(Event::InitDone));
    assert_eq!(bench.told(), [changed, gone, new].into());
    assert_eq!(bench.cache.unreleased(false), {
        let mut all = vec![same, changed, new];
        all.sort_unstable();
        all
    });
}

#[test]
fn what_belongs_to_others_is_not_shown() {
    let mut bench = Bench::new();
    let other = launch();
    let mut foreign = job(other, "j", "1");
    foreign.metadata.labels.as_mut().unwrap().insert(INSTANCE.to_owned(), InstanceId::generate().to_string());
    bench.cache.job_event(Event::Apply(foreign));
    assert_eq!(bench.told(), BTreeSet::new());
    assert!(bench.cache.unreleased(false).is_empty() && bench.cache.all().is_empty());
    let one = launch();
    bench.cache.job_event(Event::Apply(job(one, "j2", "1")));
    bench.cache.pod_event(Event::Apply(pod(one, "p", "an earlier job of that name")));
    assert!(bench.cache.known(one).unwrap().pods.is_empty());
    let mut released = job(one, "j2", "2");
    released.metadata.finalizers = None;
    bench.cache.job_event(Event::Apply(released));
    assert!(bench.cache.unreleased(false).is_empty() && bench.cache.known(one).is_some());
}

fn event(kind: &str, name: &str, reason: &str) -> Event<super::ClusterEvent> {
    Event::Apply(serde_json::from_value(json!({
        "metadata": {}, "involvedObject": {"kind": kind, "name": name}, "reason": reason, "message": "why",
    }))
    .unwrap())
}

#[test]
fn events_add_what_objects_do_not_say() {
    let mut bench = Bench::new();
    let one = launch();
    bench.cache.cluster_event(event("Job", &job_name(launch()), "FailedCreate"));
    bench.cache.job_event(Event::Apply(job(one, "j", "1")));
    bench.told();
    bench.cache.cluster_event(event("Job", &job_name(one), "FailedCreate"));
    assert_eq!(bench.told(), [one].into());
    assert_eq!(bench.cache.known(one).unwrap().notes.refused.as_deref(), Some("why"));
    bench.cache.pod_event(Event::Apply(pod(one, "p", "j")));
    assert_eq!(bench.cache.known(one).unwrap().notes.refused, None, "it has a pod now");
    bench.told();
    bench.cache.cluster_event(event("Pod", "p", "Pulling"));
    bench.cache.cluster_event(event("Pod", "somebody else's", "Pulling"));
    assert_eq!(bench.told(), [one].into());
    assert!(bench.cache.known(one).unwrap().notes.pulling);
}

#[test]
fn little_is_kept_of_an_object() {
    for (_, mut job) in all() {
        let template = job.spec.as_ref().unwrap().template.clone();
        let mut pod = Pod { spec: template.spec, ..Pod::default() };
        strip_job(&mut job);
        strip_pod(&mut pod);
        let size = |value: Value| value.to_string().len();
        assert!(size(json!(job)) < 900 && size(json!(pod)) < 400, "{} {}", json!(job), json!(pod));
        assert_eq!(pod.spec.unwrap().containers[0].image.as_deref(), Some("ghcr.io/example/flood:1.0"));
    }
}
