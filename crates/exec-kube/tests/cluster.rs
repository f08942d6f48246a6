//! The executor on a real cluster: what Kubernetes makes of our Jobs, and what we make of its answers.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod bench;
mod leaving;

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use bench::{Bench, alone, config, plan, plan_of, with};
use rutter_core::{
    executor::{Executor, LaunchEnd, Observation},
    plan::PlannedUnit,
};
use rutter_exec_kube::{Access, Security, job_name};
use rutter_testcluster::Component;
use serde_json::{Value, json};

/// Runs a command with a text as its input; its output and whether it went well.
fn fed(mut command: Command, input: &str) -> (bool, String) {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn every_manifest_is_taken_with_strict_checks() {
    with(|cluster| async move {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/manifest/snapshots");
        let mut count = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let (_, manifest) = text.split_once("---\n").unwrap().1.split_once("---\n").unwrap();
            let mut job: Value = serde_json::from_str(manifest).unwrap();
            job["metadata"]["namespace"] = json!(cluster.namespace());
            let mut kubectl = cluster.kubectl_command();
            kubectl.args(["create", "--dry-run=server", "--validate=strict", "--filename", "-"]);
            let (taken, told) = fed(kubectl, &job.to_string());
            assert!(taken && !told.contains("Warning"), "{}: {told}", path.display());
            count += 1;
        }
        assert!(count >= 5, "{count}");
    });
}

#[test]
fn a_restricted_namespace_takes_what_is_restricted() {
    with(|cluster| async move {
        let namespace = "restricted";
        cluster
            .apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace,
                "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}))
            .unwrap();
        let mut config = config(cluster);
        config.namespace = namespace.to_owned();
        let bench = Bench::with(cluster, config).await;
        let good = bench.launch(&plan("exit 0")).await;
        assert_eq!(bench.end(good).await, LaunchEnd::Exited { code: 0 });
        let root = bench.launch(&plan_of(bench::TOOLS, Some(json!({"security": "baseline"})))).await;
        bench.waits(root, "the cluster's rules do not let it start; the operator must look into it").await;
    });
}

#[test]
fn a_launch_runs_ends_and_is_released() {
    with(|cluster| async move {
        let bench = Bench::new(cluster).await;
        let work = "for f in in out work; do echo x > /rutter/attempt/$f/x || exit 9; done; sleep 3";
        let name = bench.launch(&plan(work)).await;
        bench.executor.launch(name, &plan(work)).await.unwrap();
        bench.running(name).await;
        assert_eq!(bench.executor.list().await.unwrap(), [name]);
        assert_eq!(bench.end(name).await, LaunchEnd::Exited { code: 0 });
        assert_eq!(bench.pods(name).as_array().unwrap().len(), 1);
        for _ in 0..2 {
            bench.executor.release(name).await.unwrap();
        }
        bench
            .eventually("it is released", || {
                bench.job(name).is_none_or(|job| job["metadata"]["finalizers"].is_null())
            })
            .await;
        let other = Bench::new(cluster).await;
        assert_eq!(other.executor.list().await.unwrap(), [], "another instance sees nothing of it");
        assert_eq!(other.executor.observe(name).await.unwrap(), None);
        assert_eq!(other.executor.place(), bench.executor.place());
    });
}

#[test]
fn a_finished_job_goes_when_its_time_is_up_but_not_before_it_is_released() {
    with(|cluster| async move {
        let mut config = config(cluster);
        config.ttl = Duration::from_secs(1);
        let bench = Bench::with(cluster, config).await;
        let name = bench.launch(&plan("exit 0")).await;
        assert_eq!(bench.end(name).await, LaunchEnd::Exited { code: 0 });
        bench
            .eventually("its time is up", || {
                !bench.job(name).unwrap()["metadata"]["deletionTimestamp"].is_null()
            })
            .await;
        assert_eq!(bench.end(name).await, LaunchEnd::Exited { code: 0 }, "still known as it ended");
        bench.executor.release(name).await.unwrap();
        bench.eventually("it goes", || bench.job(name).is_none()).await;
    });
}

