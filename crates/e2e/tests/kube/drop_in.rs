//! 52North's published manifests with one change, `image:`. What stands here says what those say: no volume, that Role, the
//! file at its place, the variables of the image.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use rutter_e2e::{Client, IMAGE, wait_until};
use serde_json::{Value, json};

use crate::{bed, theirs::role};

const NAMESPACE: &str = "dev-i-cisk";
const NAME: &str = "k8s-job-manager";
const TOKEN: &str = "the-token-of-the-team";

fn file() -> String {
    format!(
        "\
server:
  bind: {{host: 0.0.0.0, port: 80}}
  url: http://models.example.org/pygeoapi/
  mimetype: application/json; charset=UTF-8
  encoding: utf-8
  gzip: false
  languages: [en-US]
  pretty_print: true
  limits: {{default_items: 10, max_items: 50}}
  map: {{url: 'https://tile.openstreetmap.org/{{z}}/{{x}}/{{y}}.png', attribution: '&copy; contributors'}}
  manager:
    name: pygeoapi_k8s_manager.manager.KubernetesManager
    finalizer_controller: true
logging: {{level: INFO}}
metadata: {{identification: {{title: {{en: Models}}, description: {{en: Of ours}}}}}}
resources:
  hello-world-k8s:
    type: process
    processor:
      name: pygeoapi_k8s_manager.process.HelloWorldK8sProcessor
      default_image: {tools}
      command: [date]
  counts:
    type: process
    processor:
      name: pygeoapi_k8s_manager.process.GenericImageProcessor
      default_image: {tools}
      command:
        - sh
        - -c
        - 'echo PYGEOAPI_K8S_MANAGER_RESULT_MIMETYPE:application/json; echo PYGEOAPI_K8S_MANAGER_RESULT_START; echo \"{{\\\"id\\\": \\\"$PYGEOAPI_PROCESS_ID\\\"}}\"'
      resources: {{requests: {{cpu: 10m, memory: 16M}}, limits: {{cpu: 1, memory: 64M}}}}
      metadata:
        version: 0.1.0
        id: counts
        title: {{en: Counts}}
        inputs: {{}}
        outputs: {{logs: {{schema: {{type: object, contentMediaType: application/json}}}}}}
",
        tools = bed::TOOLS
    )
}

fn manifests() -> Value {
    let metadata = json!({"name": NAME, "namespace": NAMESPACE, "labels": {"app": NAME}});
    let group = "rbac.authorization.k8s.io";
    let variable = |name: &str, value: &str| json!({"name": name, "value": value});
    let secret = json!({"name": "PYGEOAPI_K8S_MANAGER_API_TOKEN",
        "valueFrom": {"secretKeyRef": {"name": NAME, "key": "token"}}});
    let container = json!({
        "name": NAME,
        // The one change.
        "image": IMAGE,
        "ports": [{"name": "http", "containerPort": 80}],
        "env": [
            variable("WSGI_WORKERS", "2"), variable("CONTAINER_NAME", NAME), variable("SCRIPT_NAME", "/pygeoapi/"),
            variable("PYGEOAPI_K8S_MANAGER_NAMESPACE", NAMESPACE), secret,
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "512M"}, "limits": {"cpu": "250m", "memory": "768M"}},
        "volumeMounts": [{"name": "config", "mountPath": "/pygeoapi/local.config.yml", "subPath": "local.config.yml"}],
    });
    let pod = json!({
        "serviceAccountName": NAME, "terminationGracePeriodSeconds": 5, "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "k8s-job-manager-config"}}],
    });
    let config = json!({"name": "k8s-job-manager-config", "namespace": NAMESPACE});
    let items = json!([
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": config, "data": {"local.config.yml": file()}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"token": TOKEN}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": metadata, "rules": role()},
        {"apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": metadata,
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
            "roleRef": {"kind": "Role", "name": NAME, "apiGroup": group}},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": {"selector": {"app": NAME}, "ports": [{"name": "http", "port": 80}]}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {
            "replicas": 1, "strategy": {"type": "Recreate"}, "selector": {"matchLabels": {"app": NAME}},
            "template": {"metadata": {"labels": {"app": NAME}}, "spec": pod},
        }},
    ]);
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

