//! Jobs and pods as clusters show them, and what a caller is told.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use rutter_core::executor::{LaunchEnd, Observation};
use serde_json::{Value, json};

use super::{Notes, Seen, observe};

const IMAGE: &str = "ghcr.io/example/flood:1.0";
const BUDGET: Duration = Duration::from_secs(3600);

fn job(status: Value) -> Job {
    serde_json::from_value(json!({
        "metadata": {"name": "rutter-x-1", "uid": "j", "creationTimestamp": "2026-11-25T10:00:00Z"},
        "spec": {"template": {}},
        "status": status,
    }))
    .unwrap()
}

fn active() -> Job {
    job(json!({"active": 1, "startTime": "2026-11-25T10:00:00Z"}))
}

fn failed(reason: &str) -> Job {
    let condition = json!({"type": "Failed", "status": "True", "reason": reason});
    job(json!({"failed": 1, "startTime": "2026-11-25T10:00:00Z", "conditions": [condition]}))
}

fn pod(name: &str, status: Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": name, "uid": name, "creationTimestamp": format!("2026-11-25T10:00:0{}Z", name.len())},
        "spec": {
            "containers": [{"name": "main", "image": IMAGE}],
            "initContainers": [{"name": "rutter-agent", "image": "rutter:1"}, {"name": "fetch", "image": "fetch:1"}],
        },
        "status": status,
    }))
    .unwrap()
}

fn removed(mut pod: Pod, at: &str) -> Pod {
    pod.metadata.deletion_timestamp = Some(serde_json::from_value(json!(at)).unwrap());
    pod.metadata.deletion_grace_period_seconds = Some(10);
    pod
}

fn state(name: &str, state: Value) -> Value {
    json!({"name": name, "state": state, "image": "", "imageID": "", "ready": false, "restartCount": 0})
}

/// A pod whose program waits.
fn waiting(reason: &str, message: &str) -> Pod {
    let waiting = json!({"waiting": {"reason": reason, "message": message}});
    pod(
        "a",
        json!({"phase": "Pending", "startTime": "2026-11-25T10:00:01Z", "containerStatuses": [state("main", waiting)]}),
    )
}

/// A pod whose program has ended.
fn ended(terminated: Value) -> Pod {
    pod(
        "a",
        json!({"phase": "Failed", "containerStatuses": [state("main", json!({"terminated": terminated}))]}),
    )
}

fn unplaced(message: &str) -> Pod {
    let condition =
        json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message});
    pod("a", json!({"phase": "Pending", "conditions": [condition]}))
}

fn disrupted(name: &str, reason: &str) -> Pod {
    let condition = json!({"type": "DisruptionTarget", "status": "True", "reason": reason});
    let killed = json!({"terminated": {"exitCode": 137, "reason": "Error"}});
    pod(
        name,
        json!({"phase": "Failed", "conditions": [condition], "containerStatuses": [state("main", killed)]}),
    )
}

fn running() -> Pod {
    let runs = json!({"running": {"startedAt": "2026-11-25T10:00:05Z"}});
    pod("a", json!({"phase": "Running", "containerStatuses": [state("main", runs)]}))
}

fn seen_at(job: &Job, pods: &[Pod], notes: &Notes, now: &str) -> Observation {
    let pods: Vec<Arc<Pod>> = pods.iter().cloned().map(Arc::new).collect();
    observe(&Seen { job, pods: &pods, notes, now: now.parse().unwrap(), pending_budget: BUDGET })
}

fn seen(job: &Job, pods: &[Pod]) -> Observation {
    seen_at(job, pods, &Notes::default(), "2026-11-25T10:10:00Z")
}

fn reason(job: &Job, pods: &[Pod], notes: &Notes) -> String {
    match seen_at(job, pods, notes, "2026-11-25T10:10:00Z") {
        Observation::Pending { reason } => reason.unwrap_or_default(),
        other => panic!("{other:?}"),
    }
}

fn end(job: &Job, pods: &[Pod]) -> LaunchEnd {
    match seen(job, pods) {
        Observation::Ended { end } => end,
        other => panic!("{other:?}"),
    }
}

