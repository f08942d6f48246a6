//! What a team with 52North's manager has: its configuration file, its images, its Role, and no volume.
//!
//! The images stand for published ones: they rely on what those rely on.

use std::path::{Path, PathBuf};

use rutter_e2e::{Client, Package, Server, ServerBuilder, binary, wait_until};
use rutter_testcluster::Image;
use serde_json::{Value, json};

use crate::bed;

/// A model with criteria: its inputs must be JSON; result by markers on standard output.
const CRITERIA: &str = r#"printf '%s' "$PYGEOAPI_K8S_MANAGER_INPUTS" | grep -q '^{' || exit 1
echo "2025-01-01 INFO - PYGEOAPI_K8S_MANAGER_RESULT_MIMETYPE:application/json"
echo "2025-01-01 INFO - PYGEOAPI_K8S_MANAGER_RESULT_START"
echo "{\"id\": \"$PYGEOAPI_PROCESS_ID\", \"value\": {\"inputs\": $PYGEOAPI_K8S_MANAGER_INPUTS}}""#;
/// Ship routing: writes below its own folder as root, logs to standard error, gives a URL.
const ROUTE: &str = r#"case "$HOME" in /rutter*) exit 5;; esac; test "$(id -u)" = 0 && mkdir -p /app/workdir && echo x > /app/workdir/x || exit 3
echo "INFO - PYGEOAPI_K8S_MANAGER_RESULT_MIMETYPE:application/json" >&2
echo "INFO - PYGEOAPI_K8S_MANAGER_RESULT_START" >&2
echo "{\"id\":\"$PYGEOAPI_PROCESS_ID\",\"value\":\"$BUCKET/outputs/$PYGEOAPI_JOB_ID/$RATIO/$DRY/$EMPTY\"}" >&2"#;
/// A flood model: prepared by an init container, text as its result.
const FLOOD: &str = r#"test "$PROCESS_INPUTS_RUN" = 1 || exit 4
echo PYGEOAPI_K8S_MANAGER_RESULT_MIMETYPE:text/csv
echo PYGEOAPI_K8S_MANAGER_RESULT_START
cat /inputs/run.def"#;
/// An ingestor: no markers; ends badly without inputs.
const INGEST: &str = r#"test -n "$PYGEOAPI_K8S_MANAGER_INPUTS" || exit 2
echo ingested"#;

pub(crate) const TOKEN: &str = "s3cr3t-of-all";

fn image(name: &str, line: &str) -> String {
    let name = format!("localhost/theirs-{name}:1");
    bed::cluster().import(&Image::busybox(&name).entrypoint(["/bin/sh", "-c", line])).unwrap();
    name
}

/// The file as such a team has it: YAML 1.1, unknown keys, other kinds of resources.
fn file() -> String {
    let [criteria, route, flood, ingest] =
        [("criteria", CRITERIA), ("route", ROUTE), ("flood", FLOOD), ("ingest", INGEST)]
            .map(|(name, line)| image(name, line));
    let tools = bed::TOOLS;
    format!(
        "\
server:
  bind: {{host: 0.0.0.0, port: 80}}
  url: ${{SERVER_URL}}
  languages: [en-US]
  cors: yes
  manager: {{name: pygeoapi_k8s_manager.KubernetesManager, finalizer_controller: on}}
logging: {{level: INFO}}
metadata: {{identification: {{title: {{en: Models of ours}}}}}}
resources:
  hello:
    type: process
    processor: {{name: pygeoapi_k8s_manager.process.HelloWorldK8sProcessor, default_image: '{tools}', command: [date, X=1]}}
  criteria:
    type: process
    processor:
      name: pygeoapi_k8s_manager.process.GenericImageProcessor
      default_image: {criteria}
      check_auth: no
      resources: &small {{requests: {{cpu: 50m, memory: 32M}}, limits: {{cpu: 1, memory: 64M}}}}
      metadata:
        version: 0.1
        id: criteria
        title: {{en: Criteria, de: Kriterien}}
        inputs: {{weights: {{schema: {{type: string}}}}}}
        outputs: {{logs: {{schema: {{type: object, contentMediaType: application/json}}}}}}
  route:
    type: process
    processor:
      name: pygeoapi_k8s_manager.process.GenericImageProcessor
      default_image: {route}
      resources: *small
      env: [{{name: BUCKET, value: b}}, {{name: RATIO, value: 0.10}}, {{name: DRY, value: no}}, {{name: EMPTY, value: }}]
      tolerations: [{{key: pool, operator: Exists, effect: NoExecute, toleration_seconds: 9}}]
      metadata:
        id: route-tool
        inputs: {{'wrt_*': {{schema: {{type: string}}}}}}
        outputs: {{logs: {{schema: {{type: object, contentMediaType: application/json}}}}}}
  flood:
    type: process
    processor:
      name: pygeoapi_k8s_manager.process.GenericImageProcessor
      default_image: {flood}
      check_auth: false
      resources: *small
      env: [{{name: PROCESS_INPUTS_RUN, value: 1}}]
      storage: [{{name: scratch, mount_path: /inputs, empty_dir: {{size_limit: 16Mi}}}}]
      init_containers:
        - name: fetch
          image: {tools}
          command: [sh, -c, 'printf \"a,b\\n 1,$PYGEOAPI_PROCESS_ID\\n\" > /inputs/run.def']
          volumeMounts: [{{name: scratch, mountPath: /inputs}}]
      metadata: {{id: flood, outputs: {{table: {{schema: {{type: string, contentMediaType: text/csv}}}}}}}}
  ingest:
    type: process
    processor:
      name: pygeoapi_k8s_manager.process.GenericImageProcessor
      default_image: {ingest}
      check_auth: false
      resources: *small
      metadata: {{id: ingest, outputs: {{logs: {{schema: {{type: object, contentMediaType: application/json}}}}}}}}
  bare:
    type: process
    processor: &generic
      name: pygeoapi_k8s_manager.process.GenericImageProcessor
      default_image: {criteria}
      check_auth: false
      resources: *small
      metadata: {{id: bare}}
  several:
    type: process
    processor: {{<<: *generic, metadata: {{id: several, outputs: {{depth: {{}}, log: {{}}}}}}}}
  slow:
    type: process
    processor: {{name: pygeoapi_k8s_manager.process.HelloWorldK8sProcessor, default_image: '{tools}', command: [sleep 600]}}
  lakes: {{type: collection, providers: []}}
  custom: {{type: process, processor: {{name: our.own.Processor}}}}
"
    )
}