#[test]
fn a_pods_token_opens_its_own_launch_and_no_other_token_does() {
    with(|cluster| async move {
        let bench = Bench::new(cluster).await;
        let name = bench.launch(&plan("cat /rutter/token/token; echo; sleep 600")).await;
        bench.running(name).await;
        let pod = bench.pods(name)[0].clone();
        let pod_name = pod["metadata"]["name"].as_str().unwrap();
        let logs = || cluster.kubectl(["logs", pod_name, "--container", "main"]).unwrap();
        bench.eventually("the token is printed", || !logs().is_empty()).await;
        let token = logs().trim().to_owned();
        let attempt = bench.executor.identify(&token).await.unwrap();
        let attempt = attempt.unwrap_or_else(|| panic!("{token}"));
        assert_eq!((attempt.launch, json!(attempt.uid)), (name, pod["metadata"]["uid"].clone()));
        let other = Bench::new(cluster).await;
        assert_eq!(other.executor.identify(&token).await.unwrap(), None, "another instance's");
        let bound = format!("--bound-object-name={pod_name}");
        for (what, words) in [
            ("of no pod", vec!["--audience=rutter"]),
            ("of another audience", vec!["--audience=other", "--bound-object-kind=Pod", &bound]),
            ("for the API", vec!["--bound-object-kind=Pod", &bound]),
        ] {
            let words = ["create", "token", "default"].into_iter().chain(words);
            let token = cluster.kubectl(words).unwrap();
            assert_eq!(bench.executor.identify(token.trim()).await.unwrap(), None, "{what}");
        }
        bench.executor.end(name, Duration::from_secs(1)).await.unwrap();
        bench.executor.release(name).await.unwrap();
    });
}

#[test]
fn failures_have_their_causes() {
    with(|cluster| async move {
        let mut config = config(cluster);
        (config.staging_budget, config.upload_window) = (Duration::ZERO, Duration::ZERO);
        let bench = Bench::with(cluster, config).await;
        let exits = bench.launch(&plan("exit 3")).await;
        let mut memory = plan("exec tail /dev/zero");
        memory.limits.memory_bytes = Some(64_000_000);
        let memory = bench.launch(&memory).await;
        let mut time = plan("sleep 600");
        (time.limits.command_seconds, time.limits.grace_seconds) = (8, 1);
        let time = bench.launch(&time).await;
        let name = bench.launch(&plan_of("UPPER:1", None)).await;
        let preparation =
            json!({"initContainers": [{"name": "fetch", "image": bench::TOOLS, "command": ["false"]}]});
        let prepared = bench.launch(&plan_of(bench::TOOLS, Some(preparation))).await;
        assert_eq!(bench.end(exits).await, LaunchEnd::Exited { code: 3 });
        assert_eq!(bench.end(memory).await, LaunchEnd::OutOfMemory);
        assert!(matches!(bench.end(name).await, LaunchEnd::ImageMissing { .. }));
        let LaunchEnd::CannotStart { reason } = bench.end(prepared).await else { panic!() };
        assert_eq!(reason, "its preparation `fetch` ended with exit code 1");
        assert_eq!(bench.end(time).await, LaunchEnd::TimeLimit);
        for name in [exits, memory, time, name, prepared] {
            bench.executor.release(name).await.unwrap();
        }
        bench.eventually("what had not ended by itself is gone", || bench.job(name).is_none()).await;
    });
}

#[test]
fn files_that_take_too_much_space_end_the_attempt() {
    with(|cluster| async move {
        let bench = Bench::new(cluster).await;
        let mut large = plan("dd if=/dev/zero of=/rutter/attempt/work/x bs=1M count=200; sleep 600");
        large.limits.scratch_bytes = Some(1_000_000);
        let name = bench.launch(&large).await;
        assert_eq!(bench.end(name).await, LaunchEnd::ScratchLimit);
        bench.executor.release(name).await.unwrap();
    });
}

#[test]
fn retries_are_made_by_the_cluster_and_bad_input_is_not_retried() {
    with(|cluster| async move {
        let bench = Bench::new(cluster).await;
        let mut twice = plan("exit 3");
        twice.retries = 1;
        let mut hopeless = plan("exit 120");
        hopeless.retries = 3;
        let (twice, hopeless) = (bench.launch(&twice).await, bench.launch(&hopeless).await);
        assert_eq!(bench.end(hopeless).await, LaunchEnd::Exited { code: 120 });
        assert_eq!(bench.pods(hopeless).as_array().unwrap().len(), 1);
        assert_eq!(bench.end(twice).await, LaunchEnd::Exited { code: 3 });
        assert_eq!(bench.pods(twice).as_array().unwrap().len(), 2);
        for name in [twice, hopeless] {
            bench.executor.release(name).await.unwrap();
        }
    });
}

