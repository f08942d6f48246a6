//! Manifests as they go to the cluster, and what must hold of all of them.

use k8s_openapi::api::batch::v1::Job;
use rutter_core::{
    id::{InstanceId, LaunchName},
    plan::{Needs, Plan, PlannedUnit},
    process::{EnvEntry, EnvValue},
};
use rutter_store::conformance::sample;
use rutter_types::agent::{Arg, Limits, Part, Source, StageItem};
use serde_json::{Value, json};

use super::job;
use crate::{
    config::{KubernetesConfig, Scratch},
    image::OwnCommand,
    program::Program,
    security::Security,
};

pub(crate) const JOB: &str = "01939f6e-5d3c-7000-8000-000000000001";

pub(crate) fn instance() -> InstanceId {
    "01939f6e-0000-7000-8000-00000000abcd".parse().unwrap()
}

pub(crate) fn launch() -> LaunchName {
    LaunchName { job: JOB.parse().unwrap(), launch: 2 }
}

pub(crate) fn config() -> KubernetesConfig {
    KubernetesConfig::new("jobs", "ghcr.io/example/rutter:1", "https://rutter.jobs.svc:8443")
}

pub(crate) fn plan(kubernetes: Option<Value>) -> Plan {
    let (_, plan) = sample("flood");
    Plan {
        unit: PlannedUnit::Docker {
            image: "ghcr.io/example/flood:1.0".to_owned(),
            cpu_limit_milli: None,
            gpus: 0,
            kubernetes,
        },
        inputs: serde_json::from_value(json!({"password": "hunter2"})).unwrap(),
        stage: vec![StageItem {
            input: "dem".to_owned(),
            index: None,
            name: "dem.tif".to_owned(),
            source: Source::Url("https://example.com/dem.tif?signature=hunter2".to_owned()),
            becomes: rutter_types::agent::Becomes::Path,
        }],
        command: vec![
            Arg(vec![Part::Text("flood".to_owned())]),
            Arg(vec![Part::Text("--key=hunter2".to_owned())]),
        ],
        needs: Needs { cpu_milli: 500, memory_bytes: 4_000_000_000 },
        limits: Limits { command_seconds: 3600, grace_seconds: 10, ..plan.limits },
        ..plan
    }
}

/// With everything that `config` of a unit can say.
pub(crate) fn full_plan() -> Plan {
    let mut plan = plan(Some(everything()));
    if let PlannedUnit::Docker { cpu_limit_milli, gpus, .. } = &mut plan.unit {
        *cpu_limit_milli = Some(4000);
        *gpus = 1;
    }
    plan.limits.memory_bytes = Some(8_000_000_000);
    plan.limits.scratch_bytes = Some(10_000_000_000);
    plan.retries = 1;
    plan.env = vec![
        EnvEntry { name: "OMP_NUM_THREADS".to_owned(), value: EnvValue::Text("4".to_owned()) },
        EnvEntry { name: "PRICE".to_owned(), value: EnvValue::Text("$$5".to_owned()) },
        EnvEntry {
            name: "KEY".to_owned(),
            value: EnvValue::Secret { name: "s3".to_owned(), key: "key".to_owned() },
        },
    ];
    plan
}

/// With everything that `kubernetes` of a unit can say.
pub(crate) fn everything() -> Value {
    json!({
        "nodeSelector": {"pool": "gpu"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]}}},
        "volumes": [{"name": "tiles", "persistentVolumeClaim": {"claimName": "tiles"}}],
        "volumeMounts": [{"name": "tiles", "mountPath": "/tiles", "readOnly": true}],
        "initContainers": [{"name": "fetch", "image": "ghcr.io/example/fetch:1", "command": ["fetch"],
            "volumeMounts": [{"name": "tiles", "mountPath": "/tiles"}]}],
        "serviceAccountName": "models",
        "imagePullSecrets": [{"name": "registry"}],
        "priorityClassName": "nightly",
        "runtimeClassName": "gvisor",
        "queue": "models",
        "security": "restricted",
        "podTemplate": {
            "metadata": {"labels": {"team": "hydro"}, "annotations": {"karpenter.sh/do-not-disrupt": "false"}},
            "spec": {
                "tolerations": [{"key": "spot", "operator": "Exists"}],
                "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": {"team": "hydro"}}}],
                "containers": [{
                    "name": "generic-image-processor",
                    "resources": {"limits": {"example.com/fpga": 1}},
                    "env": [{"name": "FROM_TEMPLATE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
                    "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
                    "securityContext": {"readOnlyRootFilesystem": true, "runAsUser": 1000},
                }],
                "volumes": [{"name": "cache", "emptyDir": {"sizeLimit": "1Gi"}}],
            },
        },
    })
}