/// A server as their Deployment starts it, but for the image; `further` = lines in the section `kubernetes`.
pub(crate) fn server(folder: &Path, further: &str) -> ServerBuilder {
    let path = folder.join("local.config.yml");
    std::fs::write(&path, file()).unwrap();
    let cluster = bed::cluster();
    let config = format!(
        "kubernetes:\n  kubeconfig: {kubeconfig}\n  listen: 127.0.0.1:0\n{further}
jobs: {{graceSeconds: 2, defaultCpus: 0.05, defaultMemory: 0.05}}",
        kubeconfig = kubeconfig().display(),
    );
    Server::builder()
        .by(&cluster.command(binary()))
        .config(&config)
        .variable("PYGEOAPI_CONFIG", path.to_str().unwrap())
        .variable("SERVER_URL", "http://127.0.0.1:18080/pygeoapi/")
        .variable("PYGEOAPI_K8S_MANAGER_NAMESPACE", cluster.namespace())
        .variable("PYGEOAPI_K8S_MANAGER_API_TOKEN", TOKEN)
        .listen("127.0.0.1:18080")
        .expect_warning("is no process")
        .expect_warning("is empty; the program is given the text `None`")
        .expect_warning("wrt_*")
        .expect_warning("is code of Python")
        .expect_warning("may not read its namespace")
        .expect_warning("may not delete pods")
}

/// The rules of the Role of their manifests.
pub(crate) fn role() -> Value {
    json!([
        {"apiGroups": [""], "resources": ["events", "pods/log", "pods/status"], "verbs": ["get", "watch", "list"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "watch", "list", "patch"]},
        {"apiGroups": ["batch"], "resources": ["jobs"],
            "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"]},
    ])
}

/// An account with the Role of their manifests.
pub(crate) fn kubeconfig() -> PathBuf {
    let cluster = bed::cluster();
    let metadata = json!({"name": "theirs", "namespace": cluster.namespace()});
    let group = "rbac.authorization.k8s.io";
    let items = json!([
        {"apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": metadata, "rules": role()},
        {"apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": metadata,
            "subjects": [{"kind": "User", "name": bed::MANAGER, "apiGroup": group}],
            "roleRef": {"kind": "Role", "name": "theirs", "apiGroup": group}},
    ]);
    cluster.apply(&json!({"apiVersion": "v1", "kind": "List", "items": items})).unwrap();
    cluster.kubeconfig_of(bed::MANAGER)
}

fn finished(client: &Client, process: &str, inputs: &Value) -> (String, Value) {
    let job = client.submit(process, inputs);
    let status = client.finish(&job);
    assert_eq!(status["status"], "successful", "{process}: {status}");
    let id = job.rsplit('/').next().unwrap().to_owned();
    (id, status)
}

pub(crate) fn result(client: &Client, id: &str) -> String {
    client.get(&format!("/jobs/{id}/results?f=json")).expect(200).text()
}

pub(crate) fn client() -> Client {
    Client::new("http://127.0.0.1:18080/pygeoapi")
}

