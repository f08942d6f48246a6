//! Jobs that 52North's and EOX's servers left behind: shown, taken over, followed to their end. With exactly the Role of the
//! published manifests, and without a volume.

use std::{process::Output, time::Duration};

use rutter_e2e::{Client, Server, ServerBuilder, wait_until};
use serde_json::{Value, json};

use crate::{bed, objects::name_of, theirs};

const FINALIZER: &str = "pygeoapi.io/finalizer-log-retrieval";
/// Prints a result as images of 52North's do.
const MARKED: &str = "echo before; echo 'INFO - PYGEOAPI_K8S_MANAGER_RESULT_MIMETYPE:application/json'; \
    echo 'INFO - PYGEOAPI_K8S_MANAGER_RESULT_START'; echo '{\"id\":\"route-tool\",\"value\":\"s3://b/x\"}'";
const STARTED: &str = "2026-11-25T10:00:00.250000Z";

/// Jobs of one former installation: ids as Python's `uuid1` makes them.
struct Former {
    prefix: String,
    number: u32,
}

impl Former {
    fn id(&self, job: u32) -> String {
        format!("9975{job:04x}-31af-11f0-80bd-0255ac1{:05x}", self.number)
    }

    fn name(&self, job: u32) -> String {
        format!("{}{}", self.prefix, self.id(job))
    }

    /// As 52North makes them.
    fn north(&self, job: u32, process: &str, line: &str) -> Value {
        let container = if process == "hello-world-k8s" { process } else { "generic-image-processor" };
        let inputs = r#"{"start": "Kiel", "nested": {"api_key": "s3cr3t"}, "token": "t0k"}"#;
        json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": self.name(job), "annotations": {
                "pygeoapi.io/identifier": self.id(job), "pygeoapi.io/process_id": process,
                "pygeoapi.io/started": STARTED, "pygeoapi.io/updated": STARTED,
                "pygeoapi.io/mimetype": "application/json", "pygeoapi.io/job-name": self.name(job),
                "pygeoapi.io/parameters": inputs,
            }},
            "spec": {"backoffLimit": 0, "ttlSecondsAfterFinished": 8_640_000, "template": {
                "metadata": {"finalizers": [FINALIZER]},
                "spec": {"restartPolicy": "Never", "shareProcessNamespace": true, "enableServiceLinks": false,
                    "containers": [{"name": container, "image": bed::TOOLS, "command": ["/bin/sh", "-c", line]}]},
            }},
        })
    }

    /// As EOX makes them.
    fn eox(&self, job: u32, line: &str) -> Value {
        let mut made = self.north(job, "execute-notebook", line);
        let id = self.id(job);
        made["metadata"]["annotations"] = json!({
            "pygeoapi.io/identifier": id, "pygeoapi.io/process_id": "execute-notebook",
            "pygeoapi.io/job_start_datetime": STARTED, "pygeoapi.io/result-notebook": "/home/jovyan/x.ipynb",
            "pygeoapi.io/parameters": r#"{"notebook": "a.ipynb"}"#,
        });
        made["spec"]["template"]["metadata"] = json!({});
        made["spec"]["template"]["spec"]["containers"][0]["name"] = json!("notebook");
        made
    }

    fn server(&self, folder: &std::path::Path, further: &str) -> ServerBuilder {
        theirs::server(folder, further).variable("PYGEOAPI_K8S_MANAGER_JOB_NAME_PREFIX", &self.prefix)
    }

    /// The Job as it is; `None` = it is gone.
    fn job(&self, job: u32) -> Option<Value> {
        let all = bed::get(&["jobs"]);
        let wanted = self.name(job);
        all["items"].as_array().unwrap().iter().find(|it| name_of(it) == wanted).cloned()
    }

    fn pods(&self, job: u32) -> Vec<Value> {
        let all = bed::get(&["pods"]);
        let wanted = self.name(job);
        let pods = all["items"].as_array().unwrap().iter();
        pods.filter(|pod| name_of(pod).starts_with(&wanted)).cloned().collect()
    }

    fn wait_for_end(&self, job: u32) {
        wait_until("a former Job has ended", || {
            self.job(job).is_some_and(|job| {
                let conditions = job["status"]["conditions"].as_array().cloned().unwrap_or_default();
                conditions.iter().any(|it| it["type"] == "Complete" || it["type"] == "Failed")
            })
        });
    }

    fn wait_for_start(&self, job: u32) {
        wait_until("a former Job runs", || {
            self.pods(job).iter().any(|pod| pod["status"]["phase"] == "Running")
        });
    }

    /// Take the pod of a Job away, as somebody did who tidied up.
    fn remove_pod(&self, job: u32) {
        for pod in self.pods(job) {
            let name = name_of(&pod);
            let patch = r#"{"metadata": {"finalizers": null}}"#;
            bed::cluster().kubectl(["patch", "pod", &name, "--type=merge", "--patch", patch]).unwrap();
            bed::cluster().kubectl(["delete", "pod", &name, "--now", "--ignore-not-found"]).unwrap();
        }
        wait_until("its pod is gone", || self.pods(job).is_empty());
    }

    fn is_held(&self, job: u32) -> bool {
        self.pods(job).iter().any(|pod| pod["metadata"]["finalizers"].to_string().contains(FINALIZER))
    }
}

