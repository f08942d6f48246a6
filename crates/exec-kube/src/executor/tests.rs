//! The executor against a cluster's API that fails when it hurts.

use std::{fs, sync::Arc, time::Duration};

use jiff::Timestamp;
use rutter_core::{
    clock::ManualClock,
    executor::{Executor, ExecutorError, LaunchEnd, Observation},
    id::{InstanceId, JobId, LaunchName},
    plan::{Plan, PlannedUnit},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::KubernetesExecutor;
use crate::{
    bench::{
        fake::Fake,
        signer::{Signer, claims},
    },
    config::{Access, KubernetesConfig},
    manifest::tests::{config, instance, plan},
    names::{ADOPTED, FINALIZER, INSTANCE, job_name},
};

struct Bench {
    fake: Fake,
    signer: Signer,
    executor: KubernetesExecutor,
    changes: mpsc::UnboundedReceiver<LaunchName>,
    clock: Arc<ManualClock>,
    _folder: TempDir,
}

impl Bench {
    async fn new() -> Self {
        Self::keeping(false).await
    }

    /// `records` = those of jobs stand on their Jobs.
    async fn keeping(records: bool) -> Self {
        let signer = Signer::new("k1");
        let fake = Fake::start(&signer).await;
        let folder = tempfile::tempdir().unwrap();
        let clock = clock();
        let executor = open_keeping(&fake, &folder, &clock, records).await;
        let changes = executor.changes().unwrap();
        Self { fake, signer, executor, changes, clock, _folder: folder }
    }

    async fn launched(&self) -> LaunchName {
        let name = LaunchName { job: JobId::generate(), launch: 1 };
        self.executor.launch(name, &plan(None)).await.unwrap();
        name
    }

    /// Wait until a launch looks so.
    async fn until(&mut self, name: LaunchName, wanted: &Option<Observation>) {
        let wait = async {
            while self.executor.observe(name).await.unwrap() != *wanted {
                while self.changes.recv().await.unwrap() != name {}
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait).await.expect("the change is told");
    }

    fn pod(&self, launch: LaunchName, name: &str) -> Value {
        let mut cluster = self.fake.cluster();
        let job = cluster.get("jobs", &job_name(launch)).unwrap();
        cluster.put("pods", json!({"spec": {"nodeName": "node1", "containers": []}, "metadata": {
            "name": name,
            "labels": {INSTANCE: instance().to_string(), "batch.kubernetes.io/job-name": job_name(launch)},
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "controller": true,
                "name": job_name(launch), "uid": job["metadata"]["uid"]}],
        }}))
    }

    fn calls(&self, of: &str) -> Vec<String> {
        self.fake.cluster().calls.iter().filter(|call| call.starts_with(of)).cloned().collect()
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_second(2000).unwrap()))
}

async fn open(fake: &Fake, folder: &TempDir, clock: &Arc<ManualClock>) -> KubernetesExecutor {
    open_keeping(fake, folder, clock, false).await
}

async fn open_keeping(
    fake: &Fake,
    folder: &TempDir,
    clock: &Arc<ManualClock>,
    records: bool,
) -> KubernetesExecutor {
    let path = folder.path().join("kubeconfig");
    let file = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": fake.url}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    });
    fs::write(&path, file.to_string()).unwrap();
    let config = KubernetesConfig {
        access: Access::Kubeconfig { path: Some(path), context: None },
        // The tests' clock stands at 2000 s.
        pending_budget: Duration::from_secs(3600),
        records,
        ..config()
    };
    KubernetesExecutor::open(config, instance(), clock.clone()).await.unwrap()
}

fn complete() -> Value {
    json!({"conditions": [{"type": "Complete", "status": "True"}]})
}

fn ended(code: i32) -> Option<Observation> {
    Some(Observation::Ended { end: LaunchEnd::Exited { code } })
}

const PENDING: Option<Observation> = Some(Observation::Pending { reason: None });

#[tokio::test]
async fn a_launch_is_made_once() {
    let bench = Bench::new().await;
    let name = bench.launched().await;
    bench.executor.launch(name, &plan(None)).await.unwrap();
    assert_eq!(bench.executor.observe(name).await.unwrap(), PENDING);
    assert_eq!(bench.executor.place(), "uid of kube-system/uid of jobs");
}

