//! HelloWorldK8sProcessor: greets from a shell in a pod. Inputs are arguments of a fixed script and never stand in it.

use serde_json::{Map, Value, json};

use super::{
    Defaults, Parts, checked,
    generic::{expanded, own_variables, spec},
    security,
};
use crate::{
    expand::{Variables, as_argument},
    remark::Report,
    spot::Spot,
};

/// Name of the container, and the id that the program is told, whatever the process is called.
const NAME: &str = "hello-world-k8s";

/// What comes before the fragments of the configuration: the result is made here, where they can't disturb it.
const BEFORE: &str = include_str!("hello.sh");

/// What comes after them.
const AFTER: &str = "echo PYGEOAPI_K8S_MANAGER_RESULT_MIMETYPE:application/json
echo PYGEOAPI_K8S_MANAGER_RESULT_START
printf '%s\\n' \"$rutter_result\"
";

pub(super) fn package(
    report: &mut Report,
    resource: &Spot<'_>,
    processor: &Spot<'_>,
    defaults: &Defaults,
) -> Option<Value> {
    passed_over(report, processor);
    let image = checked(report, resource, processor, Some("busybox"))?;
    let security = security::read(report, processor, defaults);
    let spec = spec(report, processor, NAME, Map::new(), &security);
    let script = script(report, processor);
    let unit = json!({
        "type": "docker",
        "image": image,
        "contract": "pygeoapi",
        // A missing input leaves out its name as well, so that no other one takes its place.
        "command": ["/bin/sh", "-c", as_argument(&script), "/bin/sh",
            ["name", "$(inputs.name)"], ["message", "$(inputs.message)"]],
        // There it asks for nothing; a greeting must not wait for a whole core here.
        "config": {"cpuMin": 0.01, "memoryMin": 0.016},
        "kubernetes": {"security": security.level, "podTemplate": {"spec": spec}},
    });
    let (process, examples) = described();
    let id = resource.name.clone();
    let legacy_id = NAME.to_owned();
    Some(Parts { id, legacy_id, process, examples, unit, is_guarded: false }.assembled())
}

fn passed_over(report: &mut Report, processor: &Spot<'_>) {
    const KEYS: [&str; 8] = [
        "name",
        "default_image",
        "command",
        "image_pull_secrets",
        "image_pull_secret",
        "tolerations",
        "pod_security_context",
        "container_security_context",
    ];
    const WITHOUT_EFFECT: [&str; 7] =
        ["metadata", "env", "resources", "storage", "check_auth", "mimetype", "init_containers"];
    for name in WITHOUT_EFFECT {
        if let Some(member) = processor.some(name) {
            report.ignored(&member, "has no effect on this kind of process");
        }
    }
    let known: Vec<&str> = KEYS.into_iter().chain(WITHOUT_EFFECT).collect();
    report.unknown(processor, &known);
}

/// The fragments run in the shell that greets: what they set stays, and their `exit` ends the job.
fn script(report: &mut Report, processor: &Spot<'_>) -> String {
    let mut variables = Variables::default();
    own_variables(&mut variables, NAME);
    let mut script = BEFORE.to_owned();
    if let Some(spot) = processor.some("command") {
        for fragment in report.list(&spot) {
            script.push_str(&expanded(report, &fragment, &variables));
            script.push('\n');
        }
    }
    script + AFTER
}

/// It describes itself, whatever the configuration says.
fn described() -> (Map<String, Value>, Option<Value>) {
    let input = |title: &str, description: &str, least: u32| {
        json!({"title": title, "description": description, "schema": {"type": "string"},
            "minOccurs": least, "maxOccurs": 1})
    };
    let process = json!({
        "version": "0.1.0",
        "title": "Hello World k8s",
        "description": "Greets from a pod of the cluster, and shows that jobs run there.",
        "jobControlOptions": ["async-execute"],
        "keywords": ["hello world", "example", "echo", "k8s", "KubernetesManager"],
        "links": [{"type": "text/html", "rel": "about", "title": "information", "href": "https://example.org/process",
            "hreflang": "en-US"}],
        "inputs": {
            "name": input("Name", "Who is greeted.", 1),
            "message": input("Message", "What is said.", 0),
        },
        "outputs": {"echo": {
            "title": "Hello, world",
            "description": "The greeting.",
            "schema": {"type": "object", "contentMediaType": "application/json"},
        }},
    });
    let examples = json!([{"inputs": {"name": "World", "message": "An optional message."}}]);
    let Value::Object(process) = process else { return (Map::new(), None) };
    (process, Some(examples))
}
