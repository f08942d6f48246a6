//! The worked examples of the specification, and every trap of it.

use std::path::Path;

use serde_json::{Value, json};

use crate::{Configuration, Level, Remark, read};

const NAME: &str = "pygeoapi_k8s_manager.process.GenericImageProcessor";
const HELLO: &str = "pygeoapi_k8s_manager.process.HelloWorldK8sProcessor";

fn configuration_with(resources: &str, variables: &[(&str, &str)]) -> Configuration {
    let environment =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let text = format!("resources:\n{resources}");
    read(&text, Path::new("local.config.yml"), &environment)
        .unwrap_or_else(|faults| panic!("{faults:?}\n{text}"))
}

fn configuration(resources: &str) -> Configuration {
    configuration_with(resources, &[])
}

/// The package of one process whose processor has these members.
fn package(name: &str, members: &str) -> (Value, Vec<(Level, String)>) {
    let indented = members.replace('\n', "\n      ");
    let text = format!("  flood:\n    type: process\n    processor:\n      name: {name}\n      {indented}\n");
    let configuration = configuration(&text);
    let remarks = configuration.remarks.iter().map(|remark| (remark.level, remark.to_string())).collect();
    assert_eq!(configuration.processes.len(), 1, "{:?}", configuration.remarks);
    is_taken(&configuration.processes[0].package);
    (configuration.processes[0].package.clone(), remarks)
}

/// This server's own reader takes it.
fn is_taken(package: &Value) {
    rutter_core::process::package::parse(&package.to_string(), Path::new("p"), None)
        .unwrap_or_else(|faults| panic!("{faults:?}\n{package:#}"));
}

fn generic(members: &str) -> (Value, Vec<(Level, String)>) {
    let given = |name: &str| members.lines().any(|line| line.starts_with(&format!("{name}:")));
    let mut text = members.to_owned();
    for (name, value) in [
        ("metadata", "{id: flood}"),
        ("default_image", "example/flood:1"),
        ("resources", "{limits: {}, requests: {}}"),
    ] {
        if !given(name) {
            text.push_str(&format!("\n{name}: {value}"));
        }
    }
    package(NAME, text.trim_start())
}

fn unit(package: &Value) -> &Value {
    &package["executionUnit"][0]
}

fn pod(package: &Value) -> &Value {
    &unit(package)["kubernetes"]["podTemplate"]["spec"]
}

fn doubts(remarks: &[(Level, String)]) -> Vec<&str> {
    remarks.iter().filter(|(level, _)| *level == Level::Doubt).map(|(_, text)| text.as_str()).collect()
}

/// The process of that name in a file with all of the worked examples.
fn example(id: &str) -> (Value, Vec<Remark>) {
    let text = include_str!("../../test-data/north.yml");
    let configuration =
        read(text, Path::new("north.yml"), &|_| None).unwrap_or_else(|faults| panic!("{faults:?}"));
    let ids: Vec<&str> = configuration.processes.iter().map(|converted| converted.id.as_str()).collect();
    assert_eq!(ids, ["greet", "route", "flood"]);
    let package = configuration.processes.into_iter().find(|converted| converted.id == id).unwrap().package;
    is_taken(&package);
    let path = format!("resources.{id}");
    (package, configuration.remarks.into_iter().filter(|remark| remark.path.starts_with(&path)).collect())
}

#[test]
fn example_1_greet() {
    let (package, remarks) = example("greet");
    assert_eq!(remarks, []);
    let process = &package["processDescription"]["process"];
    assert_eq!(
        (process["id"].as_str(), process["legacyId"].as_str()),
        (Some("greet"), Some("hello-world-k8s"))
    );
    assert_eq!(package.get("callerToken"), None);
    assert_eq!(unit(&package)["image"], "alpine:3.20");
    assert_eq!(
        *pod(&package),
        json!({"containers": [{"name": "hello-world-k8s"}], "shareProcessNamespace": true, "enableServiceLinks": false,
            "tolerations": [{"key": "pool", "operator": "Exists"}]})
    );
    assert_eq!(unit(&package)["kubernetes"]["security"], "baseline");
    let command = unit(&package)["command"].as_array().unwrap();
    assert_eq!(command[..2], [json!("/bin/sh"), json!("-c")]);
    assert!(
        command[2].as_str().unwrap().contains("\nset --\ndate\nsleep 5\necho PYGEOAPI"),
        "{}",
        command[2]
    );
}

