//! The worked examples of 52North's manager, as a file: the Jobs that come of it are read back from the API server and compared with
//! those that its server made, in all that an image, a Secret, a volume, a quota or a policy can notice.

use std::fs;

use rutter_e2e::{Client, Server, wait_until};
use serde_json::{Map, Value, json};

use crate::{
    bed,
    theirs::{TOKEN, kubeconfig},
};

const URL: &str = "http://127.0.0.1:18082";
const EXAMPLES: &str = include_str!("../../../pygeoapi/test-data/north.yml");
/// Spellings that people have in their files, and what the original made errors of.
const ODD: &str = "
  odd:
    type: process
    processor:
      name: pygeoapi_kubernetes_manager.GenericImageProcessor
      check_auth: no
      metadata: {id: odd, version: 1}
      default_image: registry.example/odd:1
      command: [odd, 3, 0.5, yes]
      image_pull_secrets: [a, b]
      env: [{name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}, {name: LIST, value: [1, x]}]
      tolerations: [{key: k, tolerationSeconds: 5, operator: Exists, effect: NoExecute}]
      storage:
        - {name: s, mount_path: /a, empty_dir: null}
        - {name: s, mount_path: /b, empty_dir: {}}
";

fn server(folder: &tempfile::TempDir) -> Server {
    let path = folder.path().join("local.config.yml");
    let text = EXAMPLES.replace("http://localhost:${CONTAINER_PORT:-5000}/", URL) + ODD;
    fs::write(&path, text).unwrap();
    let cluster = bed::cluster();
    let config = format!(
        "kubernetes:\n  kubeconfig: {}\n  listen: 127.0.0.1:0\njobs: {{graceSeconds: 2}}",
        kubeconfig().display()
    );
    Server::builder()
        .by(&cluster.command(rutter_e2e::binary()))
        .config(&config)
        .variable("PYGEOAPI_CONFIG", path.to_str().unwrap())
        .variable("PYGEOAPI_K8S_MANAGER_JOB_NAME_PREFIX", "worked-")
        .variable("PYGEOAPI_K8S_MANAGER_NAMESPACE", cluster.namespace())
        .variable("PYGEOAPI_K8S_MANAGER_API_TOKEN", TOKEN)
        .listen("127.0.0.1:18082")
        .expect_warning("local.config.yml")
        .expect_warning("may not read its namespace")
        .expect_warning("may not delete pods")
        .start()
}

/// The Job of an execution, which is then ended: what its pods need is not there.
fn made(client: &Client, process: &str, inputs: &Value) -> (String, Value) {
    let job = client.submit(process, inputs);
    let id = job.rsplit('/').next().unwrap().to_owned();
    let mut found = None;
    wait_until("its Job is made", || {
        let jobs = bed::get(&["jobs"])["items"].as_array().unwrap().clone();
        found = jobs.into_iter().find(|job| job["metadata"]["name"].as_str().unwrap().contains(&id));
        found.is_some()
    });
    client.delete(&job).expect(200);
    (id, found.unwrap())
}

/// A pod's specification without what the API server adds to every one, each container likewise.
fn written(job: &Value) -> Value {
    const ADDED: [&str; 6] = [
        "dnsPolicy",
        "schedulerName",
        "terminationGracePeriodSeconds",
        "nodeSelector",
        "activeDeadlineSeconds",
        "affinity",
    ];
    let mut spec = without(&job["spec"]["template"]["spec"], &ADDED);
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let is_default = container["imagePullPolicy"] == "IfNotPresent";
            let policy: &[&str] = if is_default { &["imagePullPolicy"] } else { &[] };
            *container = without(
                container,
                &[&["terminationMessagePath", "terminationMessagePolicy"], policy].concat(),
            )
            .into();
        }
    }
    spec.into()
}

fn without(object: &Value, names: &[&str]) -> Map<String, Value> {
    let members = object.as_object().unwrap().iter();
    members
        .filter(|(name, _)| !names.contains(&name.as_str()))
        .map(|(name, it)| (name.clone(), it.clone()))
        .collect()
}

/// What every pod of theirs has, with a container's members.
fn pod(mut container: Value, further: Value) -> Value {
    container["securityContext"] = protected();
    let mut spec = json!({
        "containers": [container], "restartPolicy": "Never", "shareProcessNamespace": true, "enableServiceLinks": false,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        // Theirs mounts the token of the namespace's account, which no image of theirs uses.
        "automountServiceAccountToken": false,
    });
    spec.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    spec
}

/// The baseline of its last generation; nobody is kept from being root.
fn protected() -> Value {
    json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}})
}

fn text(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value})
}

fn secret(name: &str) -> Value {
    json!({"name": name, "valueFrom": {"secretKeyRef": {"name": "s3", "key": "access"}}})
}

/// Variables that come last, in their order.
fn told(id: &str, inputs: &str, process: &str) -> [Value; 3] {
    [
        text("PYGEOAPI_K8S_MANAGER_INPUTS", inputs),
        text("PYGEOAPI_JOB_ID", id),
        text("PYGEOAPI_PROCESS_ID", process),
    ]
}