#[test]
fn waits_are_told() {
    with(|cluster| async move {
        let bench = Bench::new(cluster).await;
        let mut large = plan("exit 0");
        large.needs.cpu_milli = 1_000_000;
        let large = bench.launch(&large).await;
        let mut gpus = plan("exit 0");
        gpus.unit = PlannedUnit::Docker {
            image: bench::TOOLS.to_owned(),
            cpu_limit_milli: None,
            gpus: 1,
            kubernetes: None,
        };
        let gpus = bench.launch(&gpus).await;
        let elsewhere =
            bench.launch(&plan_of(bench::TOOLS, Some(json!({"nodeSelector": {"pool": "none"}})))).await;
        let far = bench.launch(&plan_of("localhost/none:1", None)).await;
        bench.waits(large, "waits for a machine with enough processors").await;
        bench.waits(gpus, "waits for a machine with a graphics processor").await;
        bench.waits(elsewhere, "waits for a machine of the kind that the process asks for").await;
        bench
            .waits(far, "the image `localhost/none:1` can't be fetched: its registry can't be reached")
            .await;
        for name in [large, gpus, elsewhere, far] {
            bench.executor.end(name, Duration::ZERO).await.unwrap();
            assert_eq!(bench.end(name).await, LaunchEnd::Removed);
            bench.executor.release(name).await.unwrap();
            bench.eventually("it is gone", || bench.job(name).is_none()).await;
        }
    });
}

#[test]
fn a_quota_is_told_and_the_launch_goes_on_when_it_is_free() {
    with(|cluster| async move {
        let namespace = "quota";
        cluster.kubectl(["create", "namespace", namespace]).unwrap();
        cluster.kubectl(["create", "quota", "none", "--hard=pods=0", "--namespace", namespace]).unwrap();
        let mut config = config(cluster);
        config.namespace = namespace.to_owned();
        let bench = Bench::with(cluster, config).await;
        let name = bench.launch(&plan("exit 0")).await;
        bench.waits(name, "waits for other jobs: the cluster's quota is used up").await;
        cluster.kubectl(["delete", "quota", "none", "--namespace", namespace]).unwrap();
        assert_eq!(bench.end(name).await, LaunchEnd::Exited { code: 0 });
    });
}