#[test]
fn waits_are_told_in_plain_words() {
    let none = Notes::default();
    let pulling = Notes { pulling: true, ..Notes::default() };
    let refused = |message: &str| Notes { refused: Some(message.to_owned()), ..Notes::default() };
    let mut held = active();
    held.spec.as_mut().unwrap().suspend = Some(true);
    let started = json!({"phase": "Pending", "startTime": "2026-11-25T10:00:01Z"});
    let table = [
        (active(), vec![], none.clone(), ""),
        (held, vec![], none.clone(), "waits in the cluster's queue"),
        (
            active(),
            vec![],
            refused(
                "Error creating: pods \"rutter-x-1-abcde\" is forbidden: exceeded quota: compute, requested: requests.cpu=2, used: requests.cpu=9, limited: requests.cpu=10",
            ),
            "waits for other jobs: the cluster's quota is used up",
        ),
        (
            active(),
            vec![],
            refused(
                "Error creating: pods \"rutter-x-1-\" is forbidden: violates PodSecurity \"restricted:latest\": unrestricted capabilities",
            ),
            "the cluster's rules do not let it start; the operator must look into it",
        ),
        (
            active(),
            vec![unplaced(
                "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
            )],
            none.clone(),
            "waits for a machine with enough processors",
        ),
        (
            active(),
            vec![unplaced(
                "0/3 nodes are available: 1 Insufficient memory, 2 Insufficient nvidia.com/gpu, 2 Insufficient cpu. preemption: not helpful",
            )],
            none.clone(),
            "waits for a machine with enough memory, a graphics processor and enough processors",
        ),
        (
            active(),
            vec![unplaced(
                "0/2 nodes are available: 1 Insufficient ephemeral-storage, 1 node(s) had untolerated taint {gpu: true}.",
            )],
            none.clone(),
            "waits for a machine with enough scratch space",
        ),
        (
            active(),
            vec![unplaced("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.")],
            none.clone(),
            "waits for a machine of the kind that the process asks for",
        ),
        (
            active(),
            vec![unplaced("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.")],
            none.clone(),
            "waits for a volume",
        ),
        (
            active(),
            vec![unplaced("no nodes available to schedule pods")],
            none.clone(),
            "waits for a machine",
        ),
        (active(), vec![pod("a", json!({"phase": "Pending"}))], none.clone(), "waits for a machine"),
        (active(), vec![pod("a", started.clone())], none.clone(), "its container is prepared"),
        (active(), vec![pod("a", started)], pulling.clone(), "the image is fetched"),
        (active(), vec![waiting("ContainerCreating", "")], pulling, "the image is fetched"),
        (
            active(),
            vec![waiting(
                "ErrImagePull",
                "failed to pull and unpack image \"ghcr.io/example/flood:1.0\": not found",
            )],
            none.clone(),
            "the image `ghcr.io/example/flood:1.0` can't be fetched: there is no such image",
        ),
        (
            active(),
            vec![waiting(
                "ImagePullBackOff",
                "Back-off pulling image: ErrImagePull: dial tcp: lookup ghcr.io: no such host",
            )],
            none.clone(),
            "the image `ghcr.io/example/flood:1.0` can't be fetched: its registry can't be reached",
        ),
        (
            active(),
            vec![waiting("ImagePullBackOff", "Back-off pulling image \"x\"")],
            none.clone(),
            "the image `ghcr.io/example/flood:1.0` can't be fetched: it is tried again",
        ),
        (
            active(),
            vec![waiting("CreateContainerConfigError", "secret \"s3\" not found")],
            none.clone(),
            "a secret that the process needs is missing",
        ),
        (
            active(),
            vec![removed(running(), "2026-11-25T10:05:00Z")],
            none.clone(),
            "is moved to another machine",
        ),
        (active(), vec![ended(json!({"exitCode": 1}))], none, ""),
    ];
    for (job, pods, notes, wanted) in table {
        assert_eq!(reason(&job, &pods, &notes), wanted);
    }
}

#[test]
fn no_word_of_kubernetes_reaches_a_caller() {
    let words =
        ["pod", "kube", "node", "taint", "deadline", "backoff", "evict", "cgroup", "oci", "job controller"];
    let messages =
        ["Insufficient cpu", "untolerated taint {node.kubernetes.io/not-ready: }", "pod has unbound", "x"];
    for message in messages {
        let told = reason(&active(), &[unplaced(message)], &Notes::default());
        assert!(words.iter().all(|word| !told.to_lowercase().contains(word)), "{told}");
    }
    for reason in ["StartError", "ContainerCannotRun"] {
        let message = "failed to create containerd task: OCI runtime create failed: exec: permission denied";
        let told = format!(
            "{:?}",
            end(
                &failed("BackoffLimitExceeded"),
                &[ended(json!({"exitCode": 128, "reason": reason, "message": message}))]
            )
        );
        assert!(words.iter().all(|word| !told.to_lowercase().contains(word)), "{told}");
    }
}

