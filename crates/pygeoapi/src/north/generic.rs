//! GenericImageProcessor: an image with what a pod of it needs.

use serde_json::{Map, Value, json};

use super::{Defaults, Parts, checked, env, pod, security};
use crate::{
    describe,
    expand::{Variables, as_argument},
    python,
    remark::Report,
    spot::Spot,
};

/// Name of the container in every Job of 52N.
const CONTAINER: &str = "generic-image-processor";

/// Output of what a program gives that belongs to no declared one: where none is declared, and beside several. The members of a value
/// may have the names of outputs, so that of the second is no likely one.
pub(super) const ANONYMOUS: [&str; 2] = ["result", "result-document"];

const KEYS: [&str; 15] = [
    "name",
    "metadata",
    "default_image",
    "command",
    "image_pull_secrets",
    "image_pull_secret",
    "env",
    "resources",
    "storage",
    "init_containers",
    "tolerations",
    "check_auth",
    "mimetype",
    "pod_security_context",
    "container_security_context",
];

pub(super) fn package(
    report: &mut Report,
    resource: &Spot<'_>,
    processor: &Spot<'_>,
    defaults: &Defaults,
) -> Option<Value> {
    report.unknown(processor, &KEYS);
    if let Some(mimetype) = processor.some("mimetype") {
        report.ignored(&mimetype, "has no effect: the media type is that of the one output");
    }
    let image = checked(report, resource, processor, None)?;
    let metadata = processor.some("metadata");
    let (process, examples, legacy_id) = described(report, resource, processor, metadata.as_ref());
    let unit = unit(report, processor, image, &legacy_id, defaults);
    let is_guarded = processor.some("check_auth").is_none_or(|check| report.truth(&check));
    let id = resource.name.clone();
    Some(Parts { id, legacy_id, process, examples, unit, is_guarded }.assembled())
}

/// Description, examples, and the id that programs are told.
fn described(
    report: &mut Report,
    resource: &Spot<'_>,
    processor: &Spot<'_>,
    metadata: Option<&Spot<'_>>,
) -> (Map<String, Value>, Option<Value>, String) {
    let Some(metadata) = metadata else {
        report.doubt(processor, "has no `metadata`, without which 52N does not start");
        return (with_anonymous_output(Map::new()), None, describe::UNNAMED.to_owned());
    };
    let process = with_anonymous_output(describe::process(report, metadata));
    let examples = describe::examples(report, metadata);
    let legacy_id = match metadata.some("id") {
        Some(id) => {
            let legacy_id = report.number_as_text(&id);
            if legacy_id.as_ref().is_some_and(|legacy_id| *legacy_id != resource.name) {
                let name = &resource.name;
                report.note(&id, format!("programs are told this id; in URLs the process is {name:?}"));
            }
            legacy_id
        }
        None => None,
    };
    let legacy_id = legacy_id.unwrap_or_else(|| {
        report.doubt(
            metadata,
            format!("has no `id`; programs are told {:?}, as by pygeoapi", describe::UNNAMED),
        );
        describe::UNNAMED.to_owned()
    });
    (process, examples, legacy_id)
}

/// What a program gives is one anonymous value there, whatever outputs are declared. With one declared it is that one's; else it
/// has an output of its own, so that it is not lost. Of several, the members of the value may be theirs instead.
fn with_anonymous_output(mut process: Map<String, Value>) -> Map<String, Value> {
    let mut declared = match process.shift_remove("outputs") {
        Some(Value::Object(declared)) => declared,
        _ => Map::new(),
    };
    let anonymous = if declared.is_empty() { ANONYMOUS[0] } else { ANONYMOUS[1] };
    if declared.len() != 1 && !declared.contains_key(anonymous) {
        let output = json!({"title": "What the program gives", "schema": {}, "minOccurs": 0});
        declared.shift_insert(0, anonymous.to_owned(), output);
    }
    process.insert("outputs".to_owned(), declared.into());
    process
}

fn unit(
    report: &mut Report,
    processor: &Spot<'_>,
    image: String,
    legacy_id: &str,
    defaults: &Defaults,
) -> Value {
    let mut env = env::read(report, processor);
    own_variables(&mut env.variables, legacy_id);
    let mut unit = json!({"type": "docker", "image": image, "contract": "pygeoapi"});
    let command = command(report, processor, &env.variables);
    if !command.is_empty() {
        unit["command"] = command.into();
    }
    let mut container = Map::new();
    if !env.is_empty() {
        match env.of_unit() {
            Some(entries) => unit["env"] = entries,
            None => {
                container.insert("env".to_owned(), env.of_container());
            }
        }
    }
    let (volumes, mounts) = pod::storage(report, processor);
    if let Some(resources) = pod::resources(report, processor) {
        container.insert("resources".to_owned(), resources);
    }
    if !mounts.is_empty() {
        container.insert("volumeMounts".to_owned(), mounts.into());
    }
    let lists = [("initContainers", pod::init_containers(report, processor)), ("volumes", volumes)];
    let security = security::read(report, processor, defaults);
    let mut spec = spec(report, processor, CONTAINER, container, &security);
    for (name, items) in lists {
        if !items.is_empty() {
            spec[name] = items.into();
        }
    }
    if let Some(containers) = spec.get_mut("initContainers") {
        protect(containers, security.container.as_ref());
    }
    unit["kubernetes"] = json!({"security": security.level, "podTemplate": {"spec": spec}});
    unit
}

/// What the two kinds of pods have in common; `container` = further members of the program's.
pub(super) fn spec(
    report: &mut Report,
    processor: &Spot<'_>,
    name: &str,
    container: Map<String, Value>,
    security: &security::Security,
) -> Value {
    let mut named = Map::from_iter([("name".to_owned(), Value::from(name))]);
    named.extend(container);
    let mut spec = json!({"containers": [named], "shareProcessNamespace": true, "enableServiceLinks": false});
    protect(&mut spec["containers"], security.container.as_ref());
    let further = [
        ("securityContext", security.pod.clone()),
        ("tolerations", pod::tolerations(report, processor)),
        ("imagePullSecrets", pod::pull_secrets(report, processor)),
    ];
    for (name, value) in further {
        if let Some(value) = value {
            spec[name] = value;
        }
    }
    spec
}

/// One context for all containers.
fn protect(containers: &mut Value, context: Option<&Value>) {
    let Some(context) = context else { return };
    for container in containers.as_array_mut().into_iter().flatten() {
        container["securityContext"] = context.clone();
    }
}

/// Variables that every program of 52N has.
pub(super) fn own_variables(variables: &mut Variables, legacy_id: &str) {
    variables.set("PYGEOAPI_K8S_MANAGER_INPUTS", None);
    variables.set("PYGEOAPI_JOB_ID", None);
    variables.set("PYGEOAPI_PROCESS_ID", Some(legacy_id.to_owned()));
}

/// The command as Kubernetes would have given it to the program.
fn command(report: &mut Report, processor: &Spot<'_>, variables: &Variables) -> Vec<String> {
    let Some(spot) = processor.some("command") else { return Vec::new() };
    report.list(&spot).iter().map(|item| as_argument(&expanded(report, item, variables))).collect()
}

/// A word of a command, or a line of a script.
pub(super) fn expanded(report: &mut Report, item: &Spot<'_>, variables: &Variables) -> String {
    let expanded = variables.expand(&python::text(item.node));
    for name in expanded.unknown {
        report.doubt(
            item,
            format!(
                "$({name}) is known only in the cluster and stays as it is: let the program read the variable {name}"
            ),
        );
    }
    expanded.text
}