pub(crate) fn made(plan: &Plan, config: &KubernetesConfig) -> Job {
    job(plan, &Program::OfPackage, launch(), instance(), config).unwrap()
}

fn legacy_plan() -> Plan {
    plan(Some(json!({"security": "baseline", "podTemplate": {"spec": {"containers": [{
        "name": "generic-image-processor",
        "resources": {"limits": {"cpu": 2, "memory": "16M"}, "requests": {}},
    }]}}})))
}

fn open_shift() -> KubernetesConfig {
    KubernetesConfig {
        user: None,
        service_account: Some("rutter-jobs".to_owned()),
        server_ca: Some("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".to_owned()),
        node_selector: [("pool".to_owned(), "jobs".to_owned())].into(),
        image_pull_secrets: vec!["rutter-registry".to_owned()],
        ..config()
    }
}

/// Every manifest that is shown here, by name.
pub(crate) fn all() -> Vec<(&'static str, Job)> {
    let mut full = config();
    full.allowed_service_accounts = vec!["models".to_owned()];
    vec![
        ("little", made(&plan(None), &config())),
        ("everything", made(&full_plan(), &full)),
        ("legacy", made(&legacy_plan(), &config())),
        ("open_shift", made(&plan(None), &open_shift())),
        ("unprotected", made(&plan(Some(json!({"security": "none"}))), &config())),
    ]
}

#[test]
fn manifests() {
    for (name, job) in all() {
        insta::assert_json_snapshot!(name, job);
    }
}

#[test]
fn no_input_and_no_secret_stands_in_a_job() {
    for (name, job) in all() {
        let text = serde_json::to_string(&job).unwrap();
        assert!(!text.contains("hunter2") && !text.contains("example.com/dem"), "{name}");
    }
}

fn spec(job: &Job) -> Value {
    json!(job)["spec"]["template"]["spec"].clone()
}

#[test]
fn a_template_can_not_undo_what_must_be_so() {
    let hostile = json!({
        "security": "restricted",
        "podTemplate": {
            "metadata": {"labels": {"rutter.dev/instance": "other"}},
            "spec": {
                "restartPolicy": "Always",
                "activeDeadlineSeconds": 1,
                "securityContext": null,
                "nodeSelector": {"kubernetes.io/arch": "s390x"},
                "volumes": [{"name": "rutter-token", "secret": {"secretName": "x"}}],
                "initContainers": [{"name": "rutter-agent", "image": "evil"}],
                "containers": [{"name": "x", "command": ["evil"], "args": ["evil"], "image": "evil",
                    "securityContext": {"allowPrivilegeEscalation": true, "capabilities": {"drop": []}},
                    "env": [{"name": "RUTTER_AGENT_SERVER", "value": "https://evil"}],
                    "volumeMounts": [{"name": "rutter-attempt", "mountPath": "/rutter/bin"}]},
                    {"name": "second", "image": "sidecar", "securityContext": null}],
            },
        },
    });
    let job = made(&plan(Some(hostile)), &config());
    assert_eq!(
        json!(job)["spec"]["template"]["metadata"]["labels"]["rutter.dev/instance"],
        instance().to_string()
    );
    let spec = spec(&job);
    assert_eq!(spec["restartPolicy"], "Never");
    assert!(spec["activeDeadlineSeconds"].as_i64().unwrap() > 3600);
    assert_eq!(spec["nodeSelector"]["kubernetes.io/arch"], "amd64");
    assert_eq!(spec["securityContext"]["runAsNonRoot"], true);
    assert_eq!(spec["initContainers"][0]["image"], config().agent_image);
    let main = &spec["containers"][0];
    assert_eq!((&main["image"], &main["args"]), (&json!("ghcr.io/example/flood:1.0"), &Value::Null));
    assert_eq!(main["command"], json!(["/rutter/bin/rutter-agent", "run"]));
    assert_eq!(main["env"][0]["value"], "https://rutter.jobs.svc:8443");
    assert_eq!(
        main["volumeMounts"][0],
        json!({"name": "rutter-agent", "mountPath": "/rutter/bin", "readOnly": true})
    );
    for container in spec["containers"].as_array().unwrap() {
        assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false, "{container}");
        assert_eq!(container["securityContext"]["capabilities"]["drop"], json!(["ALL"]), "{container}");
    }
}

