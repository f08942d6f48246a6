//! Everything that a package may not say is refused with its place; what it may say passes.

use std::path::Path;

use rutter_core::process::{EnvEntry, EnvValue, ExecutionUnit};
use serde_json::{Value, json};

use super::{UnitFault, check, check_unit};
use crate::{config::KubernetesConfig, manifest::tests, security::Security};

fn with(kubernetes: &Value, change: impl Fn(&mut KubernetesConfig)) -> Vec<UnitFault> {
    let mut config = tests::config();
    change(&mut config);
    check(&[], Some(kubernetes), &config)
}

fn pointers(kubernetes: &Value) -> Vec<String> {
    with(kubernetes, |_| {}).into_iter().map(|fault| fault.pointer).collect()
}

fn spec(member: &str, value: Value) -> Value {
    json!({"podTemplate": {"spec": {"containers": [{"name": "main"}], member: value}}})
}

fn container(member: &str, value: Value) -> Value {
    json!({"podTemplate": {"spec": {"containers": [{"name": "main", member: value}]}}})
}

fn context(member: &str, value: Value) -> Value {
    container("securityContext", json!({member: value}))
}

#[test]
fn everything_that_can_be_said_passes() {
    let faults = with(&tests::everything(), |config| {
        config.allowed_service_accounts = vec!["models".to_owned()];
    });
    assert_eq!(faults, []);
    assert!(check(&[], None, &tests::config()).is_empty());
}

