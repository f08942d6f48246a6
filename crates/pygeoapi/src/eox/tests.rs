//! The worked example of EOX's part, its odd values, and what is told of what is not done.

use std::path::Path;

use serde_json::{Value, json};

use crate::{Level, Remark, read};

fn package(name: &str, members: &str) -> (Option<Value>, Vec<Remark>) {
    let indented = members.replace('\n', "\n      ");
    let text = format!(
        "resources:\n  run:\n    type: process\n    processor:\n      name: pygeoapi_kubernetes_papermill.{name}\n      {indented}\n"
    );
    let configuration =
        read(&text, Path::new("f"), &|_| None).unwrap_or_else(|faults| panic!("{faults:?}\n{text}"));
    (configuration.processes.first().map(|converted| converted.package.clone()), configuration.remarks)
}

fn notebook(members: &str) -> (Value, Vec<Remark>) {
    let text = format!(
        "default_image: quay.io/jupyter/scipy:1\noutput_directory: /home/jovyan/job-output\n{members}"
    );
    let (package, remarks) = package("PapermillNotebookKubernetesProcessor", &text);
    (package.unwrap_or_else(|| panic!("{remarks:?}")), remarks)
}

fn pod(package: &Value) -> &Value {
    &package["executionUnit"][0]["kubernetes"]["podTemplate"]["spec"]
}

/// What this server's own reader says of a package; it must not say anything.
fn is_taken(package: &Value) {
    rutter_core::process::package::parse(&package.to_string(), Path::new("p"), None)
        .unwrap_or_else(|faults| panic!("{faults:?}"));
}

#[test]
fn the_worked_example() {
    let text = include_str!("../../test-data/eox.yml");
    let configuration =
        read(text, Path::new("eox.yml"), &|_| None).unwrap_or_else(|faults| panic!("{faults:?}"));
    let ids: Vec<&str> = configuration.processes.iter().map(|converted| converted.id.as_str()).collect();
    assert_eq!(ids, ["execute-notebook", "execute-image"]);
    configuration.processes.iter().for_each(|converted| is_taken(&converted.package));
    let package = configuration.processes[0].package.clone();
    let of_it = |remark: &Remark| remark.path.starts_with("resources.execute-notebook");
    let remarks: Vec<Remark> = configuration.remarks.into_iter().filter(of_it).collect();
    assert!(remarks.iter().all(|remark| remark.level == Level::Note), "{remarks:?}");
    is_taken(&package);
    let wanted = json!({
        "serviceAccountName": "hub-job", "automountServiceAccountToken": true,
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "hub.eox.at/node-purpose", "operator": "In", "values": ["c1"]}]}]}}},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
            {"key": "hub.jupyter.org/dedicated", "operator": "Exists", "effect": "NoSchedule"}],
        "securityContext": {"runAsUser": 1000, "runAsGroup": 100, "fsGroup": 100, "fsGroupChangePolicy": "OnRootMismatch"},
        "containers": [{
            "name": "notebook", "workingDir": "/home/jovyan",
            "resources": {"limits": {"nvidia.com/gpu": "1"}},
            "envFrom": [{"secretRef": {"name": "redis"}}],
            "env": [
                {"name": "JOB_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['batch.kubernetes.io/job-name']"}}},
                {"name": "JUPYTER_IMAGE", "value": "quay.io/jupyter/scipy:1"},
                {"name": "PROGRESS_ANNOTATION", "value": "pygeoapi.io/progress"}],
            "volumeMounts": [{"name": "home", "mountPath": "/home/jovyan"}, {"name": "secret-0", "mountPath": "/secret/db"}],
        }],
        "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "user-foo"}},
            {"name": "secret-0", "secret": {"secretName": "db"}}],
        "shareProcessNamespace": true, "enableServiceLinks": false,
    });
    assert_eq!(*pod(&package), wanted);
    assert_eq!(package["answer"], json!(["result-file", "result"]));
    let command = package["executionUnit"][0]["command"].as_array().unwrap();
    assert_eq!(
        command[..5],
        [json!("env"), json!("HOME=/home/jovyan"), json!("bash"), json!("-i"), json!("-c")]
    );
    let settings: Value = serde_json::from_str(command.last().unwrap().as_str().unwrap()).unwrap();
    assert_eq!(settings["engine"], "kubernetes_job_progress");
    assert_eq!(settings["log_output"], true);
}

#[test]
fn charts_leave_values_empty() {
    let (package, remarks) = notebook(
        "allowed_node_purposes_regex:\nrun_as_user:\nrun_as_group: None\nextra_resource_limits: {}\nimage_pull_secret: \"\"\n\
         home_volume_claim_name: \"\"\nextra_pvcs: []\nextra_volumes: []\nsecrets:\nconda_store_groups: []\nauto_mount_secrets: False\ns3:\n\
         checkout_git_repo: {enabled: false, url: x}\nallowed_images_regex: \"\"\njob_service_account: \"\"",
    );
    assert_eq!(remarks, []);
    is_taken(&package);
    assert_eq!(pod(&package).get("volumes"), None);
    assert_eq!(pod(&package)["securityContext"].get("runAsUser"), None);
}

