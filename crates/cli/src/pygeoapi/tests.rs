//! A file of theirs, from the outside.

use std::path::PathBuf;

use serde_json::json;

use super::*;

const FILE: &str = "\
server:
  bind: {host: 0.0.0.0, port: 5000}
  url: http://example.org/pygeoapi/
  cors: true
  languages: [de-DE, en]
  limits: {default_items: 20, on_exceed: error}
  manager: {name: pygeoapi_k8s_manager.KubernetesManager, finalizer_controller: true}
logging: {level: WARNING}
metadata: {identification: {title: {en: Models, de: Modelle}, description: Of ours}}
resources:
  greet:
    type: process
    processor: {name: pygeoapi_k8s_manager.process.HelloWorldK8sProcessor, default_image: 'busybox:1'}
  route:
    type: process
    processor:
      name: pygeoapi_k8s_manager.process.GenericImageProcessor
      default_image: registry.example/route:1
      resources: {requests: {cpu: 500m}, limits: {cpu: 2}}
      metadata:
        version: 0.1
        id: route-tool
        title: {en: Route, de: Seeweg}
        inputs: {'wrt_*': {schema: {type: string}}}
        outputs: {logs: {schema: {type: object, contentMediaType: application/json}}}
  custom: {type: process, processor: {name: my.own.Processor}}
";

fn written() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("local.config.yml");
    std::fs::write(&file, FILE).unwrap();
    (folder, file)
}

/// By a server with these settings beside the file's.
fn checked(file: &Path, upon: Value) -> (String, bool) {
    let taken_up = read(file).unwrap();
    let settings = settings(&taken_up);
    let mut config = crate::config::load_upon(settings, None, std::iter::empty(), upon).unwrap();
    config.pygeoapi = Some(taken(file.to_owned(), taken_up));
    let runs = crate::place::runs(&config, &crate::place::containers(&config));
    report(config.pygeoapi.as_ref().unwrap(), &runs)
}

#[test]
fn check_refuses_what_the_server_would() {
    let (_folder, file) = written();
    let more =
        "default_image: registry.example/route:1\n      container_security_context: {privileged: true}";
    let text = FILE.replace("default_image: registry.example/route:1", more);
    std::fs::write(&file, text).unwrap();
    let (text, right) = checked(&file, json!({"kubernetes": {"weakestSecurity": "baseline"}}));
    assert!(
        !right
            && text.contains("route: error: executionUnit.kubernetes.security: is none")
            && text.contains("greet: offered"),
        "{text}"
    );
}

#[test]
fn check_says_what_is_offered_and_what_is_left_out() {
    let (_folder, file) = written();
    let (text, right) = checked(&file, json!({}));
    assert!(right, "{text}");
    assert!(text.contains(":9: greet: offered") || text.contains("greet: offered"), "{text}");
    assert!(text.contains("route: offered; inputs: wrt_*; outputs: logs; asks for the token"), "{text}");
    assert!(text.lines().any(|line| line.contains("custom") && line.contains("left out")), "{text}");
}

#[test]
fn settings_are_those_of_the_file() {
    let (_folder, file) = written();
    let settings = settings(&read(&file).unwrap());
    assert_eq!(settings["server"]["publicUrl"], "http://example.org/pygeoapi");
    assert_eq!(settings["server"]["listen"], "0.0.0.0:5000");
    assert_eq!(settings["server"]["allowedOrigins"], json!(["*"]));
    assert_eq!(settings["server"]["title"], "Modelle");
    assert_eq!(settings["server"]["language"], "de-DE");
    assert_eq!(settings["server"]["pages"], json!({"defaultItems": 20, "onExceed": "error"}));
    assert_eq!(settings["server"].get("eoxRequests"), None);
    assert_eq!(settings["executor"], "kubernetes");
    assert_eq!(settings["kubernetes"]["withoutAgents"], true);
    assert_eq!(settings["jobs"]["defaultTimeoutSeconds"], 2_592_000, "theirs could run for ever");
    assert_eq!(settings["log"]["level"], "warn");
}