#[tokio::test]
async fn a_name_that_others_took_is_no_launch() {
    let bench = Bench::new().await;
    let name = LaunchName { job: JobId::generate(), launch: 1 };
    let other = InstanceId::generate().to_string();
    let foreign =
        json!({"metadata": {"name": job_name(name), "labels": {INSTANCE: other}, "finalizers": [FINALIZER]}});
    bench.fake.cluster().put("jobs", foreign);
    let refused = bench.executor.launch(name, &plan(None)).await.unwrap_err();
    assert!(matches!(refused, ExecutorError::Impossible { .. }), "{refused}");
    assert_eq!(bench.executor.observe(name).await.unwrap(), None);
    assert_eq!(bench.executor.list().await.unwrap(), []);
    bench.executor.end(name, Duration::ZERO).await.unwrap();
    bench.executor.release(name).await.unwrap();
    assert!(bench.calls("DELETE").is_empty() && bench.calls("PATCH").is_empty(), "it is not touched");
}

#[tokio::test]
async fn what_a_package_may_not_say_is_not_launched() {
    let bench = Bench::new().await;
    let name = LaunchName { job: JobId::generate(), launch: 1 };
    let hostile = plan(Some(json!({"podTemplate": {"spec": {"hostNetwork": true, "containers": []}}})));
    let refused = bench.executor.launch(name, &hostile).await.unwrap_err().to_string();
    assert!(refused.contains("hostNetwork"), "{refused}");
    assert!(bench.calls("CREATE").is_empty());
}

/// The reconciler releases after a failed launch, and launches again.
#[tokio::test]
async fn a_lost_answer_makes_no_second_job_and_loses_none() {
    let mut bench = Bench::new().await;
    let name = LaunchName { job: JobId::generate(), launch: 1 };
    bench.fake.cluster().lose_answers = true;
    assert!(matches!(bench.executor.launch(name, &plan(None)).await, Err(ExecutorError::Away { .. })));
    bench.executor.release(name).await.unwrap();
    assert!(bench.calls("DELETE").is_empty(), "the job that was made stays");
    bench.fake.cluster().lose_answers = false;
    bench.executor.launch(name, &plan(None)).await.unwrap();
    bench.fake.cluster().status("jobs", &job_name(name), complete());
    bench.until(name, &ended(0)).await;
    bench.executor.release(name).await.unwrap();
    let job = bench.fake.cluster().get("jobs", &job_name(name)).unwrap();
    assert_eq!(job["metadata"]["finalizers"], json!([]));
}

#[tokio::test]
async fn ends_during_a_lost_watch_are_seen_and_none_is_invented() {
    let mut bench = Bench::new().await;
    let mut launches = Vec::new();
    for _ in 0..20 {
        launches.push(bench.launched().await);
    }
    for (at, name) in launches.iter().enumerate() {
        if at % 2 == 0 {
            bench.pod(*name, &format!("pod-{at}"));
        }
    }
    {
        let mut cluster = bench.fake.cluster();
        cluster.compact();
        for name in &launches[..5] {
            cluster.status("jobs", &job_name(*name), complete());
        }
        cluster.remove("pods", "pod-10");
        cluster.compact();
    }
    for name in launches[..5].iter().copied() {
        bench.until(name, &ended(0)).await;
    }
    assert!(bench.calls("LIST jobs").len() > 1, "the watch was really lost");
    for name in &launches[5..] {
        let seen = bench.executor.observe(*name).await.unwrap();
        assert!(matches!(seen, Some(Observation::Pending { .. })), "{seen:?}");
    }
}

#[tokio::test]
async fn absence_is_read_never_guessed() {
    let mut bench = Bench::new().await;
    let name = LaunchName { job: JobId::generate(), launch: 1 };
    assert_eq!(bench.executor.observe(name).await.unwrap(), None);
    bench.fake.cluster().down = true;
    assert!(matches!(bench.executor.observe(name).await, Err(ExecutorError::Away { .. })));
    bench.fake.cluster().down = false;
    let made = bench.launched().await;
    bench.fake.cluster().down = true;
    assert_eq!(bench.executor.observe(made).await.unwrap(), PENDING, "known without a call");
    bench.fake.cluster().down = false;
    // Somebody takes the finalizer and deletes it.
    let mut job = bench.fake.cluster().get("jobs", &job_name(made)).unwrap();
    job["metadata"]["finalizers"] = json!([]);
    bench.fake.cluster().put("jobs", job);
    bench.fake.cluster().remove("jobs", &job_name(made));
    bench.until(made, &None).await;
}

