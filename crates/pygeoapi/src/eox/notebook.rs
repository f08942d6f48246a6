//! PapermillNotebookKubernetesProcessor: a notebook, run by papermill in an image that has it.

use serde_json::{Map, Value, json};

use super::{
    chosen::Chosen,
    pod::{HOME, Pod, says_something},
};
use crate::{expand::as_argument, remark::Report, spot::Spot};

/// What runs in the image; it takes care of papermill.
const RUNNER: &str = include_str!("runner.py");
/// An interactive shell activates the environment that has papermill.
const SCRIPT: &str = r#"runner=$1; settings=$2; exec python3 -c "$runner" "$settings""#;
/// Engine that patches an annotation of the Job after each cell; it needs an account that may.
const ENGINE: &str = "kubernetes_job_progress";

/// What EOX answered: the file that the notebook names, else the first thing that it keeps.
pub(super) const ANSWER: [&str; 2] = ["result-file", "result"];

const KEYS: [&str; 29] = [
    "name",
    "default_image",
    "allowed_images_regex",
    "image_pull_secret",
    "image_pull_secrets",
    "output_directory",
    "results_in_output_dir",
    "home_volume_claim_name",
    "extra_pvcs",
    "extra_volumes",
    "extra_volume_mounts",
    "secrets",
    "auto_mount_secrets",
    "s3",
    "checkout_git_repo",
    "conda_store_groups",
    "log_output",
    "node_purpose_label_key",
    "default_node_purpose",
    "allowed_node_purposes_regex",
    "tolerations",
    "allow_fargate",
    "job_service_account",
    "run_as_user",
    "run_as_group",
    "extra_resource_limits",
    "extra_resource_requests",
    "jupyter_base_url",
    "metadata",
];

/// The unit, and inputs that choose parts of its pod.
pub(super) fn unit(
    report: &mut Report,
    processor: &Spot<'_>,
    image: &str,
) -> Option<(Value, Map<String, Value>)> {
    report.unknown(processor, &KEYS);
    let Some(output_directory) = report.text_of(processor, "output_directory") else {
        report.left_out(processor, "has no `output_directory`");
        return None;
    };
    not_done(report, processor);
    let mut pod = Pod::default();
    pod.container.insert("workingDir".to_owned(), HOME.into());
    pod.env.push(json!({"name": "JUPYTER_IMAGE", "value": image}));
    pod.env.push(json!({"name": "PROGRESS_ANNOTATION", "value": "pygeoapi.io/progress"}));
    pod.storage(report, processor);
    pod.secrets(report, processor);
    pod.place(report, processor, &["nvidia.com/gpu", "hub.jupyter.org/dedicated"]);
    pod.user(report, processor);
    pod.resources(report, processor);
    let has_account = account(report, processor, &mut pod);
    git(report, processor, &mut pod);
    let truth = |name: &str| processor.get(name).is_some_and(|it| it.node.is_truthy());
    let mut settings = json!({
        "output_directory": output_directory,
        "results_in_output_dir": truth("results_in_output_dir"),
        "log_output": truth("log_output"),
    });
    if has_account {
        settings["engine"] = ENGINE.into();
    }
    let command =
        ["env".to_owned(), format!("HOME={HOME}"), "bash".to_owned(), "-i".to_owned(), "-c".to_owned()];
    let words = [SCRIPT, "papermill", RUNNER, &settings.to_string()].map(as_argument);
    let mut kubernetes = pod.kubernetes();
    let mut chosen = Chosen::read(report, processor, &kubernetes);
    chosen.allowed(report, processor, "allowed_images_regex", ("image", "Image to run in", "image"));
    kubernetes["fromInputs"] = chosen.places.into();
    let unit = json!({
        "type": "docker",
        "image": image,
        "command": command.into_iter().chain(words).collect::<Vec<_>>(),
        "bindings": {"outputBindings": {"notebook": {"whenFailed": true}, "scraps": {"whenFailed": true}}},
        "kubernetes": kubernetes,
    });
    Some((unit, chosen.inputs))
}

/// What is bound to one vendor's hub, or gives away the machine.
fn not_done(report: &mut Report, processor: &Spot<'_>) {
    for (name, why) in [
        (
            "s3",
            "is not done: the sidecar is privileged and would own the machine; mount the bucket by a CSI volume in \
                `extra_volumes`, or fetch and store files in the notebook",
        ),
        (
            "conda_store_groups",
            "is not done: it mounts the store of one vendor's hub; put the environment into the image",
        ),
        ("auto_mount_secrets", "is not done: it would need to read every Secret; list them below `secrets`"),
        ("allow_fargate", "is not done: write the label into a package's `kubernetes.podTemplate`"),
    ] {
        if let Some(spot) = says_something(processor, name) {
            report.doubt(&spot, why);
        }
    }
    for name in ["jupyter_base_url", "metadata"] {
        if let Some(spot) = says_something(processor, name) {
            report.ignored(&spot, "has no effect");
        }
    }
}