/// The server's pod, once it is not `former` and answers: its name, and a client of it.
fn server(former: &str) -> (String, Client) {
    let mut found = None;
    wait_until("the server answers", || {
        let pods = bed::get(&["pods", "--namespace", NAMESPACE, "--selector", &format!("app={NAME}")]);
        let pods = pods["items"].as_array().cloned().unwrap_or_default();
        let pod =
            pods.iter().find(|pod| pod["metadata"]["name"] != former && pod["status"]["podIP"].is_string());
        let Some(pod) = pod else { return false };
        let (name, address) = (&pod["metadata"]["name"], &pod["status"]["podIP"]);
        let (name, address) = (name.as_str().unwrap_or_default(), address.as_str().unwrap_or_default());
        if !answers(address) {
            return false;
        }
        found = Some((name.to_owned(), Client::new(&format!("http://{address}/pygeoapi"))));
        true
    });
    found.expect("it answered")
}

/// Whether a server there says that it is alive.
fn answers(address: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect((address, 80)) else { return false };
    let mut answer = String::new();
    let asked = stream.write_all(b"GET /livez HTTP/1.1\r\nHost: models\r\nConnection: close\r\n\r\n");
    asked.and_then(|()| stream.read_to_string(&mut answer)).is_ok() && answer.starts_with("HTTP/1.1 200")
}

/// Executes as their browser clients do, and follows the job by its id.
fn done(client: &Client, process: &str, inputs: Value) -> String {
    let request = client.request("POST", &format!("/processes/{process}/execution"));
    let answer = client.send(request.json(&json!({ "inputs": inputs }))).expect(201);
    let location = answer.header("location").expect("a Location").to_owned();
    let id = answer.json()["jobID"].as_str().expect("an id").to_owned();
    assert_eq!(location, format!("http://models.example.org/pygeoapi/jobs/{id}"));
    let status = client.finish(&format!("/jobs/{id}"));
    assert_eq!(status["status"], "successful", "{status}");
    id
}

#[test]
fn with_another_image_their_deployment_starts_and_keeps_its_results() {
    let _turn = bed::turn();
    // Its pod reaches the API server as every pod does, by a Service.
    let _services = bed::cluster().serve_services().unwrap();
    bed::cluster().apply(&manifests()).unwrap();
    let (pod, client) = server("");
    let greeted = done(&client, "hello-world-k8s", json!({"name": "Ada", "message": "hi"}));
    let counted = done(&client, "counts", json!({"token": TOKEN}));
    assert_eq!(client.execute("counts", &json!({"inputs": {"token": "wrong"}})).status, 403);
    let result =
        |client: &Client, id: &str| client.get(&format!("/jobs/{id}/results?f=json")).expect(200).json();
    let kubectl =
        |words: &[&str]| bed::cluster().kubectl([words, &["--namespace", NAMESPACE]].concat()).unwrap();
    let log = kubectl(&["logs", &pod]);
    assert!(!log.contains(" ERROR ") && !log.contains(TOKEN), "{log}");
    kubectl(&["delete", "pod", &pod]);
    let (_, client) = server(&pod);
    assert_eq!(result(&client, &greeted)["result"], "Hello 'Ada': 'hi'");
    assert_eq!(result(&client, &counted)["id"], "counts");
    assert_eq!(
        client.get("/jobs?f=json&limit=10").expect(200).json()["jobs"].as_array().map(Vec::len),
        Some(2)
    );
    assert!(client.get("/jobs?f=html").expect(200).text().contains(&counted));
    bed::cluster().kubectl(["delete", "namespace", NAMESPACE, "--wait=false"]).unwrap();
}