#[tokio::test]
async fn ending_takes_the_pods_within_the_grace_and_release_leaves_the_rest_to_the_cluster() {
    let mut bench = Bench::new().await;
    let name = bench.launched().await;
    bench.pod(name, "pod-1");
    bench.executor.end(name, Duration::from_secs(7)).await.unwrap();
    bench.executor.end(name, Duration::from_secs(7)).await.unwrap();
    assert_eq!(bench.calls("DELETE jobs"), [format!("DELETE jobs {} Foreground", job_name(name))]);
    assert_eq!(bench.calls("DELETE pods"), ["DELETE pods pod-1 12"]);
    bench.until(name, &Some(Observation::Ended { end: LaunchEnd::Removed })).await;
    assert_eq!(bench.executor.list().await.unwrap(), [name]);
    bench.executor.release(name).await.unwrap();
    let job = bench.fake.cluster().get("jobs", &job_name(name)).unwrap();
    assert_eq!(job["metadata"]["finalizers"], json!(["foregroundDeletion"]), "only ours is taken");
    bench.executor.release(name).await.unwrap();
    bench.executor.release(LaunchName { job: JobId::generate(), launch: 1 }).await.unwrap();
}

#[tokio::test]
async fn a_job_that_somebody_deleted_is_ended_and_takes_its_pods_along() {
    let mut bench = Bench::new().await;
    let name = bench.launched().await;
    bench.fake.cluster().remove("jobs", &job_name(name));
    bench.until(name, &Some(Observation::Ended { end: LaunchEnd::Removed })).await;
    bench.executor.release(name).await.unwrap();
    assert_eq!(bench.calls("DELETE jobs"), [format!("DELETE jobs {} Foreground", job_name(name))]);
}

#[tokio::test]
async fn a_new_server_finds_what_the_last_one_left() {
    let bench = Bench::new().await;
    let (running, released) = (bench.launched().await, bench.launched().await);
    bench.fake.cluster().status("jobs", &job_name(released), complete());
    bench.executor.release(released).await.unwrap();
    let Bench { fake, executor, _folder, .. } = bench;
    drop(executor);
    let executor = open(&fake, &_folder, &clock()).await;
    assert_eq!(executor.list().await.unwrap(), [running]);
    assert_eq!(executor.observe(running).await.unwrap(), PENDING);
    assert_eq!(executor.observe(released).await.unwrap(), ended(0));
}

fn uid(pod: &Value) -> &str {
    pod["metadata"]["uid"].as_str().unwrap()
}

#[tokio::test]
async fn a_token_opens_the_launch_of_its_pod() {
    let bench = Bench::new().await;
    let name = bench.launched().await;
    let pod = bench.pod(name, "pod-1");
    let token = bench.signer.sign(&claims("pod-1", uid(&pod)));
    let attempt = bench.executor.identify(&token).await.unwrap().unwrap();
    assert_eq!((attempt.launch, attempt.uid.as_str()), (name, uid(&pod)));
    for (what, claims) in [
        ("an earlier pod of that name", claims("pod-1", "other")),
        ("a pod that is not there", claims("pod-2", uid(&pod))),
        ("another namespace's", {
            let mut it = claims("pod-1", uid(&pod));
            it["kubernetes.io"]["namespace"] = json!("x");
            it
        }),
    ] {
        assert_eq!(bench.executor.identify(&bench.signer.sign(&claims)).await.unwrap(), None, "{what}");
    }
    assert_eq!(
        bench.executor.identify(&Signer::new("k1").sign(&claims("pod-1", uid(&pod)))).await.unwrap(),
        None
    );
    assert_eq!(bench.executor.identify("nonsense").await.unwrap(), None);
}

#[tokio::test]
async fn pods_of_others_open_nothing() {
    let bench = Bench::new().await;
    let name = LaunchName { job: JobId::generate(), launch: 1 };
    let foreign = json!({"metadata": {"name": job_name(name), "labels": {INSTANCE: InstanceId::generate().to_string()}}});
    bench.fake.cluster().put("jobs", foreign);
    let pod = bench.pod(name, "pod-1");
    let token = bench.signer.sign(&claims("pod-1", uid(&pod)));
    assert_eq!(bench.executor.identify(&token).await.unwrap(), None, "another instance's job");
    let alone = bench
        .fake
        .cluster()
        .put("pods", json!({"metadata": {"name": "alone", "labels": {INSTANCE: instance().to_string()}}}));
    let token = bench.signer.sign(&claims("alone", uid(&alone)));
    assert_eq!(bench.executor.identify(&token).await.unwrap(), None, "a pod of no job");
}

