//! Whole configurations: the server's part, and files that nobody should have to read.

use std::path::Path;

use crate::{Level, Limits, LogLevel, Manager, Words, read};

const FILE: &str = "\
server:
  bind:
    host: 0.0.0.0
    port: ${PORT:-5000}
  url: http://localhost:${PORT:-5000}/pygeoapi/
  languages: [de, en_US]
  limits: {default_items: 20, max_items: 50, on_exceed: error}
  cors: yes
  map: {url: 'https://tile.example/{z}/{x}/{y}.png', attribution: Example}
  pretty_print: true
  api_rules: {url_prefix: /v1/, strict_slashes: true}
  manager:
    name: pygeoapi_k8s_manager.manager.KubernetesManager
    finalizer_controller: on
    logging: {botocore: INFO}
logging: {level: DEBUG, logfile: /tmp/x}
metadata:
  identification:
    title: {en: Models, de: Modelle}
    keywords: {en: [a, b]}
  license: {name: CC-BY 4.0}
  contact: {email: a@example.org, phone: 12}
resources: {}
unheard: of
";

fn nothing(_: &str) -> Option<String> {
    None
}

#[test]
fn the_server_is_understood() {
    let configuration = read(FILE, Path::new("f"), &nothing).unwrap();
    let server = &configuration.server;
    assert_eq!((server.host.as_deref(), server.port), (Some("0.0.0.0"), Some(5000)));
    assert_eq!(server.url.as_deref(), Some("http://localhost:5000/pygeoapi"));
    assert_eq!(server.url_prefix.as_deref(), Some("v1"));
    assert_eq!(server.languages, ["de", "en-US"]);
    assert_eq!(server.limits, Limits { default: Some(20), max: Some(50), refuses: true });
    assert_eq!((server.cors, server.log, server.keeps_results), (true, Some(LogLevel::Debug), true));
    assert_eq!(server.manager, Manager::North);
    let metadata = &configuration.metadata;
    assert_eq!(metadata.title.as_ref().unwrap().first().map(String::as_str), Some("Models"));
    assert_eq!(metadata.contact["phone"], Words::One("12".to_owned()));
    let ignored: Vec<u64> = configuration.remarks.iter().map(|remark| remark.line).collect();
    assert!(configuration.remarks.iter().all(|remark| remark.level == Level::Ignored));
    assert_eq!(ignored, [10, 11, 15, 16, 24], "{:?}", configuration.remarks);
}

#[test]
fn managers_are_known_by_their_names() {
    let manager = |name: &str| {
        let text = format!("server: {{manager: {{name: {name}}}}}");
        read(&text, Path::new("f"), &nothing).unwrap().server.manager
    };
    for (name, wanted) in [
        ("pygeoapi_k8s_manager.KubernetesManager", Manager::North),
        ("pygeoapi_kubernetes_manager.manager.KubernetesManager", Manager::North),
        ("pygeoapi_kubernetes_papermill.KubernetesManager", Manager::Eox),
        ("pygeoapi_kubernetes_papermill.argo.ArgoManager", Manager::Argo),
        ("pygeoapi.process.manager.kubernetes.KubernetesManager", Manager::Eox),
        ("TinyDB", Manager::Other),
        ("my.KubernetesManager", Manager::Other),
    ] {
        assert_eq!(manager(name), wanted, "{name}");
    }
}

#[test]
fn the_old_limit_shortens_no_list() {
    let limits = |manager: &str| {
        let text = format!("server: {{limit: 7, manager: {{name: {manager}}}}}");
        read(&text, Path::new("f"), &nothing).unwrap().server.limits
    };
    for manager in
        ["pygeoapi_kubernetes_papermill.KubernetesManager", "pygeoapi_k8s_manager.KubernetesManager"]
    {
        assert_eq!(limits(manager), Limits::default(), "{manager}");
    }
}

#[test]
fn odd_shapes_are_remarks_and_no_faults() {
    let text = "server: [a]\nlogging: 7\nmetadata: {identification: x, contact: [1]}\nresources:\n  a: 7\n  1: {type: process}\n  \
                null: {type: process, processor: []}\n  b: {type: [x]}\n";
    let configuration = read(text, Path::new("f"), &nothing).unwrap();
    assert_eq!(configuration.processes, []);
    assert!(configuration.remarks.iter().all(|remark| remark.line > 0), "{:?}", configuration.remarks);
    let left_out = configuration.remarks.iter().filter(|remark| remark.level == Level::LeftOut).count();
    assert_eq!(left_out, 4, "{:?}", configuration.remarks);
}

#[test]
fn what_is_no_configuration_is_refused_with_its_place() {
    for (text, line) in [("", 0), ("- a\n", 1), ("a: [", 1), ("server:\n  url: ${URL}\n", 2), ("a: \u{0}", 1)]
    {
        let faults = read(text, Path::new("local.config.yml"), &nothing).unwrap_err();
        assert_eq!((faults.len(), faults[0].line), (1, line), "{text}: {faults:?}");
        assert!(faults[0].to_string().starts_with("local.config.yml"), "{faults:?}");
        assert!(faults[0].remedy.is_some());
    }
}

#[test]
fn twice_is_told_with_both_lines() {
    let configuration =
        read("server: {}\nresources: {}\nserver: {cors: true}\n", Path::new("f"), &nothing).unwrap();
    assert!(configuration.server.cors);
    assert_eq!(
        configuration.remarks[0].to_string(),
        "3:1: doubtful: `server` stands in line 1 already; this one counts"
    );
}