#[test]
fn example_2_route() {
    let (package, remarks) = example("route");
    let wanted = json!({
        "processDescription": {"process": {
            "id": "route", "legacyId": "route-tool", "version": "0.1", "title": {"en": "Route", "de": "Weg"},
            "jobControlOptions": ["async-execute"],
            "inputs": {"start": {"title": "Start", "schema": {"type": "string"}},
                "wrt_*": {"title": "Any that begins so", "schema": {"type": "string"}, "minOccurs": 0}},
            "outputs": {"link": {"schema": {"type": "object", "contentMediaType": "application/json"}}},
        }},
        "executionUnit": [{
            "type": "docker", "image": "registry.example/route:1", "contract": "pygeoapi",
            "env": [{"name": "BUCKET", "value": "None"}, {"name": "RATIO", "value": "0.1"},
                {"name": "DRY", "value": "False"}, {"name": "KEY", "secretName": "s3", "secretKey": "access"}],
            "kubernetes": {"security": "baseline", "podTemplate": {"spec": {
                "containers": [{"name": "generic-image-processor", "resources": {
                    "limits": {"cpu": "2", "memory": "10G", "nvidia.com/gpu": "1"},
                    "requests": {"cpu": "500m", "memory": "3G"}}}],
                "shareProcessNamespace": true, "enableServiceLinks": false,
            }}},
        }],
        "validation": "lenient",
        "examples": [{"inputs": {"start": "Kiel", "wrt_speed": 6.5, "area": {"type": "Point", "coordinates": [1, 2]}}}],
    });
    assert_eq!(package, wanted);
    let doubts: Vec<&Remark> = remarks.iter().filter(|remark| remark.level == Level::Doubt).collect();
    assert_eq!(doubts.len(), 1, "{remarks:?}");
    assert!(doubts[0].text.contains("`None`"), "{remarks:?}");
}

#[test]
fn example_3_flood() {
    let (package, remarks) = example("flood");
    assert_eq!(remarks, []);
    assert_eq!(package["callerToken"], "required");
    assert_eq!(unit(&package)["command"], json!(["flood", "--config", "/inputs/run.def"]));
    let wanted = json!({
        "containers": [{"name": "generic-image-processor",
            "resources": {"limits": {"memory": "4Gi"}, "requests": {"cpu": "1"}},
            "volumeMounts": [{"name": "dem", "mountPath": "/dem"}, {"name": "scratch", "mountPath": "/inputs"}]}],
        "shareProcessNamespace": true, "enableServiceLinks": false,
        "imagePullSecrets": [{"name": "regcred"}],
        "volumes": [{"name": "dem", "persistentVolumeClaim": {"claimName": "dem-pvc"}},
            {"name": "scratch", "emptyDir": {"sizeLimit": "2Gi"}}],
        "initContainers": [{"name": "fetch", "image": "registry.example/fetch:1", "imagePullPolicy": "Always",
            "args": ["fetch", "--retries", "3"],
            "env": [{"name": "S3_KEY", "valueFrom": {"secretKeyRef": {"name": "s3", "key": "access"}}}],
            "volumeMounts": [{"name": "scratch", "mountPath": "/inputs"}]}],
    });
    assert_eq!(*pod(&package), wanted);
}

