//! The rights of `deploy/kubernetes` are enough and no more, and after `leave` nothing hangs.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use rutter_core::{
    clock::SystemClock,
    executor::{Executor, LaunchEnd},
    id::{InstanceId, JobId, LaunchName},
};
use rutter_exec_kube::{Access, KubernetesConfig, KubernetesExecutor, Left, leave};
use rutter_testcluster::Cluster;
use serde_json::{Value, json};

use crate::bench::{Bench, config, plan, with};
use crate::fed;

/// The namespace, accounts and roles as they are shipped, for another namespace.
fn install(cluster: &Cluster, namespace: &str) {
    for file in ["00-namespace.yaml", "10-access.yaml"] {
        let path = format!("{}/../../deploy/kubernetes/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let text = text
            .replace(
                "kind: Namespace\nmetadata:\n  name: rutter\n",
                &format!("kind: Namespace\nmetadata:\n  name: {namespace}\n"),
            )
            .replace("namespace: rutter", &format!("namespace: {namespace}"))
            .replace("cluster-identity.rutter", &format!("cluster-identity.{namespace}"))
            .replace("resourceNames: [rutter]", &format!("resourceNames: [{namespace}]"));
        let mut kubectl = cluster.kubectl_command();
        kubectl.args(["apply", "--filename", "-"]);
        let (taken, told) = fed(kubectl, &text);
        assert!(taken, "{told}");
    }
}

/// Settings of the server as its own service account.
fn settings(cluster: &Cluster, namespace: &str, folder: &Path) -> KubernetesConfig {
    let token = cluster.kubectl(["create", "token", "rutter", "--namespace", namespace]).unwrap();
    let admin = cluster.kubectl(["config", "view", "--raw", "--output", "json"]).unwrap();
    let mut kubeconfig: Value = serde_json::from_str(&admin).unwrap();
    kubeconfig["users"][0]["user"] = json!({"token": token.trim()});
    let path = folder.join("kubeconfig");
    std::fs::write(&path, kubeconfig.to_string()).unwrap();
    KubernetesConfig {
        access: Access::Kubeconfig { path: Some(path), context: None },
        namespace: namespace.to_owned(),
        service_account: Some("rutter-jobs".to_owned()),
        ..config(cluster)
    }
}

/// What an account of the namespace `roles` may do in a namespace, a line for each rule.
fn rights(cluster: &Cluster, account: &str, namespace: &str) -> BTreeSet<String> {
    let who = format!("--as=system:serviceaccount:roles:{account}");
    let groups = ["--as-group=system:serviceaccounts", "--as-group=system:authenticated"];
    let words = ["auth", "can-i", "--list", "--no-headers", "--namespace", namespace, &who];
    let text = cluster.kubectl(words.into_iter().chain(groups)).unwrap();
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// What the server's account may do more than one without any rights.
fn own_rights(cluster: &Cluster, namespace: &str) -> Vec<String> {
    let nobody = rights(cluster, "somebody", namespace);
    assert_eq!(rights(cluster, "rutter-jobs", namespace), nobody, "accounts of jobs have no rights");
    rights(cluster, "rutter", namespace).difference(&nobody).cloned().collect()
}

#[test]
fn the_shipped_roles_are_what_the_server_needs_and_no_more() {
    with(|cluster| async move {
        install(cluster, "roles");
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(cluster, "roles", folder.path());
        let bench = Bench::with(cluster, settings.clone()).await;
        let good = bench.launch(&plan("exit 0")).await;
        assert_eq!(bench.end(good).await, LaunchEnd::Exited { code: 0 });
        bench.executor.release(good).await.unwrap();
        let long = bench.launch(&plan("sleep 600")).await;
        bench.running(long).await;
        bench.executor.end(long, Duration::from_secs(1)).await.unwrap();
        assert_eq!(bench.end(long).await, LaunchEnd::Removed);
        bench.executor.release(long).await.unwrap();
        leave(&settings, InstanceId::generate()).await.unwrap();

        let expected = [
            "events [] [] [list watch]",
            "jobs.batch [] [] [create get list watch patch delete]",
            "namespaces [] [roles] [get]",
            "pods [] [] [get list watch delete]",
            "pods/log [] [] [get]",
            "pods/status [] [] [patch]",
        ];
        assert_eq!(own_rights(cluster, "roles"), expected);
        assert_eq!(own_rights(cluster, "kube-system"), ["namespaces [] [kube-system] [get]"]);
        assert!(own_rights(cluster, "default").is_empty());
    });
}

#[test]
fn who_leaves_takes_nothing_of_others_and_the_namespace_can_go() {
    with(|cluster| async move {
        install(cluster, "leaving");
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(cluster, "leaving", folder.path());
        let instances = [InstanceId::generate(), InstanceId::generate()];
        for instance in instances {
            let executor =
                KubernetesExecutor::open(settings.clone(), instance, Arc::new(SystemClock)).await.unwrap();
            for _ in 0..2 {
                let name = LaunchName { job: JobId::generate(), launch: 1 };
                executor.launch(name, &plan("sleep 600")).await.unwrap();
            }
        }
        let held = |instance: InstanceId| {
            let selector = format!("--selector=rutter.dev/instance={instance}");
            let path = "jsonpath={range .items[*]}{.metadata.finalizers}{end}";
            let words = ["get", "jobs", "--namespace", "leaving", &selector, "--output", path];
            cluster.kubectl(words).unwrap().matches("rutter.dev/archive").count()
        };
        assert_eq!(leave(&settings, instances[0]).await.unwrap(), Left { released: 2, unfinished: 2 });
        assert_eq!((held(instances[0]), held(instances[1])), (0, 2));
        assert_eq!(leave(&settings, instances[0]).await.unwrap(), Left { released: 0, unfinished: 2 });
        assert_eq!(leave(&settings, instances[1]).await.unwrap().released, 2);
        cluster.kubectl(["delete", "namespace", "leaving", "--timeout=180s"]).unwrap();
        assert_eq!(cluster.get("namespace/leaving").unwrap(), None);
    });
}