#[test]
fn what_convert_writes_is_read_as_what_serve_takes() {
    let (folder, file) = written();
    let output = folder.path().join("out");
    convert::run(&convert::ConvertArgs { file: file.clone(), output: output.clone() }).unwrap();
    let converted = read(&file).unwrap().processes;
    assert_eq!(converted.len(), 2);
    for it in converted {
        let path = output.join("processes").join(format!("{}.yaml", it.id));
        let (process, _) = package::parse(&std::fs::read_to_string(&path).unwrap(), &path, None)
            .unwrap_or_else(|faults| {
                panic!("{}", faults.iter().map(|fault| format!("{fault}\n")).collect::<String>())
            });
        assert_eq!(process.source, it.package);
    }
    let again = convert::run(&convert::ConvertArgs { file, output }).unwrap_err().to_string();
    assert!(again.contains("is there already"), "{again}");
    let config = folder.path().join("out/rutter.yaml");
    let config = crate::config::load(Some(&config), std::iter::empty(), json!({})).unwrap();
    assert_eq!(config.server.title, "Modelle");
    assert_eq!(config.server.language.as_deref(), Some("de-DE"));
    assert_eq!((config.server.pages.default_items, config.server.pages.max_items), (Some(20), 10_000));
}

#[test]
fn what_is_no_configuration_is_refused_with_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.yml");
    for (text, told) in
        [(&b"\xff\xfe"[..], "UTF-8"), (b"[1, 2", "x.yml:"), (b"a: ${NOT_SET_ANYWHERE}", "NOT_SET_ANYWHERE")]
    {
        std::fs::write(&file, text).unwrap();
        let error = format!("{:#}", read(&file).unwrap_err());
        assert!(error.contains(told), "{error}");
    }
    let missing = format!("{:#}", read(&folder.path().join("none.yml")).unwrap_err());
    assert!(missing.contains("none.yml"), "{missing}");
}

/// What a cluster refuses is refused when the file is loaded; files as people have them must not be.
#[test]
fn a_cluster_takes_what_their_files_say() {
    let mut config = rutter_exec_kube::KubernetesConfig::new("models", "agent:1", "https://rutter:8443");
    config.security = rutter_exec_kube::Security::Baseline;
    config.weakest_security = rutter_exec_kube::Security::Baseline;
    config.allowed_service_accounts = vec!["hub-job".to_owned()];
    config.registries = Some(rutter_exec_kube::Registries::default());
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../pygeoapi/test-data");
    for file in ["north.yml", "eox.yml"] {
        let configuration = read(&data.join(file)).unwrap();
        assert!(configuration.processes.len() > 1);
        for converted in configuration.processes {
            let process = process(&converted.package).unwrap();
            for unit in &process.units {
                let rutter_core::process::ExecutionUnit::Docker(unit) = unit else { continue };
                let faults = rutter_exec_kube::check_unit(&process, unit, &config);
                assert_eq!(faults, [], "{}", converted.id);
            }
        }
    }
}

/// The file is the operator's own: what it asks for works without a second file that allows it, and one that does not wins.
#[test]
fn what_the_file_asks_of_the_cluster_is_allowed() {
    let (folder, file) = written();
    assert_eq!(settings(&read(&file).unwrap())["kubernetes"]["weakestSecurity"], "baseline");
    let generic = "      resources: {requests: {cpu: 500m}, limits: {cpu: 2}}\n";
    let weaker = FILE.replace(generic, &format!("{generic}      pod_security_context: null\n"));
    std::fs::write(&file, weaker).unwrap();
    let none = settings(&read(&file).unwrap());
    assert_eq!(none["kubernetes"]["weakestSecurity"], "none");
    assert_eq!(none["kubernetes"]["security"], "baseline", "others are protected as before");
    let own = folder.path().join("rutter.yaml");
    std::fs::write(&own, "kubernetes: {weakestSecurity: baseline}\n").unwrap();
    let config = crate::config::load_upon(none, Some(&own), std::iter::empty(), json!({})).unwrap();
    assert_eq!(serde_json::to_value(config.kubernetes.weakest_security).unwrap(), "baseline");

    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../pygeoapi/test-data/eox.yml");
    let eox = settings(&read(&data).unwrap());
    assert_eq!(eox["kubernetes"]["allowedServiceAccounts"], json!(["hub-job"]));
    assert_eq!(eox["server"]["eoxRequests"], true);
}