#[test]
fn classes_of_every_generation_are_known() {
    for name in [
        "pygeoapi_k8s_manager.process.GenericImageProcessor",
        "pygeoapi_k8s_manager.process.generic_image.GenericImageProcessor",
        "pygeoapi_kubernetes_manager.process.GenericImageProcessor",
        "pygeoapi_kubernetes_manager.process.generic_image.GenericImageProcessor",
    ] {
        let (package, _) = package(name, "default_image: a\nmetadata: {id: a}");
        assert_eq!(pod(&package)["containers"][0]["name"], "generic-image-processor", "{name}");
    }
    let name = "pygeoapi_kubernetes_manager.process.HelloWorldK8sProcessor";
    let (old, remarks) =
        package(name, "default_image: busybox\ncommand: 'echo \"hi\"'\nimage_pull_secret: old");
    assert_eq!(pod(&old)["imagePullSecrets"], json!([{"name": "old"}]));
    assert!(unit(&old)["command"][2].as_str().unwrap().contains("\necho \"hi\"\n"));
    assert_eq!(doubts(&remarks).len(), 1);
}

/// Trap 6, and what else was an error in the original.
#[test]
fn missing_resources_are_the_servers_defaults() {
    let (none, remarks) = package(NAME, "default_image: a\nmetadata: {id: flood}");
    assert_eq!(pod(&none)["containers"][0].get("resources"), None);
    assert!(
        remarks.iter().any(|(level, text)| *level == Level::Note && text.contains("resources")),
        "{remarks:?}"
    );
    let (half, _) = generic("resources: {limits: {cpu: 0.5}, requests: null}");
    assert_eq!(pod(&half)["containers"][0]["resources"], json!({"limits": {"cpu": "0.5"}}));
}

/// Trap 7.
#[test]
fn one_output_without_media_type_is_accepted() {
    for outputs in ["{o: {schema: {type: object}}}", "{o: {}}", "{o: }"] {
        let (package, _) = generic(&format!("metadata: {{id: flood, outputs: {outputs}}}"));
        assert!(package["processDescription"]["process"]["outputs"]["o"]["schema"].is_object(), "{outputs}");
    }
}

/// Section 5: the result is one anonymous value, whatever is declared.
#[test]
fn what_belongs_to_no_declared_output_is_not_lost() {
    for (outputs, first) in [
        ("", Some("result")),
        (", outputs: {}", Some("result")),
        (", outputs: []", Some("result")),
        (", outputs:", Some("result")),
        (", outputs: {a: {}, result: {}}", Some("result-document")),
        (", outputs: {a: {}}", None),
    ] {
        let (package, _) = generic(&format!("metadata: {{id: flood{outputs}}}"));
        let declared = package["processDescription"]["process"]["outputs"].as_object().unwrap();
        assert_eq!(package.get("answer").and_then(Value::as_str), first, "{outputs}");
        assert_eq!(declared.keys().next().map(String::as_str), first.or(Some("a")), "{outputs}");
    }
}

/// Trap 8.
#[test]
fn other_spellings_are_understood() {
    let (package, remarks) = generic(
        "command: run\nimage_pull_secrets: [a, b]\nimage_pull_secret: c\ntolerations: [{key: k, tolerationSeconds: 5}, {key: l, toleration_seconds: 6}]\n\
         storage:\n  - {name: s, mount_path: /a, empty_dir: null}\n  - {name: s, mount_path: /b, empty_dir: {}}\n  - {name: s, mount_path: /c, persistent_volume_claim_name: p}",
    );
    assert_eq!(unit(&package)["command"], json!(["run"]));
    assert_eq!(pod(&package)["imagePullSecrets"], json!([{"name": "a"}, {"name": "b"}, {"name": "c"}]));
    assert_eq!(
        pod(&package)["tolerations"],
        json!([{"key": "k", "tolerationSeconds": 5}, {"key": "l", "tolerationSeconds": 6}])
    );
    assert_eq!(pod(&package)["volumes"], json!([{"name": "s", "emptyDir": {}}]));
    assert_eq!(pod(&package)["containers"][0]["volumeMounts"].as_array().unwrap().len(), 3);
    assert_eq!(doubts(&remarks).len(), 2, "{remarks:?}");
    let (numbers, remarks) = generic("command: [sleep, 5, no]\nmetadata: {id: 7, version: 1.0}");
    assert_eq!(unit(&numbers)["command"], json!(["sleep", "5", "False"]));
    assert_eq!(numbers["processDescription"]["process"]["legacyId"], "7");
    assert_eq!(numbers["processDescription"]["process"]["version"], "1.0");
    assert_eq!(doubts(&remarks), [""; 0]);
    let (absent, remarks) = generic("metadata: {title: x}");
    assert_eq!(absent["processDescription"]["process"]["legacyId"], "should-be-overridden-by-config");
    assert_eq!(doubts(&remarks).len(), 1);
}