#[test]
fn the_program_runs_from_its_own_containers_start() {
    assert_eq!(seen(&active(), &[running()]), Observation::Running);
    let preparing = json!({"phase": "Pending", "startTime": "2026-11-25T10:00:01Z",
        "initContainerStatuses": [state("rutter-agent", json!({"running": {}}))],
        "containerStatuses": [state("main", json!({"waiting": {"reason": "PodInitializing"}}))]});
    assert!(matches!(seen(&active(), &[pod("a", preparing)]), Observation::Pending { .. }));
    let again =
        pod("bb", json!({"phase": "Running", "containerStatuses": [state("main", json!({"running": {}}))]}));
    assert_eq!(seen(&active(), &[ended(json!({"exitCode": 1})), again]), Observation::Running);
}

#[test]
fn ends_have_their_causes() {
    let backoff = || failed("BackoffLimitExceeded");
    let evicted =
        |message: &str| pod("a", json!({"phase": "Failed", "reason": "Evicted", "message": message}));
    let prepared = |name: &str, code: i32| {
        pod(
            "a",
            json!({"phase": "Failed", "initContainerStatuses": [state(name, json!({"terminated": {"exitCode": code}}))]}),
        )
    };
    let table = [
        (job(json!({"conditions": [{"type": "Complete", "status": "True"}]})), vec![], LaunchEnd::Exited { code: 0 }),
        (backoff(), vec![ended(json!({"exitCode": 3, "reason": "Error"}))], LaunchEnd::Exited { code: 3 }),
        (failed("PodFailurePolicy"), vec![ended(json!({"exitCode": 120, "reason": "Error"}))], LaunchEnd::Exited { code: 120 }),
        (backoff(), vec![ended(json!({"exitCode": 137, "reason": "OOMKilled"}))], LaunchEnd::OutOfMemory),
        (backoff(), vec![pod("a", json!({"phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active on the node longer than the specified deadline"}))], LaunchEnd::TimeLimit),
        (failed("DeadlineExceeded"), vec![running()], LaunchEnd::TimeLimit),
        (backoff(), vec![evicted("Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ")], LaunchEnd::ScratchLimit),
        (backoff(), vec![evicted("Usage of EmptyDir volume \"rutter-attempt\" exceeds the limit \"1Gi\". ")], LaunchEnd::ScratchLimit),
        (backoff(), vec![evicted("The node was low on resource: memory. Threshold quantity: 100Mi, available: 1Mi. Container main was using 1Gi, request is 1Mi, has larger consumption of memory.")], LaunchEnd::Disrupted { times: 1 }),
        (backoff(), vec![disrupted("a", "DeletionByTaintManager")], LaunchEnd::NodeLost),
        (backoff(), vec![disrupted("a", "DeletionByPodGC")], LaunchEnd::NodeLost),
        (backoff(), vec![disrupted("a", "PreemptionByScheduler")], LaunchEnd::Disrupted { times: 1 }),
        (backoff(), vec![], LaunchEnd::Removed),
        (backoff(), vec![removed(ended(json!({"exitCode": 143, "finishedAt": "2026-11-25T10:05:00Z"})), "2026-11-25T10:05:10Z")], LaunchEnd::Removed),
        (backoff(), vec![removed(ended(json!({"exitCode": 3, "finishedAt": "2026-11-25T10:04:00Z"})), "2026-11-25T10:05:10Z")], LaunchEnd::Exited { code: 3 }),
        (backoff(), vec![pod("a", json!({"phase": "Failed"}))], LaunchEnd::AgentLost),
        (backoff(), vec![prepared("fetch", 2)], LaunchEnd::CannotStart { reason: "its preparation `fetch` ended with exit code 2".to_owned() }),
        (backoff(), vec![prepared("rutter-agent", 1)], LaunchEnd::CannotStart { reason: "the supervisor could not be put beside the program".to_owned() }),
        (backoff(), vec![ended(json!({"exitCode": 128, "reason": "StartError", "message": "exec: \"/rutter/bin/rutter-agent\": permission denied"}))], LaunchEnd::CannotStart { reason: "the supervisor may not be executed there: the machines' volumes must not be mounted `noexec`".to_owned() }),
        (active(), vec![waiting("ImagePullBackOff", "Back-off pulling image \"x\": ErrImagePull: failed to resolve reference: ghcr.io/example/flood:1.0: not found")], LaunchEnd::ImageMissing { reason: format!("the image `{IMAGE}` can't be fetched: there is no such image") }),
        (active(), vec![waiting("ImagePullBackOff", "ErrImagePull: pull access denied, repository does not exist or may require authorization")], LaunchEnd::ImageMissing { reason: format!("the image `{IMAGE}` can't be fetched: there is no such image") }),
        (active(), vec![waiting("InvalidImageName", "couldn't parse image name")], LaunchEnd::ImageMissing { reason: format!("`{IMAGE}` is no valid name of an image") }),
    ];
    for (job, pods, wanted) in table {
        assert_eq!(end(&job, &pods), wanted, "{:?}", pods.first().map(|pod| &pod.status));
    }
}

