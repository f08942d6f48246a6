//! ContainerImageKubernetesProcessor: a line for the shell of an image, with variables that the caller may give.

use serde_json::{Map, Value, json};

use super::{
    chosen::Chosen,
    pod::{Pod, says_something},
};
use crate::{describe, expand::as_argument, python, remark::Report, spot::Spot};

/// What runs in the image, if that has Python.
const RUNNER: &str = include_str!("image.py");
/// An interactive shell activates the image's environment, which may be where Python is. Without it the line runs all the same, unless the
/// caller wants what only Python can do.
const SCRIPT: &str = r#"if command -v python3 >/dev/null; then exec python3 -c "$1" "$2" "$3"; fi
if grep -q -e '"parameters_env"' -e '"result_data_directory"' "$RUTTER_INPUTS_FILE"; then
  echo 'the image has no python3, which the inputs parameters_env and result_data_directory need' >&2
  exit 1
fi
exec bash -i -c "$2""#;

const KEYS: [&str; 22] = [
    "name",
    "default_image",
    "command",
    "allowed_images_regex",
    "image_pull_secret",
    "image_pull_secrets",
    "s3",
    "extra_volumes",
    "extra_volume_mounts",
    "node_purpose_label_key",
    "default_node_purpose",
    "allowed_node_purposes_regex",
    "tolerations",
    "allow_fargate",
    "parameters_env",
    "secrets",
    "id",
    "title",
    "version",
    "inputs",
    "outputs",
    "metadata",
];

/// The unit, and inputs that choose parts of its pod.
pub(super) fn unit(
    report: &mut Report,
    processor: &Spot<'_>,
    image: &str,
) -> Option<(Value, Map<String, Value>)> {
    report.unknown(processor, &KEYS);
    let Some(line) = report.text_of(processor, "command") else {
        report.left_out(processor, "has no `command`");
        return None;
    };
    for (name, why) in [
        (
            "s3",
            "is not done: the sidecar is privileged and would own the machine; mount the bucket by a CSI volume",
        ),
        ("allow_fargate", "is not done: write the label into a package's `kubernetes.podTemplate`"),
    ] {
        if let Some(spot) = says_something(processor, name) {
            report.doubt(&spot, why);
        }
    }
    for name in ["allowed_images_regex", "metadata", "outputs"] {
        if let Some(spot) = says_something(processor, name) {
            report.ignored(&spot, "has no effect");
        }
    }
    let mut pod = Pod::default();
    pod.storage(report, processor);
    pod.secrets(report, processor);
    pod.place(report, processor, &[]);
    let own = variables(report, processor, &mut pod);
    let settings = json!({ "own": own }).to_string();
    let words = [SCRIPT, "bash", RUNNER, &line, &settings].map(as_argument);
    let command: Vec<String> = ["bash", "-i", "-c"].map(str::to_owned).into_iter().chain(words).collect();
    let mut kubernetes = pod.kubernetes();
    let chosen = Chosen::read(report, processor, &kubernetes);
    kubernetes["fromInputs"] = chosen.places.into();
    let unit = json!({"type": "docker", "image": image, "command": command, "kubernetes": kubernetes});
    Some((unit, chosen.inputs))
}

/// Variables of the configuration, which win over the caller's; their names.
fn variables(report: &mut Report, processor: &Spot<'_>, pod: &mut Pod) -> Vec<String> {
    let Some(spot) = processor.some("parameters_env") else { return Vec::new() };
    if !report.map(&spot) {
        return Vec::new();
    }
    let members = spot.members();
    let variable = |it: &Spot<'_>| json!({"name": it.name, "value": python::text(it.node)});
    pod.env.extend(members.iter().map(variable));
    members.into_iter().map(|member| member.name).collect()
}

/// What EOX describes unless the processor says it.
pub(super) fn description(report: &mut Report, processor: &Spot<'_>) -> Map<String, Value> {
    let described = json!({
        "version": "0.1.0",
        "title": "Execute custom container images",
        "jobControlOptions": ["async-execute", "sync-execute"],
        "inputs": {},
        "outputs": {"output": {
            "title": "Files below /output-byoa", "minOccurs": 0,
            "schema": {"type": "string", "contentMediaType": "application/zip", "contentEncoding": "base64"},
        }},
    });
    let Value::Object(mut described) = described else { return Map::new() };
    for (name, value) in describe::of_processor(report, processor) {
        described.insert(name, value);
    }
    let text = |title: &str| json!({"title": title, "schema": {"type": "string"}, "minOccurs": 0});
    for (name, input) in [
        (
            "parameters_env",
            json!({"title": "Variables of the program", "schema": {"type": "object"}, "minOccurs": 0}),
        ),
        ("result_data_directory", text("Folder of the results; {job_name} is filled in")),
    ] {
        if let Some(inputs) = described["inputs"].as_object_mut().filter(|inputs| !inputs.contains_key(name))
        {
            inputs.insert(name.to_owned(), input);
        }
    }
    described
}