fn apply(objects: &[Value]) {
    bed::cluster().apply(&json!({"apiVersion": "v1", "kind": "List", "items": objects})).unwrap();
}

fn text(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// The line about a Job.
fn line<'a>(table: &'a str, id: &str) -> &'a str {
    table.lines().find(|line| line.contains(id)).unwrap_or_else(|| panic!("nothing of {id} in:\n{table}"))
}

fn log(client: &Client, id: &str) -> String {
    client.get(&format!("/jobs/{id}/logs")).expect(200).text()
}

/// Uids and versions of everything that is the former system's.
fn versions(former: &Former) -> Vec<(String, String)> {
    let all = [bed::get(&["jobs"]), bed::get(&["pods"])];
    let items = all.iter().flat_map(|list| list["items"].as_array().unwrap());
    let ours = items.filter(|item| name_of(item).starts_with(&former.prefix));
    let version = |item: &Value| (name_of(item), item["metadata"]["resourceVersion"].to_string());
    let mut versions: Vec<_> = ours.map(version).collect();
    versions.sort();
    versions
}

#[test]
fn jobs_of_the_former_servers_are_taken_over_when_the_operator_asks() {
    let _turn = bed::turn();
    let former = Former { prefix: "models-job-".into(), number: 1 };
    let (marked, kept, failed, hello, hangs, notebook) = (1, 2, 3, 4, 5, 6);
    let (running, to_dismiss, running_notebook, unknown, orphan) = (11, 12, 13, 14, 15);
    let mut with_result = former.north(kept, "route-tool", "echo nothing that counts");
    with_result["metadata"]["annotations"]["pygeoapi.io/result-mimetype"] = json!("application/json");
    with_result["metadata"]["annotations"]["pygeoapi.io/result-value"] =
        json!(r#"{"id": "route-tool","value": [1]}"#);
    apply(&[
        former.north(marked, "route-tool", MARKED),
        with_result,
        former.north(failed, "route-tool", "echo went wrong; exit 3"),
        former.north(hello, "hello-world-k8s", "echo -n Hello \\'Ada\\'!"),
        former.north(hangs, "route-tool", MARKED),
        former.eox(notebook, "echo cell 1"),
        former.north(orphan, "route-tool", "echo the last of it"),
    ]);
    let ended = [marked, kept, failed, hello, hangs, notebook, orphan];
    ended.iter().for_each(|job| former.wait_for_end(*job));
    former.remove_pod(kept);
    // Deleted while nobody serves the finalizer: one with its Job, one after it.
    let cluster = bed::cluster();
    cluster.kubectl(["delete", "job", &former.name(hangs), "--cascade=foreground", "--wait=false"]).unwrap();
    cluster.kubectl(["delete", "job", &former.name(orphan), "--cascade=background", "--wait=false"]).unwrap();
    wait_until("both pods hang", || {
        [hangs, orphan]
            .iter()
            .all(|job| former.pods(*job).iter().all(|pod| pod["metadata"]["deletionTimestamp"].is_string()))
    });
    apply(&[
        former.north(running, "route-tool", &format!("echo began; sleep 25; {MARKED}")),
        former.north(to_dismiss, "route-tool", "sleep 600"),
        former.eox(running_notebook, "echo cell 1; sleep 20; echo cell 2"),
        former.north(unknown, "no such process", MARKED),
    ]);
    // A Job that a CronJob made, and one of nobody.
    let mut foreign = former.north(21, "x", "true");
    foreign["metadata"]["annotations"] = json!({});
    let mut odd = former.north(22, "x", "true");
    odd["metadata"]["annotations"]["pygeoapi.io/identifier"] = json!("other");
    apply(&[foreign, odd]);
    [running, to_dismiss, running_notebook].iter().for_each(|job| former.wait_for_start(*job));
    [unknown, 21, 22].iter().for_each(|job| former.wait_for_end(*job));

    let folder = tempfile::tempdir().unwrap();
    let mut server = former.server(folder.path(), "").expect_warning("by the caller").start();
    let client = theirs::client();

    // Side by side: nothing is touched, nothing shown.
    let before = versions(&former);
    let own = client.submit("hello", &json!({"name": "Ada"}));
    assert_eq!(client.finish(&own)["status"], "successful");
    assert_eq!(client.get("/jobs").json()["jobs"].as_array().unwrap().len(), 1);
    client.get(&format!("/jobs/{}", former.id(marked))).expect(404);
    let table = text(&server.also(&["adopt", "--dry-run"]));
    assert_eq!(versions(&former), before, "{table}");
    for (job, process, what) in [
        (marked, "route", "successful  imported with its result from its log"),
        (kept, "route", "successful  imported with the result that is kept on it"),
        (failed, "route", "failed      imported with its log"),
        (hello, "hello", "successful  imported with its result from its log"),
        (hangs, "route", "its pod is let go"),
        (notebook, "execute-notebook", "successful  imported with its log"),
        (running, "route", "not ended   followed to its end, with log and result"),
        (running_notebook, "execute-notebook", "its notebook stays on its volume"),
        (unknown, "no-such-process", "successful"),
    ] {
        let line = line(&table, &former.id(job));
        assert!(line.contains(&format!("  {process} ")) && line.contains(what), "{line}\n{table}");
    }
    assert!(line(&table, &former.name(21)).contains("has no annotation"), "{table}");
    assert!(line(&table, &former.name(22)).contains("has another id"), "{table}");
    assert!(line(&table, &former.name(orphan)).contains("its Job is gone"), "{table}");
    assert!(table.contains("can't be seen from here") && table.contains("dry run"), "{table}");

    // The server runs, and takes up what is given to it.
    let table = text(&server.also(&["adopt", "--yes"]));
    assert!(table.contains("10 Jobs were given to"), "{table}");
    let check = |client: &Client| {
        let status = |job: u32| client.finish(&format!("/jobs/{}", former.id(job)));
        for job in [marked, hangs] {
            let found = status(job);
            assert_eq!(
                (found["status"].as_str(), found["processID"].as_str()),
                (Some("successful"), Some("route")),
                "{found}"
            );
            assert_eq!(found["created"], "2026-11-25T10:00:00.25Z", "{found}");
            assert_eq!(found["started"], "2026-11-25T10:00:00.25Z", "{found}");
            let value: Value = serde_json::from_str(&theirs::result(client, &former.id(job))).unwrap();
            assert_eq!(value, json!({"id": "route-tool", "value": "s3://b/x"}));
        }
        let value: Value = serde_json::from_str(&theirs::result(client, &former.id(kept))).unwrap();
        assert_eq!(value, json!({"id": "route-tool", "value": [1]}));
        let found = status(failed);
        assert_eq!(found["status"], "failed", "{found}");
        assert!(found["message"].as_str().unwrap().contains("exit code 3"), "{found}");
        assert!(!found.to_string().contains("s3cr3t") && !found.to_string().contains("t0k"), "{found}");
        assert!(found["parameters"].as_str().unwrap().contains("Kiel"), "{found}");
        assert_eq!(status(hello)["processID"], "hello");
        assert!(theirs::result(client, &former.id(hello)).contains("Hello 'Ada'!"));
        let found = status(notebook);
        assert_eq!(
            (found["status"].as_str(), found["processID"].as_str()),
            (Some("successful"), Some("execute-notebook"))
        );
        assert_eq!(status(unknown)["processID"], "no-such-process");
        assert!(theirs::result(client, &former.id(unknown)).contains("s3://b/x"));
        let found = status(running);
        assert_eq!(found["status"], "successful", "{found}");
        assert!(theirs::result(client, &former.id(running)).contains("s3://b/x"));
        assert_eq!(status(running_notebook)["status"], "successful");
        assert_eq!(status(to_dismiss)["status"], "dismissed");
    };
    // What runs is followed while it runs, and dismissed as any job is.
    let path = format!("/jobs/{}", former.id(running));
    wait_until("its log comes", || {
        let answer = client.get(&format!("{path}/logs"));
        answer.status == 200 && answer.text().contains("began")
    });
    assert_eq!(client.status(&path)["status"], "running");
    let dismissed = format!("/jobs/{}", former.id(to_dismiss));
    client.wait_for(&dismissed, &["running"]);
    client.delete(&dismissed).expect(200);
    wait_until("its pod is gone or has ended", || {
        former.pods(to_dismiss).iter().all(|pod| pod["status"]["phase"] != "Running")
    });
    check(&client);
    assert!(log(&client, &former.id(marked)).contains("before"));
    assert!(log(&client, &former.id(failed)).contains("went wrong"));
    assert!(log(&client, &former.id(hangs)).contains("before"), "read before its pod was let go");
    assert!(log(&client, &former.id(running)).contains("began"));
    assert!(log(&client, &former.id(running_notebook)).contains("cell 2"));
    // Nothing hangs any more, and what is nobody's is as it was.
    wait_until("finalizers are off", || {
        [marked, failed, hello, hangs, running, to_dismiss, orphan].iter().all(|job| !former.is_held(*job))
    });
    wait_until("what was to be deleted is gone", || {
        former.job(hangs).is_none() && former.pods(orphan).is_empty()
    });
    let kept_log = std::fs::read_dir(server.data().join("adopted")).unwrap().count();
    assert_eq!(kept_log, 1);
    let after = versions(&former);
    for (name, version) in
        before.iter().filter(|(name, _)| name.contains(&former.id(21)) || name.contains(&former.id(22)))
    {
        assert!(after.contains(&(name.clone(), version.clone())), "{name} was touched");
    }

    // Once more changes nothing.
    let quiet = versions(&former);
    let table = text(&server.also(&["adopt", "--yes"]));
    assert!(table.contains("There is no Job to adopt") && table.contains("0 Jobs were given"), "{table}");
    assert!(line(&table, &former.name(marked)).contains("is adopted already"), "{table}");
    assert_eq!(versions(&former), quiet);
    assert_eq!(client.get("/jobs?limit=100").json()["jobs"].as_array().unwrap().len(), 11);

    // The server's pod is deleted with all that it had; but one Job is gone from the cluster by its deletion.
    server.kill();
    std::fs::remove_dir_all(server.data()).unwrap();
    server.start();
    assert_eq!(client.get("/jobs?limit=100").json()["jobs"].as_array().unwrap().len(), 10);
    client.get(&format!("/jobs/{}", former.id(hangs))).expect(404);
    assert!(theirs::result(&client, &former.id(marked)).contains("s3://b/x"));
    assert_eq!(client.status(&dismissed)["status"], "dismissed");
    // Removed is removed, there too.
    client.delete(&format!("/jobs/{}", former.id(marked))).expect(200);
    wait_until("its Job is gone", || former.job(marked).is_none());
    client.get(&format!("/jobs/{}", former.id(marked))).expect(410);
}

#[test]
fn a_server_that_is_killed_again_and_again_loses_nothing_and_does_nothing_twice() {
    let _turn = bed::turn();
    let former = Former { prefix: "crash-job-".into(), number: 2 };
    let jobs: Vec<u32> = (1..=6).collect();
    let mut made: Vec<Value> = jobs.iter().map(|job| former.north(*job, "route-tool", MARKED)).collect();
    made.push(former.north(9, "route-tool", &format!("echo began; sleep 30; {MARKED}")));
    apply(&made);
    jobs.iter().for_each(|job| former.wait_for_end(*job));
    former.wait_for_start(9);
    let folder = tempfile::tempdir().unwrap();
    let mut server = former.server(folder.path(), "  adopt: true").start();
    for round in 0..8 {
        std::thread::sleep(Duration::from_millis(40 * round * round));
        server.kill();
        std::fs::remove_dir_all(server.data()).unwrap();
        server.start();
    }
    let client = theirs::client();
    for job in jobs.iter().chain([&9]) {
        let path = format!("/jobs/{}", former.id(*job));
        wait_until("it is shown", || client.get(&path).status == 200);
        let status = client.finish(&path);
        assert_eq!(status["status"], "successful", "{status}");
        assert!(status.get("attempts").is_none(), "once: {status}");
        let value: Value = serde_json::from_str(&theirs::result(&client, &former.id(*job))).unwrap();
        assert_eq!(value, json!({"id": "route-tool", "value": "s3://b/x"}));
        wait_until("its pod is let go", || !former.is_held(*job));
    }
    assert_eq!(client.get("/jobs?limit=100").json()["jobs"].as_array().unwrap().len(), 7);
}

/// What 52North's server does with the namespace: it lists all Jobs with its prefix, and fails when one lacks its annotations.
#[test]
fn both_systems_work_side_by_side() {
    let _turn = bed::turn();
    let former = Former { prefix: "side-job-".into(), number: 3 };
    apply(&[former.north(1, "route-tool", "sleep 20; exit 1")]);
    former.wait_for_start(1);
    let folder = tempfile::tempdir().unwrap();
    let server: Server = former.server(folder.path(), "").start();
    let client = theirs::client();
    let own = client.submit("hello", &json!({"name": "Ada"}));
    client.finish(&own);
    client.get(&format!("/jobs/{}", former.id(1))).expect(404);
    client.delete(&format!("/jobs/{}", former.id(1))).expect(404);
    former.wait_for_end(1);
    let theirs_now = former.job(1).unwrap();
    assert_eq!(theirs_now["metadata"]["labels"]["rutter.dev/instance"], Value::Null);
    assert!(former.is_held(1), "its log is for its own server");
    for job in bed::get(&["jobs"])["items"].as_array().unwrap() {
        let is_ours = job["metadata"]["labels"]["rutter.dev/instance"].is_string();
        let is_made_by_us = is_ours && job["metadata"]["labels"]["rutter.dev/adopted"].is_null();
        assert!(!is_made_by_us || name_of(job).starts_with("rutter-"), "{job}");
        assert!(!is_made_by_us || !job.to_string().contains("pygeoapi.io/finalizer"), "{job}");
    }
    drop(server);
}