#[test]
fn a_queue_holds_a_job_until_it_lets_it_go() {
    with(|cluster| async move {
        let bench = Bench::new(cluster).await;
        let name = bench.launch(&plan_of(bench::TOOLS, Some(json!({"queue": "models"})))).await;
        bench.waits(name, "waits in the cluster's queue").await;
        let job = format!("job/{}", job_name(name));
        cluster.kubectl(["patch", &job, "--patch", r#"{"spec": {"suspend": false}}"#]).unwrap();
        assert_eq!(bench.end(name).await, LaunchEnd::Exited { code: 0 });
        bench.executor.release(name).await.unwrap();
    });
}

#[test]
fn ending_frees_the_machine_within_the_grace() {
    with(|cluster| async move {
        let bench = Bench::new(cluster).await;
        let mut stubborn = plan("trap '' TERM; while true; do sleep 1; done");
        stubborn.limits.grace_seconds = 3600;
        let name = bench.launch(&stubborn).await;
        bench.running(name).await;
        bench.executor.end(name, Duration::from_secs(1)).await.unwrap();
        assert_eq!(bench.end(name).await, LaunchEnd::Removed);
        bench.eventually("its pod is gone", || bench.pods(name).as_array().unwrap().is_empty()).await;
        assert!(bench.job(name).is_some(), "not forgotten before it is archived");
        bench.executor.release(name).await.unwrap();
        bench.eventually("its job is gone", || bench.job(name).is_none()).await;
    });
}

#[test]
fn what_others_delete_has_ended() {
    with(|cluster| async move {
        let bench = Bench::new(cluster).await;
        let (job, pod) = (bench.launch(&plan("sleep 600")).await, bench.launch(&plan("sleep 600")).await);
        bench.running(job).await;
        bench.running(pod).await;
        cluster.kubectl(["delete", "job", &job_name(job), "--wait=false"]).unwrap();
        let name = bench.pods(pod)[0]["metadata"]["name"].as_str().unwrap().to_owned();
        cluster.kubectl(["delete", "pod", &name, "--wait=false"]).unwrap();
        assert_eq!(bench.end(job).await, LaunchEnd::Removed);
        assert_eq!(bench.end(pod).await, LaunchEnd::Removed);
        for name in [job, pod] {
            bench.executor.release(name).await.unwrap();
        }
        bench.eventually("no pod is left behind", || bench.pods(job).as_array().unwrap().is_empty()).await;
    });
}

#[test]
fn nothing_is_lost_while_the_api_is_away_and_watches_expire() {
    alone(|cluster| async move {
        let bench = Bench::new(cluster).await;
        let mut launches = Vec::new();
        for seconds in [1, 5, 10, 600] {
            launches.push(bench.launch(&plan(&format!("sleep {seconds}"))).await);
        }
        for name in &launches {
            bench.running(*name).await;
        }
        cluster.kill(Component::ApiServer).unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(bench.executor.observe(launches[3]).await.unwrap(), Some(Observation::Running));
        cluster.start(Component::ApiServer).unwrap();
        cluster.expire_watches().unwrap();
        for name in &launches[..3] {
            assert_eq!(bench.end(*name).await, LaunchEnd::Exited { code: 0 });
        }
        assert_eq!(bench.executor.observe(launches[3]).await.unwrap(), Some(Observation::Running));
        bench.executor.end(launches[3], Duration::ZERO).await.unwrap();
        for name in launches {
            bench.executor.release(name).await.unwrap();
        }
    });
}

/// Rights of a server: in the namespace of its jobs, and to read the identifier of the cluster.
fn roles(namespace: &str) -> Value {
    let role = |namespace: &str, rules: Value| {
        let metadata = json!({"name": "rutter", "namespace": namespace});
        let group = "rbac.authorization.k8s.io";
        let user = json!([{"kind": "User", "name": bench::SERVER, "apiGroup": group}]);
        [
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules}),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
                "subjects": user, "roleRef": {"kind": "Role", "name": "rutter", "apiGroup": group}}),
        ]
    };
    let jobs = json!([
        {"apiGroups": ["batch"], "resources": ["jobs"],
            "verbs": ["create", "get", "list", "watch", "patch", "delete"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch", "delete"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods/status"], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["list", "watch"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
    ]);
    let cluster = json!([{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}]);
    let items = [role(namespace, jobs), role("kube-system", cluster)].concat();
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

#[test]
fn a_server_needs_few_rights() {
    with(|cluster| async move {
        cluster.apply(&roles(cluster.namespace())).unwrap();
        let mut config = config(cluster);
        config.access =
            Access::Kubeconfig { path: Some(cluster.kubeconfig_of(bench::SERVER)), context: None };
        let bench = Bench::with(cluster, config).await;
        let (short, long) = (bench.launch(&plan("exit 0")).await, bench.launch(&plan("sleep 600")).await);
        let mut large = plan("exit 0");
        large.needs.cpu_milli = 1_000_000;
        let large = bench.launch(&large).await;
        bench.waits(large, "waits for a machine with enough processors").await;
        bench.running(long).await;
        assert_eq!(bench.end(short).await, LaunchEnd::Exited { code: 0 });
        for name in [long, large] {
            bench.executor.end(name, Duration::from_secs(1)).await.unwrap();
        }
        for name in [short, long, large] {
            bench.executor.release(name).await.unwrap();
        }
        bench.eventually("all is cleared", || bench.job(long).is_none() && bench.job(large).is_none()).await;
    });
}

#[test]
fn a_weaker_level_is_the_operators_to_allow() {
    with(|cluster| async move {
        let mut config = config(cluster);
        config.weakest_security = Security::None;
        let bench = Bench::with(cluster, config).await;
        let mut root = plan_of(bench::TOOLS, Some(json!({"security": "none"})));
        root.env = plan("test $(id -u) = 0").env;
        let name = bench.launch(&root).await;
        assert_eq!(bench.end(name).await, LaunchEnd::Exited { code: 0 });
        bench.executor.release(name).await.unwrap();
    });
}
