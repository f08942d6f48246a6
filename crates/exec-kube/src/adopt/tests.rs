//! What a namespace holds.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::{
    recognise::tests::{ID, job},
    *,
};

fn pod(name: &str, change: Value) -> Pod {
    let mut pod = json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "a", "image": "52north/pygeoapi-k8s-manager:0.22.0"}]}});
    for (key, value) in change.as_object().unwrap() {
        pod[key] = value.clone();
        pod[key]["name"] = json!(name);
    }
    serde_json::from_value(pod).unwrap()
}

fn hanging(job: &str, uid: &str) -> Value {
    json!({"metadata": {"finalizers": [THEIR_FINALIZER], "deletionTimestamp": "2026-11-25T10:00:00Z",
        "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "controller": true, "name": job, "uid": uid}]}})
}

fn done(kind: &str) -> Value {
    json!({"metadata": {"uid": "u"}, "status": {"completionTime": "2026-11-25T11:00:00Z",
        "conditions": [{"type": kind, "status": "True", "lastTransitionTime": "2026-11-25T11:00:01Z"}]}})
}

#[test]
fn what_would_be_done_follows_from_what_is_there() {
    let name = format!("pygeoapi-job-{ID}");
    let stranger = job(&json!({"metadata": {"annotations": {"pygeoapi.io/identifier": null}}}));
    let other = job(&json!({"metadata": {"name": "other"}}));
    let jobs = [job(&done("Complete")), stranger, other];
    let server = pod("manager-1", json!({"status": {"phase": "Running"}}));
    let found = of(&jobs, &[pod("a", hanging(&name, "u")), server], "pygeoapi-job-");
    let [theirs] = found.jobs.as_slice() else { panic!("{found:?}") };
    assert_eq!((theirs.state, theirs.pod), (TheirState::Successful, PodLeft::Hangs));
    assert_eq!(theirs.told.ended.unwrap().to_string(), "2026-11-25T11:00:00Z");
    assert_eq!((found.strangers.len(), found.others, found.orphans.len()), (1, 1, 0));
    assert_eq!(found.servers, [("manager-1".to_owned(), "52north/pygeoapi-k8s-manager:0.22.0".to_owned())]);
    assert!(theirs.is_free("2026-11-25T10:00:00Z".parse().unwrap()));
    assert!(!theirs.is_free("2026-11-25T12:00:00Z".parse().unwrap()), "it would be removed at once");
}

#[test]
fn pods_whose_jobs_are_gone_are_told_from_those_of_others() {
    let name = format!("pygeoapi-job-{ID}");
    let mut live = hanging("pygeoapi-job-x", "u");
    live["metadata"]["finalizers"] = json!([]);
    let pods = [pod("a", hanging(&name, "gone")), pod("b", hanging("other", "gone")), pod("c", live)];
    assert_eq!(of(&[], &pods, "pygeoapi-job-").orphans, ["a"]);
    assert!(of(&[], &pods, "models-").orphans.is_empty());
}

#[test]
fn one_patch_gives_a_job_away() {
    let instance = InstanceId::generate();
    let patch = |job: &Job| match gift(job, System::North, instance) {
        Patch::Merge(patch) => patch,
        _ => panic!(),
    };
    let theirs = job(&json!({"metadata": {"resourceVersion": "7", "finalizers": ["x"]}}));
    let metadata = &patch(&theirs)["metadata"];
    assert_eq!(metadata["finalizers"], json!(["x", FINALIZER]));
    assert_eq!(metadata["resourceVersion"], "7", "of the Job as it was looked at");
    let leaving = job(
        &json!({"metadata": {"finalizers": ["foregroundDeletion"], "deletionTimestamp": "2026-11-25T10:00:00Z"}}),
    );
    assert_eq!(patch(&leaving)["metadata"]["finalizers"], json!(["foregroundDeletion"]));
}