/// Whether it has an account of its own.
fn account(report: &mut Report, processor: &Spot<'_>, pod: &mut Pod) -> bool {
    let Some(name) = report.text_of(processor, "job_service_account") else { return false };
    if let Some(spot) = processor.get("job_service_account") {
        report.note(
            &spot,
            "the server must allow this account (`kubernetes.allowedServiceAccounts`), and does so where it serves this file",
        );
    }
    pod.spec.insert("serviceAccountName".to_owned(), name.into());
    pod.spec.insert("automountServiceAccountToken".to_owned(), true.into());
    true
}

/// Clones a repository before the notebook starts. The password comes from its variable and stands in no command.
fn git(report: &mut Report, processor: &Spot<'_>, pod: &mut Pod) {
    const SCRIPT: &str = r#"git -c credential.helper='!f() { echo "username=$GIT_USERNAME"; echo "password=$GIT_PASSWORD"; }; f' clone "$GIT_URL" /tmp/git/algorithm"#;
    let Some(spot) = says_something(processor, "checkout_git_repo") else { return };
    if !report.map(&spot) || spot.get("enabled").is_some_and(|enabled| !enabled.node.is_truthy()) {
        return;
    }
    report.unknown(&spot, &["url", "secret_name", "enabled"]);
    let (url, secret) = (report.text_of(&spot, "url"), report.text_of(&spot, "secret_name"));
    let (Some(url), Some(secret)) = (url, secret) else {
        report.doubt(&spot, "needs `url` and `secret_name`; it is left out");
        return;
    };
    let of_secret = |variable: &str, key: &str| json!({"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}});
    let container = json!({
        "name": "git",
        "image": "alpine/git:v2.30.2",
        "command": ["/bin/sh", "-c", SCRIPT],
        "env": [of_secret("GIT_USERNAME", "username"), of_secret("GIT_PASSWORD", "password"),
            {"name": "GIT_URL", "value": url}, {"name": "HOME", "value": "/tmp"}],
        "securityContext": {"runAsUser": 1000, "runAsGroup": 100},
        "volumeMounts": [{"name": "git-sync-mount", "mountPath": "/tmp/git"}],
    });
    pod.spec.insert("initContainers".to_owned(), json!([container]));
    let mount = json!({"name": "git-sync-mount", "mountPath": format!("{HOME}/git")});
    pod.mount("git-sync-mount", json!({"emptyDir": {}}), mount);
}

/// What EOX describes, and what it takes beside that.
pub(super) fn description() -> Map<String, Value> {
    let text = |title: &str| json!({"title": title, "schema": {"type": "string"}, "minOccurs": 0});
    let described = json!({
        "version": "0.1.0",
        "title": "notebooks on kubernetes with papermill",
        "keywords": ["notebook"],
        "jobControlOptions": ["async-execute", "sync-execute"],
        "inputs": {
            "notebook": {"title": "Path of the notebook; below /home/jovyan if it is relative", "schema": {"type": "string", "minLength": 1}},
            "parameters_json": {"title": "Parameters of the notebook", "schema": {"type": ["object", "string"]}, "minOccurs": 0},
            "parameters": text("Parameters of the notebook, YAML or JSON in base64"),
            "kernel": text("Kernel of the notebook"),
            "output_dirname": text("Folder of the result"),
            "output_filename": text("File name of the result"),
            "result_data_directory": text("Folder of files that the notebook writes; {job_name} is filled in"),
            "git_revision": text("Revision of the repository"),
        },
        "outputs": {
            "result": {"title": "The first thing that the notebook keeps with scrapbook", "schema": {}, "minOccurs": 0},
            "result-file": {"title": "The same where it is a file", "minOccurs": 0,
                "schema": {"type": "string", "contentMediaType": "application/octet-stream"}},
            "scraps": {"title": "Everything that the notebook keeps with scrapbook, by name", "schema": {"type": "object"}},
            "notebook": {"title": "The notebook after it has run", "schema": {"type": "string", "contentMediaType": "application/x-ipynb+json"}},
        },
    });
    if let Value::Object(described) = described { described } else { Map::new() }
}