#[test]
fn the_last_attempt_counts() {
    let second = pod(
        "bb",
        json!({"phase": "Failed", "containerStatuses": [state("main", json!({"terminated": {"exitCode": 9}}))]}),
    );
    assert_eq!(
        end(&failed("BackoffLimitExceeded"), &[second, ended(json!({"exitCode": 3}))]),
        LaunchEnd::Exited { code: 9 }
    );
}

#[test]
fn a_job_that_is_deleted_has_ended_whatever_its_pods_do() {
    let mut deleted = active();
    deleted.metadata.deletion_timestamp = running().metadata.creation_timestamp;
    assert_eq!(end(&deleted, &[running()]), LaunchEnd::Removed);
    let mut done = job(json!({"conditions": [{"type": "Complete", "status": "True"}]}));
    done.metadata.deletion_timestamp = running().metadata.creation_timestamp;
    assert_eq!(
        end(&done, &[]),
        LaunchEnd::Exited { code: 0 },
        "deleted because its time in the cluster was up"
    );
}

#[test]
fn an_attempt_that_is_moved_away_for_ever_is_given_up() {
    let names = ["a", "bb", "ccc", "dddd", "eeeee"];
    let pods: Vec<Pod> = names.iter().map(|name| disrupted(name, "TerminationByKubelet")).collect();
    assert!(matches!(seen(&active(), &pods[..4]), Observation::Pending { .. }));
    assert_eq!(end(&active(), &pods), LaunchEnd::Disrupted { times: 5 });
}

#[test]
fn nothing_waits_for_ever() {
    let late = "2026-11-25T11:00:02Z";
    let at = |job: &Job, pods: &[Pod], now: &str| seen_at(job, pods, &Notes::default(), now);
    let waits = [unplaced("0/1 nodes are available: 1 Insufficient cpu.")];
    assert!(matches!(at(&active(), &waits, "2026-11-25T10:59:59Z"), Observation::Pending { .. }));
    let Observation::Ended { end: LaunchEnd::CannotStart { reason } } = at(&active(), &waits, late) else {
        panic!()
    };
    assert_eq!(reason, "it could not be started within 3600 s: waits for a machine with enough processors");
    let image = [waiting("ImagePullBackOff", "dial tcp: connection refused")];
    assert!(matches!(
        at(&active(), &image, late),
        Observation::Ended { end: LaunchEnd::ImageMissing { .. } }
    ));
    assert_eq!(at(&active(), &[running()], late), Observation::Running);
    assert!(
        matches!(at(&active(), &[ended(json!({"exitCode": 1}))], late), Observation::Pending { .. }),
        "between attempts"
    );
    let moved = Notes { disrupted: ["a".to_owned()].into(), ..Notes::default() };
    let made = seen_at(&active(), &[], &moved, late);
    assert!(matches!(made, Observation::Pending { .. }), "another pod is on its way: {made:?}");
    let mut again = unplaced("0/1 nodes are available: 1 Insufficient cpu.");
    again.metadata.creation_timestamp = Some(serde_json::from_value(json!("2026-11-25T10:30:00Z")).unwrap());
    let again = [again];
    let wait = |notes: &Notes, now: &str| seen_at(&active(), &again, notes, now);
    assert!(matches!(wait(&moved, "2026-11-25T11:29:59Z"), Observation::Pending { .. }), "by its own time");
    let Observation::Ended { end } = wait(&moved, "2026-11-25T11:30:01Z") else { panic!() };
    assert!(matches!(end, LaunchEnd::CannotStart { .. }), "{end:?}");
    let lost = Notes { lost: true, ..moved };
    let end = wait(&lost, "2026-11-25T11:30:01Z");
    assert_eq!(end, Observation::Ended { end: LaunchEnd::NodeLost }, "no machine instead of the lost one");
    let mut held = active();
    held.spec.as_mut().unwrap().suspend = Some(true);
    assert!(matches!(at(&held, &[], late), Observation::Pending { .. }), "a queue may take its time");
    let Observation::Ended { end } = at(&failed("DeadlineExceeded"), &waits, late) else { panic!() };
    assert_eq!(
        end,
        LaunchEnd::CannotStart {
            reason: "it could not be started in time: waits for a machine with enough processors".to_owned()
        }
    );
}