#[test]
fn the_agent_comes_first_and_the_packages_containers_follow() {
    let spec = spec(&made(&full_plan(), &config()));
    let names: Vec<_> =
        spec["initContainers"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, ["rutter-agent", "fetch"]);
}

#[test]
fn deadlines_cover_every_attempt_and_stay_within_what_kubernetes_takes() {
    let mut plan = plan(None);
    plan.limits.command_seconds = u64::MAX;
    plan.retries = u32::MAX >> 1;
    let job = json!(made(&plan, &config()));
    assert_eq!(job["spec"]["template"]["spec"]["activeDeadlineSeconds"], i32::MAX);
    assert_eq!(job["spec"]["activeDeadlineSeconds"], i32::MAX);
    let mut plan = self::plan(None);
    plan.retries = 3;
    let job = json!(made(&plan, &config()));
    let of_pod = job["spec"]["template"]["spec"]["activeDeadlineSeconds"].as_i64().unwrap();
    assert_eq!(of_pod, 3600 + 3600 + 10 + 3600);
    assert!(job["spec"]["activeDeadlineSeconds"].as_i64().unwrap() >= 4 * of_pod + 3600);
}

#[test]
fn what_is_asked_for_is_never_more_than_what_may_be_taken() {
    let mut plan = plan(None);
    plan.limits.memory_bytes = Some(1_000_000);
    if let PlannedUnit::Docker { cpu_limit_milli, .. } = &mut plan.unit {
        *cpu_limit_milli = Some(100);
    }
    let resources = spec(&made(&plan, &config()))["containers"][0]["resources"].clone();
    assert_eq!(
        resources,
        json!({"requests": {"cpu": "100m", "memory": "1000000"}, "limits": {"cpu": "100m", "memory": "1000000"}})
    );
}

#[test]
fn resources_that_a_template_names_are_the_templates_alone() {
    let theirs = json!({"podTemplate": {"spec": {"containers": [{"name": "x", "resources": {
        "limits": {"memory": "16M"}, "requests": {"cpu": 2}}}]}}});
    let mut plan = plan(Some(theirs));
    plan.limits.memory_bytes = Some(8_000_000_000);
    plan.limits.scratch_bytes = Some(1_000_000_000);
    let resources = spec(&made(&plan, &config()))["containers"][0]["resources"].clone();
    let wanted = json!({"requests": {"cpu": "2", "ephemeral-storage": "1134217728"},
        "limits": {"memory": "16M", "ephemeral-storage": "1134217728"}});
    assert_eq!(resources, wanted);
}

#[test]
fn levels_differ() {
    let at = |level: Security| {
        let plan = plan(Some(json!({"security": level.to_string()})));
        let spec = spec(&made(&plan, &config()));
        (spec["securityContext"].clone(), spec["containers"][0]["securityContext"].clone())
    };
    let (pod, container) = at(Security::None);
    assert_eq!((pod, container), (json!({}), json!({})));
    let (pod, container) = at(Security::Baseline);
    assert_eq!(pod, json!({"seccompProfile": {"type": "RuntimeDefault"}}));
    assert_eq!(container["capabilities"]["drop"], json!(["ALL"]));
    let (pod, _) = at(Security::Restricted);
    assert_eq!((&pod["runAsNonRoot"], &pod["runAsUser"]), (&json!(true), &json!(65532)));
}

#[test]
fn a_plan_for_commands_is_no_job() {
    let mut plan = plan(None);
    plan.unit = PlannedUnit::Command;
    assert!(job(&plan, &Program::OfPackage, launch(), instance(), &config()).is_err());
}