#[test]
fn jobs_are_those_of_the_worked_examples() {
    let _turn = bed::turn();
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder);
    let client = server.client();

    let (id, greet) = made(&client, "greet", &json!({"name": "Ada", "message": ""}));
    let spec = written(&greet);
    let command = &spec["containers"][0]["command"];
    // Its script is another, for theirs has the text of the caller inside.
    assert_eq!((&command[0], &command[1], &command[5]), (&json!("/bin/sh"), &json!("-c"), &json!("Ada")));
    assert!(command[2].as_str().unwrap().contains("\ndate\nsleep 5\n"));
    let container = json!({
        "name": "hello-world-k8s", "image": "alpine:3.20", "command": command,
        "env": told(&id, r#"{"name": "Ada", "message": ""}"#, "hello-world-k8s"),
        // Theirs asks for nothing.
        "resources": {"requests": {"cpu": "10m", "memory": "16M"}},
    });
    assert_eq!(spec, pod(container, json!({"tolerations": [{"key": "pool", "operator": "Exists"}]})));

    let inputs = json!({"start": "Kiel", "wrt_speed": 6.50, "area": {"type": "Point", "coordinates": [1, 2]}, "api_key": "s3cr3t"});
    let (id, route) = made(&client, "route", &inputs);
    let own = [text("BUCKET", "None"), text("RATIO", "0.1"), text("DRY", "False"), secret("KEY")];
    let inputs = r#"{"start": "Kiel", "wrt_speed": 6.5, "area": {"type": "Point", "coordinates": [1, 2]}, "api_key": "s3cr3t"}"#;
    let container = json!({
        "name": "generic-image-processor", "image": "registry.example/route:1",
        "env": own.into_iter().chain(told(&id, inputs, "route-tool")).collect::<Vec<_>>(),
        "resources": {"requests": {"cpu": "500m", "memory": "3G"}, "limits": {"cpu": "2", "memory": "10G", "nvidia.com/gpu": "1"}},
    });
    assert_eq!(written(&route), pod(container, json!({})));
    let shown = client.status(&format!("/jobs/{id}"))["parameters"].to_string();
    assert!(shown.contains("api_key") && !shown.contains("s3cr3t"), "{shown}");

    // Twice: what the first execution was told is not told to the second.
    for _ in 0..2 {
        let (id, flood) = made(&client, "flood", &json!({"token": TOKEN, "event": "Überflutung"}));
        let scratch = json!({"name": "scratch", "mountPath": "/inputs"});
        let container = json!({
            "name": "generic-image-processor", "image": "registry.example/flood:2",
            "command": ["flood", "--config", "/inputs/run.def"],
            "env": told(&id, r#"{"event": "\u00dcberflutung"}"#, "flood"),
            "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "4Gi"}},
            "volumeMounts": [{"name": "dem", "mountPath": "/dem"}, scratch],
        });
        let [_, job, process] = told(&id, "", "flood");
        let fetch = json!({
            "name": "fetch", "image": "registry.example/fetch:1", "imagePullPolicy": "Always",
            "args": ["fetch", "--retries", "3"], "env": [secret("S3_KEY"), job, process],
            "resources": {}, "volumeMounts": [scratch], "securityContext": protected(),
        });
        let further = json!({
            "initContainers": [fetch], "imagePullSecrets": [{"name": "regcred"}],
            "volumes": [{"name": "dem", "persistentVolumeClaim": {"claimName": "dem-pvc"}},
                {"name": "scratch", "emptyDir": {"sizeLimit": "2Gi"}}],
        });
        assert_eq!(written(&flood), pod(container, further));
        assert!(!flood.to_string().contains(TOKEN));
    }

    let (id, odd) = made(&client, "odd", &json!({}));
    let node = json!({"name": "NODE", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}}});
    let own = [node, text("LIST", "[1, 'x']")];
    let container = json!({
        "name": "generic-image-processor", "image": "registry.example/odd:1", "command": ["odd", "3", "0.5", "True"],
        "env": own.into_iter().chain(told(&id, "{}", "odd")).collect::<Vec<_>>(),
        "resources": {"requests": {"cpu": "1", "memory": "500M"}},
        "volumeMounts": [{"name": "s", "mountPath": "/a"}, {"name": "s", "mountPath": "/b"}],
    });
    let further = json!({
        "imagePullSecrets": [{"name": "a"}, {"name": "b"}], "volumes": [{"name": "s", "emptyDir": {}}],
        "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
    });
    assert_eq!(written(&odd), pod(container, further));

    for job in [greet, route, odd] {
        let spec = &job["spec"];
        assert_eq!((&spec["backoffLimit"], &spec["ttlSecondsAfterFinished"]), (&json!(0), &json!(8_640_000)));
        assert_eq!(
            spec["template"]["metadata"].get("finalizers"),
            None,
            "no pod hangs when nobody serves it"
        );
        // Theirs has no deadline, and some models run for days.
        assert!(spec["activeDeadlineSeconds"].as_u64().unwrap() > 29 * 86_400, "{spec}");
    }
}