/// Trap 9.
#[test]
fn variables_from_kubernetes_keep_their_place() {
    let secret = "{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}";
    let (simple, _) = generic(&format!("env: [{{name: Z, value: 1}}, {secret}]"));
    let wanted = json!([{"name": "Z", "value": "1"}, {"name": "A", "secretName": "s", "secretKey": "k"}]);
    assert_eq!(unit(&simple)["env"], wanted);
    let (mixed, _) = generic(&format!(
        "env: [{{name: Z, value: 1}}, {secret}, {{name: N, valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}}}]"
    ));
    assert_eq!(unit(&mixed).get("env"), None);
    let wanted = json!([{"name": "Z", "value": "1"}, {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]);
    assert_eq!(pod(&mixed)["containers"][0]["env"], wanted);
}

#[test]
fn variables_are_text_as_python_writes_it() {
    let (package, remarks) = generic(
        "env:\n- {name: A, value: 1024}\n- {name: B, value: [1, x]}\n- {name: C, value: {a: true}}\n- {name: D, value: 2025-01-01}\n\
         - {name: E, value: yes, secret_name: s, secret_key: k}\n- {name: F}\n- {value: x}\n- {name: RUTTER_X, value: 1}\n- {name: A, value: \"\"}",
    );
    let wanted = json!([{"name": "B", "value": "[1, 'x']"}, {"name": "C", "value": "{'a': True}"},
        {"name": "D", "value": "2025-01-01"}, {"name": "E", "secretName": "s", "secretKey": "k"}, {"name": "A", "value": ""}]);
    assert_eq!(unit(&package)["env"], wanted);
    assert_eq!(doubts(&remarks).len(), 7, "{remarks:?}");
}

#[test]
fn references_are_filled_in_as_kubernetes_does() {
    let (package, remarks) = generic(
        "env: [{name: BUCKET, value: data}, {name: PATH_IN, value: \"s3://$(BUCKET)/x\"}]\n\
         command: [sh, -c, \"echo $(date) $$(BUCKET) $(PATH_IN) $(PYGEOAPI_PROCESS_ID)\", $(PYGEOAPI_JOB_ID)]",
    );
    assert_eq!(unit(&package)["env"][1], json!({"name": "PATH_IN", "value": "s3://data/x"}));
    let wanted = json!(["sh", "-c", "echo $$(date) $$(BUCKET) s3://data/x flood", "$$(PYGEOAPI_JOB_ID)"]);
    assert_eq!(unit(&package)["command"], wanted);
    assert_eq!(doubts(&remarks).len(), 1, "{remarks:?}");
    let (from_secret, _) = generic(
        "env: [{name: KEY, secret_name: s, secret_key: k}, {name: URL, value: \"http://$(KEY)@host\"}]",
    );
    assert_eq!(
        pod(&from_secret)["containers"][0]["env"][1],
        json!({"name": "URL", "value": "http://$(KEY)@host"})
    );
}

#[test]
fn the_token_is_asked_for_unless_switched_off() {
    for (check, wanted) in [
        ("", true),
        ("check_auth: true", true),
        ("check_auth: null", true),
        ("check_auth: 'False'", true),
        ("check_auth: 1", true),
        ("check_auth: no", false),
        ("check_auth: 0", false),
        ("check_auth: ''", false),
    ] {
        let (package, _) = generic(check);
        assert_eq!(package.get("callerToken").is_some(), wanted, "{check}");
    }
}

#[test]
fn security_comes_from_key_or_variable_or_baseline() {
    let context = |resources: &str, variables: &[(&str, &str)]| {
        let text = format!(
            "  flood:\n    type: process\n    processor: {{name: {NAME}, default_image: a, metadata: {{id: f}}, init_containers: [{{name: i, image: b}}]{resources}}}\n"
        );
        let package = configuration_with(&text, variables).processes[0].package.clone();
        let kubernetes = unit(&package)["kubernetes"].clone();
        let spec = kubernetes["podTemplate"]["spec"].clone();
        assert_eq!(
            spec["containers"][0].get("securityContext"),
            spec["initContainers"][0].get("securityContext")
        );
        let of = |value: &Value| value.get("securityContext").cloned().unwrap_or(Value::Null);
        (kubernetes["security"].as_str().unwrap().to_owned(), of(&spec), of(&spec["containers"][0]))
    };
    let pod = "PYGEOAPI_K8S_MANAGER_JOB_POD_SECURITY_CONTEXT";
    let container = "PYGEOAPI_K8S_MANAGER_JOB_CONTAINER_SECURITY_CONTEXT";
    let nothing = Value::Null;
    assert_eq!(context("", &[]), ("baseline".into(), nothing.clone(), nothing.clone()));
    let user = json!({"runAsUser": 1000});
    let key = ", container_security_context: {runAsUser: 1000}";
    assert_eq!(context(key, &[]), ("baseline".into(), nothing.clone(), user.clone()));
    assert_eq!(
        context("", &[(container, "{\"runAsUser\": 1000}")]),
        ("baseline".into(), nothing.clone(), user.clone())
    );
    assert_eq!(context(key, &[(container, "off")]), ("baseline".into(), nothing.clone(), user));
    let of_pod = json!({"seccompProfile": {"type": "RuntimeDefault"}});
    let of_container = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    assert_eq!(context("", &[(pod, "off")]), ("none".into(), nothing.clone(), of_container.clone()));
    assert_eq!(
        context("", &[(pod, "none"), (container, "OFF")]),
        ("none".into(), nothing.clone(), nothing.clone())
    );
    assert_eq!(context(", container_security_context: null", &[]), ("none".into(), of_pod.clone(), nothing));
    let privileged = ", container_security_context: {privileged: true}";
    assert_eq!(context(privileged, &[]), ("none".into(), of_pod, json!({"privileged": true})));
}

#[test]
fn a_security_variable_that_is_no_json_refuses_the_file() {
    let environment =
        |name: &str| name.ends_with("POD_SECURITY_CONTEXT").then(|| "{runAsUser: 1}".to_owned());
    let faults = read("resources: {}", Path::new("f"), &environment).unwrap_err();
    assert!(faults[0].message.contains("PYGEOAPI_K8S_MANAGER_JOB_POD_SECURITY_CONTEXT"), "{faults:?}");
}

#[test]
fn init_containers_lose_what_52n_drops() {
    let (package, remarks) = generic(
        "init_containers:\n- {name: a, image: b, securityContext: {runAsUser: 0}, envFrom: [], working_dir: /x, resources: {limits: {cpu: 1}}, env: [{name: N, value: 5}]}\n- {image: c}",
    );
    let wanted = json!([{"name": "a", "image": "b", "resources": {"limits": {"cpu": "1"}}, "env": [{"name": "N", "value": "5"}]}]);
    assert_eq!(pod(&package)["initContainers"], wanted);
    assert_eq!(remarks.iter().filter(|(level, _)| *level == Level::Ignored).count(), 3, "{remarks:?}");
    assert_eq!(doubts(&remarks).len(), 1);
}

#[test]
fn examples_are_kept_and_other_keys_are_told() {
    let (package, remarks) = generic(
        "metadata: {id: flood, example: {inputs: {a: [1]}, mode: sync}, colour: red}\nmimetype: text/plain\ncomand: [a]",
    );
    assert_eq!(package["examples"], json!([{"inputs": {"a": [1]}}]));
    let ignored: Vec<&str> =
        remarks.iter().filter(|(level, _)| *level == Level::Ignored).map(|(_, text)| text.as_str()).collect();
    assert_eq!(ignored.len(), 4, "{remarks:?}");
    assert!(ignored.iter().any(|text| text.contains("did you mean `command`?")), "{remarks:?}");
}

#[test]
fn what_cannot_run_is_left_out_with_a_line() {
    let configuration = configuration(
        "  lakes:\n    type: collection\n  python:\n    type: process\n    processor: {name: my.own.Processor}\n  hello:\n    type: process\n    \
         processor: {name: HelloWorld}\n  argo:\n    type: process\n    processor: {name: pygeoapi_kubernetes_papermill.ArgoProcessor}\n  none:\n    type: process\n  \
         imageless:\n    type: process\n    processor: {name: pygeoapi_k8s_manager.process.GenericImageProcessor}\n  bad name:\n    type: process\n    \
         processor: {name: pygeoapi_k8s_manager.process.GenericImageProcessor, default_image: a}\n  bad:\n    type: process\n    \
         processor: {name: pygeoapi_k8s_manager.process.GenericImageProcessor, default_image: 'a b'}\n",
    );
    assert_eq!(configuration.processes, []);
    let left_out: Vec<u64> = configuration
        .remarks
        .iter()
        .filter(|remark| remark.level == Level::LeftOut)
        .map(|remark| remark.line)
        .collect();
    assert_eq!(left_out, [2, 6, 9, 10, 13, 17, 18, 23], "{:?}", configuration.remarks);
}

/// The script of a process runs in a shell with whatever people send, and prints what 52N's would.
#[test]
fn greetings_are_what_was_sent() {
    let (package, remarks) =
        package(HELLO, "command: ['set -eu', 'greeted=yes', 'echo \"$# $greeted\"']\nenv: []");
    assert!(remarks.iter().all(|(level, _)| *level == Level::Ignored), "{remarks:?}");
    let script = unit(&package)["command"][2].as_str().unwrap().replace("$$(", "$(");
    for (name, message) in [
        ("Ada", None),
        ("Ada", Some("")),
        ("Ada", Some("hi")),
        ("O'Neil \"x\" \\n $(id) `id` ${HOME} %s *", Some("a\nb\n\n")),
        ("-n", Some("\t\u{1}\u{1f}\u{7f}\r\nÜ 😀 x")),
        ("x", Some("\\")),
    ] {
        let wanted = match message {
            Some(message) if !message.is_empty() => format!("Hello '{name}': '{message}'"),
            _ => format!("Hello '{name}'!"),
        };
        let mut words = vec!["-c", &script, "/bin/sh", "name", name];
        words.extend(message.map(|message| ["message", message]).into_iter().flatten());
        for shell in shells() {
            let output =
                std::process::Command::new(&shell[0]).args(&shell[1..]).args(&words).output().unwrap();
            let printed = String::from_utf8(output.stdout).unwrap();
            let lines: Vec<&str> = printed.lines().collect();
            assert_eq!(
                lines[..3],
                [
                    "0 yes",
                    "PYGEOAPI_K8S_MANAGER_RESULT_MIMETYPE:application/json",
                    "PYGEOAPI_K8S_MANAGER_RESULT_START"
                ],
                "{shell:?}: {printed} {}",
                String::from_utf8_lossy(&output.stderr)
            );
            let result: Value =
                serde_json::from_str(lines[3]).unwrap_or_else(|error| panic!("{error}: {printed}"));
            assert_eq!((result, lines.len()), (json!({"result": wanted}), 4), "{shell:?}");
        }
    }
}

#[test]
fn a_fragment_ends_the_job_and_no_name_fails_it() {
    let (package, _) = package(HELLO, "command: [exit 3]");
    let script = unit(&package)["command"][2].as_str().unwrap().replace("$$(", "$(");
    let code = |words: &[&str]| {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &script, "/bin/sh"]).args(words).output().unwrap().status.code()
    };
    assert_eq!(code(&["name", "Ada"]), Some(3));
    assert_eq!(code(&["message", "hi"]), Some(1));
}

/// Shells of this machine: that of every image, and busybox's where it is installed.
fn shells() -> Vec<Vec<String>> {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let all = [words("sh"), words("bash"), words("busybox sh")];
    let is_there = |shell: &Vec<String>| {
        std::process::Command::new(&shell[0]).args(&shell[1..]).args(["-c", ":"]).output().is_ok()
    };
    all.into_iter().filter(is_there).collect()
}