/// What an image runs by itself stands in the pod as it is: Kubernetes replaces nothing in it.
#[test]
fn the_command_of_an_image_goes_behind_the_agent() {
    let mut plan = plan(None);
    plan.command.clear();
    let own = Program::OfImage(OwnCommand {
        image: "ghcr.io/example/flood:1.0@sha256:00".to_owned(),
        words: ["/bin/sh", "-c", "echo $(HOME) $$ $HOME"].map(str::to_owned).to_vec(),
        has_user: true,
    });
    let job = json!(job(&plan, &own, launch(), instance(), &config()).unwrap());
    let program = &job["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(program["image"], "ghcr.io/example/flood:1.0@sha256:00");
    let words = ["/rutter/bin/rutter-agent", "run", "--", "/bin/sh", "-c", "echo $$(HOME) $$$$ $$HOME"];
    assert_eq!(program["command"], json!(words));
    assert_eq!(program["args"], Value::Null);
    let context = &job["spec"]["template"]["spec"]["securityContext"];
    assert_eq!(
        (&context["runAsUser"], &context["runAsNonRoot"]),
        (&Value::Null, &json!(true)),
        "the image's user"
    );
}

/// Without an agent there is nothing of ours in the pod, and nobody but the kubelet who keeps the time limit.
#[test]
fn a_pod_without_an_agent_is_the_packages_alone() {
    let mut plan = full_plan();
    plan.command.clear();
    let job = json!(job(&plan, &Program::Alone, launch(), instance(), &config()).unwrap());
    assert_eq!(job["metadata"]["labels"]["rutter.dev/without-agent"], "true");
    assert_eq!(job["spec"]["podFailurePolicy"]["rules"].as_array().unwrap().len(), 1);
    let spec = &job["spec"]["template"]["spec"];
    let program = &spec["containers"][0];
    assert_eq!((&program["command"], &program["args"]), (&Value::Null, &Value::Null));
    assert_eq!(spec["activeDeadlineSeconds"], 3600);
    let text = spec.to_string();
    assert!(
        !text.contains("/rutter") && !text.contains("RUTTER_") && !text.contains("rutter-agent"),
        "{text}"
    );
    assert!(text.contains("OMP_NUM_THREADS") && text.contains("\"fetch\""), "what the package says stays");
    assert_eq!(program["securityContext"]["capabilities"]["drop"], json!(["ALL"]));
}

fn on_volumes(above: u64) -> KubernetesConfig {
    KubernetesConfig { scratch: Some(Scratch { storage_class: Some("fast".to_owned()), above }), ..config() }
}

#[test]
fn large_work_goes_to_a_volume_of_its_own() {
    insta::assert_json_snapshot!("volume", made(&full_plan(), &on_volumes(5_000_000_000)));
    let usual = made(&full_plan(), &on_volumes(10_000_000_000));
    assert_eq!(usual, made(&full_plan(), &config()), "not above");
    let mut silent = full_plan();
    silent.limits.scratch_bytes = None;
    assert_eq!(made(&silent, &on_volumes(0)), made(&silent, &config()), "nobody knows how much it needs");
}

#[test]
fn where_work_lies_changes_nothing_for_program_and_agent() {
    let differs = ["volumes", "securityContext"];
    let rest = |config: &KubernetesConfig| {
        let mut spec = spec(&made(&full_plan(), config));
        differs.iter().for_each(|member| spec[*member] = Value::Null);
        spec["containers"][0]["resources"] = Value::Null;
        spec
    };
    assert_eq!(rest(&on_volumes(1)), rest(&config()));
    let mut of_cluster = on_volumes(1);
    of_cluster.user = None;
    let context = spec(&made(&full_plan(), &of_cluster))["securityContext"].clone();
    assert_eq!(context["fsGroup"], Value::Null, "the cluster chooses");
    let own = json!({"podTemplate": {"spec": {"securityContext": {"fsGroup": 7}}}});
    let mut plan = plan(Some(own));
    plan.limits.scratch_bytes = Some(2);
    assert_eq!(spec(&made(&plan, &on_volumes(1)))["securityContext"]["fsGroup"], 7, "the package's group");
}