#[tokio::test]
async fn keys_are_read_once_and_again_when_the_cluster_has_new_ones() {
    let bench = Bench::new().await;
    let name = bench.launched().await;
    let pod = bench.pod(name, "pod-1");
    let old = bench.signer.sign(&claims("pod-1", uid(&pod)));
    for _ in 0..3 {
        assert!(bench.executor.identify(&old).await.unwrap().is_some());
    }
    assert_eq!(bench.calls("GET keys").len(), 1);
    let invented = Signer::new("invented");
    for _ in 0..10 {
        let token = invented.sign(&claims("pod-1", uid(&pod)));
        assert_eq!(bench.executor.identify(&token).await.unwrap(), None);
    }
    assert_eq!(bench.calls("GET keys").len(), 1, "invented keys are not worth a request each");
    let next = Signer::new("k2");
    bench.fake.cluster().keys.push(next.jwk.clone());
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
    let new = next.sign(&claims("pod-1", uid(&pod)));
    assert!(bench.executor.identify(&new).await.unwrap().is_some());
    assert_eq!(bench.calls("GET keys").len(), 2);
}

/// An image without a command of its package, in a registry that nobody runs.
fn plan_of_image(image: &str) -> Plan {
    let mut plan = plan(None);
    plan.command.clear();
    if let PlannedUnit::Docker { image: reference, .. } = &mut plan.unit {
        *reference = image.to_owned();
    }
    plan
}

#[tokio::test]
async fn a_launch_waits_for_a_registry_as_long_as_for_a_machine() {
    let bench = Bench::new().await;
    let plan = plan_of_image("127.0.0.1:1/team/x:1");
    let name = LaunchName { job: JobId::generate(), launch: 1 };
    for _ in 0..2 {
        let error = bench.executor.launch(name, &plan).await.unwrap_err();
        let ExecutorError::NotYet { reason } = error else { panic!("{error:?}") };
        assert!(reason.contains("127.0.0.1:1/team/x:1") && reason.contains("can't be reached"), "{reason}");
        bench.executor.release(name).await.unwrap();
    }
    bench.clock.set(Timestamp::from_second(2000 + 3601).unwrap());
    let other = LaunchName { job: JobId::generate(), launch: 1 };
    assert!(matches!(bench.executor.launch(other, &plan).await, Err(ExecutorError::NotYet { .. })));
    let error = bench.executor.launch(name, &plan).await.unwrap_err();
    assert!(matches!(&error, ExecutorError::Impossible { reason } if reason.contains("3600 s")), "{error:?}");
    assert_eq!(bench.executor.observe(name).await.unwrap(), None, "nothing was made");
}

#[tokio::test]
async fn a_job_that_was_made_is_found_whatever_its_registry_says_now() {
    let bench = Bench::new().await;
    let name = bench.launched().await;
    bench.executor.launch(name, &plan_of_image("127.0.0.1:1/team/x:1")).await.unwrap();
}

#[tokio::test]
async fn what_is_no_image_of_a_registry_is_not_waited_for() {
    let bench = Bench::new().await;
    let name = LaunchName { job: JobId::generate(), launch: 1 };
    let error = bench.executor.launch(name, &plan_of_image("127.0.0.1:1/../x")).await.unwrap_err();
    assert!(matches!(error, ExecutorError::Impossible { .. }), "{error:?}");
}

