//! What a team with EOX's manager has: its configuration file, a volume with notebooks, an image with papermill. The file is that of
//! the worked example, with an image made here and without the graphics processor that this cluster has not.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::PathBuf,
    process::Command,
    sync::LazyLock,
};

use rutter_e2e::{Client, Server, wait_until};
use serde_json::{Value, json};

use crate::{bed, python};

const URL: &str = "http://127.0.0.1:18081";
const IMAGE: &str = "localhost/papermill:1";
/// The user and the group of all notebooks.
const JOVYAN: (u32, u32) = (1000, 100);

/// Does what the caller says, and keeps what it was told. `keep` is what scrapbook's `glue` puts into a notebook.
const CELLS: [(&str, &str); 4] = [
    ("parameters", "a = 0\nb = ''"),
    (
        "",
        "import os, pathlib, time\nfrom IPython.display import display\n\
         def keep(name, data):\n    \
             scrap = {'application/scrapbook.scrap.json+json': {'name': name, 'data': data, 'encoder': 'json', 'version': 1}}\n    \
             display(scrap, metadata={'scrapbook': {'name': name, 'data': True, 'display': False}}, raw=True)",
    ),
    (
        "",
        "keep('told', {'a': a, 'b': b, 'as': [os.getuid(), os.getgid()], 'in': os.getcwd(), 'job': os.environ['JOB_NAME'],\n    \
             'secrets': [pathlib.Path('/secret/db/password').read_text(), os.environ['REDIS_PASSWORD']]})\n\
         if b == 'fail': 1/0\nif b == 'wait': time.sleep(600)",
    ),
    (
        "",
        "if b == 'file':\n    pathlib.Path('depth.csv').write_text('x,y\\n1,2\\n')\n    keep('result-file', 'dir/depth.csv')",
    ),
];

fn file() -> String {
    format!(
        "\
server:
  bind: {{host: 0.0.0.0, port: 5000}}
  url: {URL}
  language: en-US
  manager: {{name: pygeoapi_kubernetes_papermill.KubernetesManager, log_query_endpoint: \"\"}}
logging: {{level: INFO}}
metadata: {{identification: {{title: Notebooks}}}}
resources:
  execute-notebook:
    type: process
    processor:
      name: pygeoapi_kubernetes_papermill.PapermillNotebookKubernetesProcessor
      default_image: {IMAGE}
      allowed_images_regex: \"\"
      image_pull_secret: \"\"
      s3:
      home_volume_claim_name: user-foo
      extra_pvcs: []
      output_directory: /home/jovyan/job-output
      secrets: [{{name: db, access: mount}}, {{name: redis, access: env}}]
      log_output: true
      node_purpose_label_key: hub.eox.at/node-purpose
      default_node_purpose: c1
      allowed_node_purposes_regex: c1|gpu
      tolerations: []
      job_service_account: \"\"
      run_as_user: {user}
      run_as_group: {group}
      conda_store_groups: []
      extra_resource_limits: {{}}
  execute-image:
    type: process
    processor:
      name: pygeoapi_kubernetes_papermill.ContainerImageKubernetesProcessor
      default_image: {IMAGE}
      command: 'test \"$LEVEL\" = 3 && echo \"$NAME is $MODE\" | tee /output-byoa/said.txt'
      parameters_env: {{MODE: fast, LEVEL: 3}}
      version: 1.0
      inputs: []
",
        user = JOVYAN.0,
        group = JOVYAN.1,
    )
}

/// The home of the team on this machine; the cluster has the image, the volume, the Secrets and the label that the file names.
static HOME: LazyLock<PathBuf> = LazyLock::new(|| {
    let cluster = bed::cluster();
    cluster.import(&python::image(IMAGE)).unwrap();
    let home = cluster.folder().join("jovyan");
    fs::create_dir_all(home.join("dir")).unwrap();
    fs::write(home.join("dir/a.ipynb"), notebook().to_string()).unwrap();
    for path in [home.clone(), home.join("dir")] {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o775)).unwrap();
        chown(&path, Some(JOVYAN.0), Some(JOVYAN.1)).unwrap();
    }
    let capacity = json!({"storage": "1Gi"});
    let claim = json!({"accessModes": ["ReadWriteMany"], "storageClassName": "", "volumeName": "user-foo",
        "resources": {"requests": capacity}});
    let secret = |name: &str, key: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {key: name}});
    let items = json!([
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "user-foo"}, "spec": {
            "capacity": capacity, "accessModes": ["ReadWriteMany"], "storageClassName": "", "hostPath": {"path": home}}},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "user-foo"}, "spec": claim},
        secret("db", "password"),
        secret("redis", "REDIS_PASSWORD"),
    ]);
    cluster.apply(&json!({"apiVersion": "v1", "kind": "List", "items": items})).unwrap();
    cluster.kubectl(["label", "nodes", "--all", "hub.eox.at/node-purpose=c1"]).unwrap();
    home
});

fn notebook() -> Value {
    let cell = |(tag, source): (&str, &str)| {
        let tags: Vec<&str> = Some(tag).filter(|tag| !tag.is_empty()).into_iter().collect();
        json!({"cell_type": "code", "source": source, "metadata": {"tags": tags}, "outputs": [], "execution_count": null})
    };
    json!({
        "cells": CELLS.map(cell), "nbformat": 4, "nbformat_minor": 4,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    })
}

fn server(folder: &tempfile::TempDir) -> Server {
    let path = folder.path().join("local.config.yml");
    fs::write(&path, file()).unwrap();
    bed::server_of_images(&[], "")
        .variable("PYGEOAPI_CONFIG", path.to_str().unwrap())
        .variable("PYGEOAPI_K8S_MANAGER_JOB_NAME_PREFIX", "notebooks-")
        .listen("127.0.0.1:18081")
        .start()
}