#[test]
fn what_reaches_out_of_the_pod_is_refused() {
    let in_spec = "/kubernetes/podTemplate/spec";
    let main = "/kubernetes/podTemplate/spec/containers/0";
    let table = [
        (spec("hostNetwork", json!(true)), format!("{in_spec}/hostNetwork")),
        (spec("hostPID", json!(true)), format!("{in_spec}/hostPID")),
        (spec("hostIPC", json!(true)), format!("{in_spec}/hostIPC")),
        (spec("nodeName", json!("node1")), format!("{in_spec}/nodeName")),
        (spec("serviceAccountName", json!("admin")), format!("{in_spec}/serviceAccountName")),
        (spec("serviceAccount", json!("admin")), format!("{in_spec}/serviceAccount")),
        (json!({"serviceAccountName": "admin"}), "/kubernetes/serviceAccountName".to_owned()),
        (
            spec("automountServiceAccountToken", json!(true)),
            format!("{in_spec}/automountServiceAccountToken"),
        ),
        (spec("restartPolicy", json!("OnFailure")), format!("{in_spec}/restartPolicy")),
        (spec("activeDeadlineSeconds", json!(5)), format!("{in_spec}/activeDeadlineSeconds")),
        (spec("priorityClassName", json!("system-node-critical")), format!("{in_spec}/priorityClassName")),
        (json!({"priorityClassName": "system-node-critical"}), "/kubernetes/priorityClassName".to_owned()),
        (
            spec("securityContext", json!({"sysctls": [{"name": "a", "value": "b"}]})),
            format!("{in_spec}/securityContext/sysctls"),
        ),
        (spec("securityContext", json!({"runAsUser": 0})), format!("{in_spec}/securityContext/runAsUser")),
        (
            spec("securityContext", json!({"runAsNonRoot": false})),
            format!("{in_spec}/securityContext/runAsNonRoot"),
        ),
        (
            spec("securityContext", json!({"seccompProfile": {"type": "Unconfined"}})),
            format!("{in_spec}/securityContext/seccompProfile"),
        ),
        (
            spec("volumes", json!([{"name": "a", "hostPath": {"path": "/"}}])),
            format!("{in_spec}/volumes/0/hostPath"),
        ),
        (
            json!({"volumes": [{"name": "a", "hostPath": {"path": "/"}}]}),
            "/kubernetes/volumes/0/hostPath".to_owned(),
        ),
        (
            spec("volumes", json!([{"name": "a", "nfs": {"server": "s", "path": "/"}}])),
            format!("{in_spec}/volumes/0/nfs"),
        ),
        (
            spec(
                "volumes",
                json!([{"name": "a", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]),
            ),
            format!("{in_spec}/volumes/0/projected/sources/0/serviceAccountToken"),
        ),
        (
            spec("volumes", json!([{"name": "rutter-agent", "emptyDir": {}}])),
            format!("{in_spec}/volumes/0/name"),
        ),
        (
            spec("initContainers", json!([{"name": "rutter-agent"}])),
            format!("{in_spec}/initContainers/0/name"),
        ),
        (
            spec("initContainers", json!([{"name": "a", "securityContext": {"privileged": true}}])),
            format!("{in_spec}/initContainers/0/securityContext/privileged"),
        ),
        (
            json!({"initContainers": [{"name": "a", "securityContext": {"privileged": true}}]}),
            "/kubernetes/initContainers/0/securityContext/privileged".to_owned(),
        ),
        (context("privileged", json!(true)), format!("{main}/securityContext/privileged")),
        (
            context("capabilities", json!({"add": ["SYS_ADMIN"]})),
            format!("{main}/securityContext/capabilities/add"),
        ),
        (
            context("capabilities", json!({"drop": ["CHOWN"]})),
            format!("{main}/securityContext/capabilities/drop"),
        ),
        (
            context("allowPrivilegeEscalation", json!(true)),
            format!("{main}/securityContext/allowPrivilegeEscalation"),
        ),
        (context("procMount", json!("Unmasked")), format!("{main}/securityContext/procMount")),
        (
            context("appArmorProfile", json!({"type": "Unconfined"})),
            format!("{main}/securityContext/appArmorProfile"),
        ),
        (
            context("seLinuxOptions", json!({"type": "spc_t"})),
            format!("{main}/securityContext/seLinuxOptions"),
        ),
        (
            container("ports", json!([{"containerPort": 80, "hostPort": 80}])),
            format!("{main}/ports/0/hostPort"),
        ),
        (container("image", json!("other")), format!("{main}/image")),
        (container("command", json!(["sh"])), format!("{main}/command")),
        (container("args", json!(["-c"])), format!("{main}/args")),
        (
            container("env", json!([{"name": "RUTTER_AGENT_SERVER", "value": "x"}])),
            format!("{main}/env/0/name"),
        ),
        (
            container("volumeMounts", json!([{"name": "rutter-token", "mountPath": "/t"}])),
            format!("{main}/volumeMounts/0/name"),
        ),
        (
            container("volumeMounts", json!([{"name": "a", "mountPath": "/x/../rutter//bin"}])),
            format!("{main}/volumeMounts/0/mountPath"),
        ),
        (
            json!({"volumeMounts": [{"name": "a", "mountPath": "/rutter"}]}),
            "/kubernetes/volumeMounts/0/mountPath".to_owned(),
        ),
        (
            json!({"podTemplate": {"metadata": {"labels": {"rutter.dev/instance": "x"}}}}),
            "/kubernetes/podTemplate/metadata/labels/rutter.dev~1instance".to_owned(),
        ),
        (
            json!({"podTemplate": {"metadata": {"finalizers": ["x"]}}}),
            "/kubernetes/podTemplate/metadata/finalizers".to_owned(),
        ),
        (json!({"security": "none"}), "/kubernetes/security".to_owned()),
    ];
    for (kubernetes, pointer) in table {
        let found = pointers(&kubernetes);
        assert!(found.contains(&pointer), "{kubernetes}\nwanted {pointer}\nfound {found:?}");
    }
}

#[test]
fn misspelt_members_are_told_with_their_place() {
    let table = [
        (container("resource", json!({})), "/kubernetes/podTemplate/spec/containers/0/resource"),
        (json!({"tolerations": [{"kee": "a"}]}), "/kubernetes/tolerations/0/kee"),
        (
            json!({"volumeMounts": [{"name": "a", "mountPath": "/a", "readonly": true}]}),
            "/kubernetes/volumeMounts/0/readonly",
        ),
        (
            json!({"affinity": {"nodeAffinity": {"required": {}}}}),
            "/kubernetes/affinity/nodeAffinity/required",
        ),
        (json!({"volumes": [{"name": "a", "emptyDir": "yes"}]}), "/kubernetes/volumes/0/emptyDir"),
        (container("$patch", json!("delete")), "/kubernetes/podTemplate/spec/containers/0/$patch"),
    ];
    for (kubernetes, pointer) in table {
        assert_eq!(pointers(&kubernetes), [pointer], "{kubernetes}");
    }
}

#[test]
fn amounts_may_be_numbers() {
    assert!(pointers(&container("resources", json!({"limits": {"cpu": 2, "memory": 1.5}}))).is_empty());
}

#[test]
fn the_operator_can_allow_more() {
    let host_path = json!({"volumes": [{"name": "a", "hostPath": {"path": "/data"}}]});
    assert!(with(&host_path, |config| config.allow_host_paths = true).is_empty());
    let account = json!({"podTemplate": {"spec": {"serviceAccountName": "models", "automountServiceAccountToken": true, "containers": []}}});
    assert!(with(&account, |config| config.allowed_service_accounts = vec!["models".to_owned()]).is_empty());
    let mut root = context("runAsUser", json!(0));
    assert!(!pointers(&root).is_empty());
    root["security"] = json!("baseline");
    assert!(pointers(&root).is_empty());
    let mut privileged = context("privileged", json!(true));
    privileged["security"] = json!("none");
    assert!(with(&privileged, |config| config.weakest_security = Security::None).is_empty());
}

#[test]
fn a_unit_gets_nothing_of_the_servers() {
    let config = tests::config();
    let env = [EnvEntry { name: "HOME".to_owned(), value: EnvValue::Inherit }];
    assert_eq!(check(&env, None, &config)[0].pointer, "/env/0");
}

/// Where nobody looks up what images run, a unit without a command must do without an agent.
#[test]
fn a_unit_without_a_command_is_refused_where_nobody_could_have_its_outputs() {
    let of = |output: &str, config: &KubernetesConfig| {
        let text = format!(
            "processDescription: {{process: {{id: p, version: 1.0.0, outputs: {{depth: {{schema: {output}}}}}}}}}\n\
             executionUnit: {{type: docker, image: a}}"
        );
        let (process, _) = rutter_core::process::package::parse(&text, Path::new("p.yaml"), None).unwrap();
        let ExecutionUnit::Docker(unit) = &process.units[0] else { panic!() };
        check_unit(&process, unit, config)
    };
    let (file, text) = ("{type: string, contentMediaType: image/tiff}", "{type: object}");
    assert_eq!(of(file, &tests::config()), [], "the image's own command is looked up");
    let alone = KubernetesConfig { registries: None, ..tests::config() };
    assert_eq!(of(text, &alone), []);
    let faults = of(file, &alone);
    assert!(faults[0].message.contains("`depth` is a file"), "{faults:?}");
}

#[test]
fn secrets_that_the_operator_does_not_name_are_refused() {
    let key = |name: &str| EnvEntry {
        name: "KEY".to_owned(),
        value: EnvValue::Secret { name: name.to_owned(), key: "k".to_owned() },
    };
    let env = [key("models-s3"), key("rutter-tokens")];
    let kubernetes = json!({
        "imagePullSecrets": [{"name": "models-registry"}, {"name": "other"}],
        "volumes": [{"name": "x", "secret": {"secretName": "rutter-agents-tls"}}],
        "podTemplate": {"spec": {"containers": [{"name": "main", "envFrom": [{"secretRef": {"name": "rutter-tokens"}}]}]}},
    });
    let refused = |allowed: Option<&[&str]>| {
        let secrets = allowed.map(|them| them.iter().map(|it| it.parse().unwrap()).collect());
        let config = KubernetesConfig { secrets, ..tests::config() };
        check(&env, Some(&kubernetes), &config)
    };
    assert_eq!(refused(None), []);
    assert_eq!(refused(Some(&["*"])), []);
    let faults = refused(Some(&["models-*"]));
    let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    let wanted = [
        "/env/1",
        "/kubernetes/imagePullSecrets/1",
        "/kubernetes/volumes/0/secret/secretName",
        "/kubernetes/podTemplate/spec/containers/0/envFrom/0/secretRef",
    ];
    assert_eq!(pointers, wanted);
    assert!(faults[0].message.contains("rutter-tokens") && faults[0].remedy.contains("kubernetes.secrets"));
    assert_eq!(refused(Some(&[])).len(), 6, "none at all");
}