#[test]
fn what_is_not_done_is_told() {
    let (package, remarks) = notebook(
        "s3: {bucket_name: b, secret_name: s, s3_url: u}\nconda_store_groups: [g]\nauto_mount_secrets: true\nallow_fargate: true\n\
         allowed_images_regex: '.*'\njupyter_base_url: /hub\nextra_pvcs: [{claim_name: c, mount_path: /c, sub_path: d}]\n\
         checkout_git_repo: {url: 'https://example.org/a.git', secret_name: git}",
    );
    is_taken(&package);
    let doubts: Vec<u64> =
        remarks.iter().filter(|remark| remark.level == Level::Doubt).map(|remark| remark.line).collect();
    assert_eq!(doubts, [8, 9, 10, 11], "{remarks:?}");
    assert_eq!(
        pod(&package)["containers"][0]["volumeMounts"][0],
        json!({"name": "extra-0", "mountPath": "/c", "subPath": "d"})
    );
    assert_eq!(pod(&package)["initContainers"][0]["name"], "git");
}

#[test]
fn every_input_of_the_original_is_declared() {
    let (package, _) = notebook(
        "node_purpose_label_key: k\ndefault_node_purpose: c1\nallowed_node_purposes_regex: c1|gpu\nallowed_images_regex: 'quay\\.io/.*'",
    );
    let inputs = package["processDescription"]["process"]["inputs"].as_object().unwrap();
    for name in [
        "notebook",
        "parameters_json",
        "parameters",
        "kernel",
        "image",
        "output_dirname",
        "output_filename",
        "cpu_limit",
        "mem_limit",
        "cpu_requests",
        "mem_requests",
        "result_data_directory",
        "git_revision",
        "run_on_fargate",
        "node_purpose",
    ] {
        assert_eq!(inputs[name].get("minOccurs") == Some(&json!(0)), name != "notebook", "{name}");
    }
}

#[test]
fn lines_of_a_shell() {
    let (package, remarks) = package(
        "image.ContainerImageKubernetesProcessor",
        "default_image: a:1\ncommand: 'run \"$X\" $(date)'\nparameters_env: {X: 1, Y: $HOME}\nid: mine\ntitle: Mine\nversion: 1.0\ninputs: []",
    );
    let package = package.unwrap();
    is_taken(&package);
    assert!(remarks.iter().all(|remark| remark.level == Level::Note), "{remarks:?}");
    let command = package["executionUnit"][0]["command"].as_array().unwrap();
    assert_eq!(command[6], "run \"$X\" $$(date)");
    assert_eq!(command[7], "{\"own\":[\"X\",\"Y\"]}");
    assert_eq!(pod(&package)["containers"][0]["env"][2], json!({"name": "Y", "value": "$HOME"}));
    assert_eq!(package["processDescription"]["process"]["version"], "1.0");
    assert!(package["processDescription"]["process"]["inputs"]["parameters_env"].is_object());
}

#[test]
fn without_what_is_needed_it_is_left_out() {
    for (name, members) in [
        ("PapermillNotebookKubernetesProcessor", "default_image: a"),
        ("notebook.PapermillNotebookKubernetesProcessor", "output_directory: /x"),
        ("ContainerImageKubernetesProcessor", "default_image: a"),
        ("ArgoProcessor", "workflow_template: x"),
    ] {
        let (package, remarks) = package(name, members);
        assert_eq!(package, None, "{name}");
        assert_eq!(
            remarks.iter().filter(|remark| remark.level == Level::LeftOut).count(),
            1,
            "{name}: {remarks:?}"
        );
    }
}

#[test]
fn callers_choose_what_the_configuration_allows() {
    let (package, remarks) = notebook(
        "node_purpose_label_key: k\ndefault_node_purpose: c1\nallowed_node_purposes_regex: c1|gpu\nextra_resource_limits: {cpu: 8}\n\
         allowed_images_regex: '(?<x'",
    );
    is_taken(&package);
    let inputs = &package["processDescription"]["process"]["inputs"];
    assert_eq!(inputs["node_purpose"]["schema"]["pattern"], "^(?:c1|gpu)$");
    assert_eq!(inputs.get("image"), None, "an expression that nobody understands allows nothing");
    assert_eq!(remarks.iter().filter(|remark| remark.level == Level::Doubt).count(), 1, "{remarks:?}");
    let places = &package["executionUnit"][0]["kubernetes"]["fromInputs"];
    assert_eq!(places["mem_limit"], "/spec/containers/0/resources/limits/memory");
    assert_eq!(places.get("cpu_limit"), None, "the configuration's own limit counts");
    let (closed, _) = notebook("node_purpose_label_key: k\nallowed_node_purposes_regex: .*");
    assert_eq!(closed["processDescription"]["process"]["inputs"].get("node_purpose"), None);
}