/// As their clients ask: at their address, and with no word of how to be answered.
fn asked(client: &Client, b: &str, further: &Value) -> String {
    let mut body = json!({"inputs": {"notebook": "dir/a.ipynb", "parameters_json": {"a": 1, "b": b}, "cpu_limit": "1",
        "mem_requests": "64Mi", "node_purpose": "c1", "kernel": "python3"}});
    body.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    let answer =
        client.send(client.request("POST", "/processes/execute-notebook/jobs").json(&body)).expect(201);
    answer.header("location").unwrap().to_owned()
}

/// The pod of a job.
fn pod_of(job: &str) -> Option<Value> {
    let id = job.rsplit('/').next().unwrap();
    let pods = bed::get(&["pods"]);
    let is_its = |pod: &&Value| pod["metadata"]["name"].as_str().unwrap().contains(id);
    pods["items"].as_array().unwrap().iter().find(is_its).cloned()
}

#[test]
fn their_file_and_their_notebooks_run_unchanged() {
    let _turn = bed::turn();
    let home = &*HOME;
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder);
    let client = server.client();

    // The client names the job; what the notebook keeps first is the answer, whole and alone.
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let job = asked(&client, "x", &json!({"job_id": id}));
    assert!(job.ends_with(id), "{job}");
    let status = client.finish(&job);
    assert_eq!(status["status"], "successful", "{status}");
    let told = client.get(&format!("{job}/results")).expect(200).json();
    let pod = pod_of(&job).unwrap();
    let of_job = pod["metadata"]["labels"]["batch.kubernetes.io/job-name"].clone();
    assert_eq!(
        told,
        json!({"a": 1, "b": "x", "as": [JOVYAN.0, JOVYAN.1], "in": "/home/jovyan/dir", "job": of_job, "secrets": ["db", "redis"]})
    );
    let container = &pod["spec"]["containers"][0];
    assert_eq!(container["name"], "notebook");
    assert_eq!(
        (&container["resources"]["limits"]["cpu"], &container["resources"]["requests"]["memory"]),
        (&json!("1"), &json!("64Mi"))
    );
    assert!(!pod.to_string().contains("parameters_json"), "no input stands in the pod");
    let executed = client.get(&format!("{job}/results/notebook")).expect(200).json();
    assert_eq!(executed["cells"].as_array().unwrap().len(), CELLS.len() + 1, "with the parameters");
    let scraps = client.get(&format!("{job}/results?outputs=scraps")).expect(200).json();
    assert_eq!(scraps["told"], told);

    // The result lies where it lay, and is the user's.
    let found = Command::new("find")
        .arg(home.join("job-output"))
        .args(["-uid", "1000", "-name", "a_result_*.ipynb"])
        .output();
    let found = String::from_utf8(found.unwrap().stdout).unwrap();
    assert!(found.trim_end().ends_with(&format!("_{id}.ipynb")), "{found}");

    let file = asked(&client, "file", &json!({}));
    assert_eq!(client.finish(&file)["status"], "successful");
    let answer = client.get(&format!("{file}/results")).expect(200);
    assert_eq!(answer.text(), "x,y\n1,2\n");
    assert!(answer.header("content-type").unwrap().starts_with("text/csv"));

    // What the cell raised is the reason, and the notebook shows how far it came.
    let failed = client.finish(&asked(&client, "fail", &json!({})));
    assert_eq!(failed["exception"]["detail"], "ZeroDivisionError: division by zero", "{failed}");
    let links = failed["links"].as_array().unwrap().iter().map(|link| link["href"].as_str().unwrap());
    let left: Vec<&str> = links.filter(|href| href.ends_with("/results/notebook")).collect();
    assert!(client.get(left[0]).expect(200).text().contains("ZeroDivisionError"));
    let refused = client.get(&format!("/jobs/{}/results", failed["jobID"].as_str().unwrap()));
    assert_eq!((refused.status, refused.json()["detail"].as_str()), (500, failed["message"].as_str()));

    // Progress by cell, and dismissal.
    let waiting = asked(&client, "wait", &json!({}));
    wait_until("it is told how far it is", || {
        let status = client.status(&waiting);
        status["progress"].as_u64() >= Some(40)
            && status["message"].as_str().is_some_and(|text| text.starts_with("cell "))
    });
    client.delete(&waiting).expect(200);
    assert_eq!(client.status(&waiting)["status"], "dismissed");
    wait_until("its pod has gone", || pod_of(&waiting).is_none_or(|pod| pod["status"]["phase"] != "Running"));
    let other = json!({"inputs": {"notebook": "dir/a.ipynb", "node_purpose": "other"}});
    assert_eq!(client.execute("execute-notebook", &other).status, 400);
}

#[test]
fn their_images_with_a_line_for_a_shell_run_too() {
    let _turn = bed::turn();
    LazyLock::force(&HOME);
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder);
    let client = server.client();
    let inputs = json!({"parameters_env": {"NAME": "$(id) \"x\"", "MODE": "slow"}, "mem_limit": "256Mi"});
    let job = client.submit("execute-image", &inputs);
    let status = client.finish(&job);
    assert_eq!(status["status"], "successful", "{status}");
    let log = client.get(&format!("{job}/logs")).expect(200).text();
    assert!(log.contains("$(id) \"x\" is fast"), "the file's own MODE counts: {log}");
    let files = client.get(&format!("{job}/results")).expect(200);
    assert_eq!(files.header("content-type"), Some("application/zip"));
    assert!(files.text().contains("said.txt"));
}