/// The Job of a job.
fn job_of(id: &str) -> Value {
    let all = bed::get(&["jobs"]);
    let jobs = all["items"].as_array().unwrap();
    let found = jobs.iter().find(|job| job["metadata"]["name"].as_str().unwrap().contains(id));
    found.unwrap_or_else(|| panic!("there is no Job of {id}")).clone()
}

#[test]
fn their_file_and_images_run_unchanged_and_nothing_is_lost_without_a_volume() {
    let _turn = bed::turn();
    let folder = tempfile::tempdir().unwrap();
    let mut server = server(folder.path(), "").start();
    let client = client();

    let list = client.get("/processes").expect(200).json();
    let ids: Vec<&str> =
        list["processes"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 8, "{ids:?}");
    let german = client.get("/processes/criteria?lang=de&f=json").expect(200).json();
    assert_eq!((german["title"].as_str(), german["version"].as_str()), (Some("Kriterien"), Some("0.1")));

    // Hello: quoted, whatever is sent.
    let inputs = json!({"name": "Ada \"the\" $(id) 'first'\\", "message": "hi; exit 1"});
    let (hello, _) = finished(&client, "hello", &inputs);
    let said: Value = serde_json::from_str(&result(&client, &hello)).unwrap();
    assert_eq!(said["result"], "Hello 'Ada \"the\" $(id) 'first'\\': 'hi; exit 1'");

    // Inputs as they came, undeclared ones and wrong kinds among them.
    let inputs = json!({"weights": {"a": 1.50}, "other": [1, "ü"]});
    let (criteria, status) = finished(&client, "criteria", &inputs);
    let value: Value = serde_json::from_str(&result(&client, &criteria)).unwrap();
    assert_eq!(value, json!({"id": "criteria", "value": {"inputs": inputs}}));
    assert_eq!(status["processID"], "criteria");
    assert_eq!(status["parameters"], r#"{"weights": {"a": 1.5}, "other": [1, "\u00fc"]}"#);

    // The token is asked for, and in nothing that is kept.
    let refused = client.execute("route", &json!({"inputs": {"wrt_speed": 6.5}}));
    assert_eq!(refused.status, 401);
    let (route, _) = finished(&client, "route", &json!({"wrt_speed": 6.50, "token": TOKEN}));
    let value: Value = serde_json::from_str(&result(&client, &route)).unwrap();
    assert_eq!(value, json!({"id": "route-tool", "value": format!("b/outputs/{route}/0.1/False/None")}));
    let job = job_of(&route);
    assert!(!job.to_string().contains(TOKEN));
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["name"], "generic-image-processor");
    let names: Vec<&str> =
        container["env"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "BUCKET",
            "RATIO",
            "DRY",
            "EMPTY",
            "PYGEOAPI_K8S_MANAGER_INPUTS",
            "PYGEOAPI_JOB_ID",
            "PYGEOAPI_PROCESS_ID"
        ]
    );
    assert_eq!(container["env"][4]["value"], r#"{"wrt_speed": 6.5}"#);
    assert_eq!(
        container["resources"],
        json!({"requests": {"cpu": "50m", "memory": "32M"}, "limits": {"cpu": "1", "memory": "64M"}})
    );
    let spec = &job["spec"]["template"]["spec"];
    assert_eq!(spec["shareProcessNamespace"], true);
    assert_eq!(spec["enableServiceLinks"], false);
    assert_eq!(spec["tolerations"][0]["tolerationSeconds"], 9);
    assert_eq!(spec["securityContext"]["runAsUser"], Value::Null, "images run as they are: {spec}");

    let (flood, _) = finished(&client, "flood", &json!({}));
    let answer = client.get(&format!("/jobs/{flood}/results")).expect(200);
    assert_eq!(answer.text(), "a,b\n 1,flood\n", "a text keeps its lines");
    assert!(answer.header("content-type").unwrap().starts_with("text/csv"));

    let (ingest, _) = finished(&client, "ingest", &json!({}));
    assert!(result(&client, &ingest).contains("ingested"), "without markers the log is the result");

    // One anonymous value is the answer, also where no output is declared, or several are that it does not name.
    for process in ["bare", "several"] {
        let (id, _) = finished(&client, process, &json!({"a": 1}));
        let value: Value = serde_json::from_str(&result(&client, &id)).unwrap();
        assert_eq!(value, json!({"id": process, "value": {"inputs": {"a": 1}}}));
    }

    // Dismissal ends the pod, though this account may not delete it, and is remembered.
    let slow = client.submit("slow", &json!({"name": "Ada"}));
    client.wait_for(&slow, &["running"]);
    client.delete(&slow).expect(200);
    assert_eq!(client.status(&slow)["status"], "dismissed");
    wait_until("its pod has ended", || {
        let pods = bed::get(&["pods"]);
        let id = slow.rsplit('/').next().unwrap();
        let mut own = pods["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|pod| pod["metadata"]["name"].as_str().unwrap().contains(id));
        own.all(|pod| pod["status"]["phase"] != "Running")
    });

    // The server's pod is deleted: what it had is gone, but what stands in the cluster.
    let running = client.submit("hello", &json!({"name": "late"}));
    client.wait_for(&running, &["running", "successful"]);
    server.kill();
    std::fs::remove_dir_all(server.data()).unwrap();
    server.start();
    let said: Value = serde_json::from_str(&result(&client, &hello)).unwrap();
    assert!(said["result"].as_str().unwrap().starts_with("Hello 'Ada"));
    assert_eq!(client.get(&format!("/jobs/{flood}/results")).expect(200).text(), "a,b\n 1,flood\n");
    assert_eq!(client.finish(&running)["status"], "successful");
    assert!(client.get(&format!("{running}/results?f=json")).text().contains("Hello 'late'!"));
    let listed = client.get("/jobs?limit=100").expect(200).json();
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 9);
    assert_eq!(client.status(&slow)["status"], "dismissed");

    // What is removed stays removed, after another loss too.
    client.delete(&format!("/jobs/{hello}")).expect(200);
    server.kill();
    std::fs::remove_dir_all(server.data()).unwrap();
    server.start();
    client.get(&format!("/jobs/{hello}")).expect(404);
    client.get(&format!("/jobs/{flood}")).expect(200);
}