/// The cluster keeps pods that it took from a machine for a moment only, and no count of them.
#[tokio::test]
async fn disruptions_are_counted_after_their_pods_and_by_the_next_server() {
    let mut bench = Bench::new().await;
    let name = bench.launched().await;
    let job = job_name(name);
    for number in 1..=5 {
        let pod = format!("pod-{number}");
        bench.pod(name, &pod);
        let taken = json!({"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"});
        bench.fake.cluster().status("pods", &pod, json!({"phase": "Failed", "conditions": [taken]}));
        bench.fake.cluster().remove("pods", &pod);
        if number == 4 {
            assert!(matches!(bench.executor.observe(name).await.unwrap(), Some(Observation::Pending { .. })));
        }
    }
    let disrupted = Some(Observation::Ended { end: LaunchEnd::Disrupted { times: 5 } });
    bench.until(name, &disrupted).await;
    let noted = |bench: &Bench| {
        let job = bench.fake.cluster().get("jobs", &job).unwrap();
        job["metadata"]["annotations"]["rutter.dev/disrupted"].as_str().map_or(0, |it| it.split(',').count())
    };
    let wait = async {
        while noted(&bench) < 5 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("they are noted on the Job");
    let next = open(&bench.fake, &bench._folder, &bench.clock).await;
    assert_eq!(next.observe(name).await.unwrap(), disrupted);
}

#[tokio::test]
async fn what_was_answered_is_not_overwritten_by_what_was_about_to_be() {
    let bench = Bench::keeping(true).await;
    let name = bench.launched().await;
    let executor = &bench.executor;
    let record = |text: &'static str| move |_| text.as_bytes().to_vec();
    let kept =
        async || executor.records().await.unwrap().into_iter().map(|it| String::from_utf8(it).unwrap());
    executor.keep_ahead(name, &record("successful")).await.unwrap();
    assert_eq!(
        kept().await.collect::<Vec<_>>(),
        ["successful"],
        "a crash here gives what nobody was told yet"
    );
    executor.keep_record(name, &record("dismissed")).await.unwrap();
    assert_eq!(kept().await.collect::<Vec<_>>(), ["dismissed"], "somebody was faster");
    executor.keep_ahead(name, &record("successful")).await.unwrap();
    executor.keep_record(name, &record("successful")).await.unwrap();
    assert_eq!(kept().await.collect::<Vec<_>>(), ["dismissed"]);
}

/// As 52North makes it, ended and without its pod, and given to this instance.
fn adopted(change: &str) -> Value {
    let id = "99755242-31af-11f0-80bd-0255ac10006c";
    json!({"metadata": {"name": format!("pygeoapi-job-{id}"), "finalizers": [FINALIZER],
        "labels": {INSTANCE: instance().to_string(), ADOPTED: "52north"},
        "annotations": {"pygeoapi.io/process_id": "route", "pygeoapi.io/result-value": "1"}},
        "status": {"conditions": [{"type": change, "status": "True", "reason": "BackoffLimitExceeded",
            "lastTransitionTime": "1970-01-01T00:10:00Z"}]}})
}

#[tokio::test]
async fn an_adopted_job_speaks_for_itself_only_when_its_pod_is_surely_gone() {
    for (kind, wanted) in [("Complete", "Exited { code: 0 }"), ("Failed", "BackoffLimitExceeded")] {
        let bench = Bench::new().await;
        let made = bench.fake.cluster().put("jobs", adopted(kind));
        let name = LaunchName { job: "99755242-31af-11f0-80bd-0255ac10006c".parse().unwrap(), launch: 1 };
        let shown = async {
            while bench.executor.adopted(name).is_none() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), shown).await.expect("the watch shows it");
        assert_eq!(bench.executor.list().await.unwrap(), [name]);
        let found = bench.executor.adopted(name).unwrap();
        assert_eq!((found.process.as_str(), found.ended.unwrap().as_second()), ("route", 600));
        assert!(bench.executor.alone(name).is_empty(), "nobody has looked for its pod");
        assert_eq!(bench.executor.observe(name).await.unwrap(), PENDING);
        let [attempt] = bench.executor.alone(name).try_into().unwrap();
        assert_eq!(made["metadata"]["uid"], json!(attempt.uid));
        assert!(format!("{:?}", attempt.end).contains(wanted), "{attempt:?}");
        // It can't be launched, and goes with its job.
        let plan = Plan { unit: PlannedUnit::Adopted, ..plan(None) };
        let refused = bench.executor.launch(name, &plan).await.unwrap_err();
        assert!(matches!(refused, ExecutorError::Impossible { .. }), "{refused}");
        bench.executor.release(name).await.unwrap();
        assert!(bench.calls("DELETE jobs").is_empty(), "only let go");
        bench.executor.forget(name).await.unwrap();
        assert_eq!(bench.calls("DELETE jobs").len(), 1);
    }
}