/// A package of one of their images, whose command is known: then an agent stands in front of it.
fn wrapped(id: &str, line: &str) -> Package {
    Package::new(id, json!(["/bin/sh", "-c", line]))
        .in_image(bed::TOOLS)
        .unit("contract", json!("pygeoapi"))
        .unit("kubernetes", json!({"security": "baseline"}))
        .member("validation", json!("lenient"))
}

#[test]
fn images_with_an_agent_in_front_give_the_same() {
    let _turn = bed::turn();
    let json = json!({"schema": {"type": "object", "contentMediaType": "application/json"}});
    // A hundred megabytes take a minute in a build that is not optimised.
    let megabytes =
        std::env::var("RUTTER_TEST_RESULT_MB").ok().and_then(|text| text.parse().ok()).unwrap_or(16);
    let bytes: usize = megabytes * 1_000_000;
    let large = format!(
        "echo PYGEOAPI_K8S_MANAGER_RESULT_START; printf '{{\"x\": \"'; head -c {bytes} /dev/zero | tr '\\0' y; echo '\"}}'"
    );
    let packages = [
        wrapped("criteria", CRITERIA).output("logs", json.clone()),
        wrapped("flood", &FLOOD.replace("cat /inputs/run.def", "printf 'a,b\\n 1,2\\n'"))
            .unit("env", json!([{"name": "PROCESS_INPUTS_RUN", "value": "1"}]))
            .output("table", json!({"schema": {"type": "string", "contentMediaType": "text/csv"}})),
        wrapped("ingest", INGEST).output("logs", json.clone()),
        wrapped("large", &large).output("logs", json),
        wrapped(
            "home",
            "case \"$HOME\" in /rutter*) exit 5;; esac; echo $PYGEOAPI_PROCESS_ID $PYGEOAPI_JOB_ID",
        )
        .output("logs", json!({"schema": {"type": "string"}})),
    ];
    let server = bed::server_of_images(&packages, "").start();
    let client = server.client();
    let (criteria, _) = finished(&client, "criteria", &json!({}));
    let value: Value = serde_json::from_str(&result(&client, &criteria)).unwrap();
    assert_eq!(value, json!({"id": "criteria", "value": {"inputs": {}}}));
    let env = job_of(&criteria)["spec"]["template"]["spec"]["containers"][0]["env"].to_string();
    assert!(!env.contains("PYGEOAPI_K8S_MANAGER_INPUTS"), "the agent tells it: {env}");
    let (flood, _) = finished(&client, "flood", &json!({}));
    let answer = client.get(&format!("/jobs/{flood}/results")).expect(200);
    assert_eq!(answer.text(), "a,b\n 1,2\n");
    assert!(answer.header("content-type").unwrap().starts_with("text/csv"));
    let (ingest, _) = finished(&client, "ingest", &json!({}));
    assert_eq!(client.get(&format!("/jobs/{ingest}/results/logs")).expect(200).text(), "ingested\n");
    let (home, _) = finished(&client, "home", &json!({}));
    assert_eq!(
        client.get(&format!("/jobs/{home}/results/logs")).expect(200).text(),
        format!("home {home}\n")
    );
    let (large, _) = finished(&client, "large", &json!({}));
    assert_eq!(result(&client, &large).len(), bytes + "{\"x\": \"\"}".len());
}
