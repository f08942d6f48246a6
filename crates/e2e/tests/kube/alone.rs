//! Images that run without an agent, because nobody could say what they run: results are what they print.

use rutter_e2e::{Client, Package, wait_until};
use rutter_testcluster::Image;
use serde_json::{Value, json};

use crate::{bed, images::USERS};

const NO_LOOK_UP: &str = "  registries: {lookUp: false}";

/// An image that runs a line of `sh` by itself.
fn image(name: &str, line: &str) -> String {
    let name = format!("localhost/alone-{name}:1");
    bed::cluster().import(&Image::busybox(&name).entrypoint(["/bin/sh", "-c", line])).unwrap();
    name
}

fn package(id: &str, line: &str) -> Package {
    Package::new(id, json!([])).in_image(&image(id, line)).without_command()
}

fn json_output(package: Package, id: &str) -> Package {
    package.output(id, json!({"schema": {"type": "object"}}))
}

const MARKED: &str = "echo words; echo '1 INFO PYGEOAPI_K8S_MANAGER_RESULT_MIMETYPE:application/json' >&2; \
    echo '1 INFO PYGEOAPI_K8S_MANAGER_RESULT_START' >&2; echo '{\"id\": \"p\",' >&2; echo ' \"value\": 1.50}' >&2";

fn finished(client: &Client, process: &str) -> (String, Value) {
    let job = client.submit(process, &json!({}));
    let status = client.finish(&job);
    (job, status)
}

fn result(client: &Client, process: &str) -> String {
    let (job, status) = finished(client, process);
    assert_eq!(status["status"], "successful", "{status}");
    client.get(&format!("{job}/results?f=json")).expect(200).text()
}

#[test]
fn results_come_from_markers_the_last_word_and_the_log() {
    let _turn = bed::turn();
    // Two streams have no order but that in which they were read: what is to count as later must be later.
    let large = format!(
        "{MARKED}; sleep 1; echo PYGEOAPI_K8S_MANAGER_RESULT_START; echo -n '{{\"x\": \"'; \
        head -c 200000 /dev/zero | tr '\\0' y; echo '\"}}'"
    );
    let packages = [
        json_output(package("marked", MARKED), "out"),
        json_output(package("large", &large), "out"),
        json_output(package("word", "echo noise; echo '{\"a\": [1]}' > /dev/termination-log"), "out"),
        package("log", "echo one; echo two >&2; sleep 1; echo three")
            .output("logs", json!({"schema": {"type": "string"}})),
        json_output(
            json_output(
                package(
                    "two",
                    "echo PYGEOAPI_K8S_MANAGER_RESULT_START; echo '{\"a\": {\"x\": 1}, \"b\": {}}'",
                ),
                "a",
            ),
            "b",
        ),
        package("nothing", "exit 0"),
    ];
    let server = bed::server_of_images(&packages, NO_LOOK_UP).start();
    let client = server.client();
    let parsed = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    assert_eq!(parsed(result(&client, "marked")), json!({"id": "p", "value": 1.5}));
    assert_eq!(parsed(result(&client, "large"))["x"].as_str().unwrap().len(), 200_000);
    assert_eq!(parsed(result(&client, "word")), json!({"a": [1]}));
    let (job, _) = finished(&client, "log");
    let log = client.get(&format!("{job}/results/logs")).expect(200).text();
    assert!(log.contains("one\n") && log.contains("two\n") && log.ends_with("three\n"), "{log}");
    assert_eq!(parsed(result(&client, "two")), json!({"a": {"value": {"x": 1}}, "b": {"value": {}}}));
    let (job, status) = finished(&client, "nothing");
    assert_eq!(status["status"], "successful", "{status}");
    let id = job.rsplit('/').next().unwrap();
    for pod in bed::get(&["pods"])["items"].as_array().unwrap() {
        if pod["metadata"]["name"].as_str().unwrap().contains(id) {
            assert_eq!(pod["spec"]["initContainers"], Value::Null);
            assert!(!pod.to_string().contains("/rutter/"), "{pod}");
        }
    }
}

#[test]
fn failures_are_told_as_those_of_any_program() {
    let _turn = bed::turn();
    let packages = [
        json_output(package("exits", "echo last words; exit 7"), "out"),
        json_output(
            package(
                "nojson",
                "echo PYGEOAPI_K8S_MANAGER_RESULT_MIMETYPE:application/json; echo PYGEOAPI_K8S_MANAGER_RESULT_START; echo no",
            ),
            "out",
        ),
        json_output(package("again", "echo attempt; exit 1"), "out").config("retries", json!(1)),
        package("slow", "echo on; exec sleep 600").config("jobTimeout", json!(5)),
    ];
    let server = bed::server_of_images(&packages, NO_LOOK_UP).start();
    let client = server.client();
    for (process, kind, attempts) in [
        ("exits", "exit-code", 1),
        ("nojson", "output-unusable", 1),
        ("again", "exit-code", 2),
        ("slow", "time-limit", 1),
    ] {
        let (job, status) = finished(&client, process);
        assert!(status["exception"]["type"].as_str().unwrap().ends_with(kind), "{process}: {status}");
        let log = client.get(&format!("{job}/logs")).text();
        assert!(process != "exits" || log.contains(" out last words"), "{log}");
        assert!(process != "again" || log.matches("attempt").count() == attempts, "{log}");
    }
}

#[test]
fn a_killed_server_misses_nothing() {
    let _turn = bed::turn();
    let line = format!("echo before; sleep 4; {MARKED}");
    let mut server =
        bed::server_of_images(&[json_output(package("outlives", &line), "out")], NO_LOOK_UP).start();
    let job = server.client().submit("outlives", &json!({}));
    wait_until("it prints", || server.client().get(&format!("{job}/logs")).text().contains("before"));
    server.kill();
    std::thread::sleep(std::time::Duration::from_secs(6));
    server.start();
    assert_eq!(server.client().finish(&job)["status"], "successful");
    let results = server.client().get(&format!("{job}/results?f=json")).expect(200).json();
    assert_eq!(results, json!({"id": "p", "value": 1.5}));
    let log = server.client().get(&format!("{job}/logs")).text();
    assert_eq!(log.matches("before").count(), 1, "{log}");
}

#[test]
fn what_nobody_could_have_is_refused_when_it_is_loaded() {
    let _turn = bed::turn();
    let tiff = json!({"schema": {"type": "string", "contentMediaType": "image/tiff"}});
    let file =
        Package::new("file", json!([])).in_image("localhost/x:1").without_command().output("depth", tiff);
    let number = json!({"schema": {"type": "number"}});
    let input =
        Package::new("input", json!([])).in_image("localhost/x:1").without_command().input("level", number);
    let server =
        bed::server_of_images(&[file, input], NO_LOOK_UP).expect_warning("write the image's program").start();
    for process in ["file", "input"] {
        assert_eq!(server.client().get(&format!("/processes/{process}")).status, 404, "{process}");
    }
    let log = server.log();
    assert!(log.contains("`depth` is a file") && log.contains("the input `level`"), "{log}");
}

/// The node has the image, or may fetch it by ways that the server does not see.
#[test]
fn a_registry_that_refuses_the_server_keeps_no_image_from_running() {
    let _turn = bed::turn();
    let registry = bed::cluster().registry(USERS).unwrap();
    let image = format!("{}/private/alone:1", registry.host());
    let line = format!("{MARKED}; true");
    bed::cluster().import(&Image::busybox(&image).entrypoint(["/bin/sh", "-c", &line])).unwrap();
    let own = json_output(Package::new("refused", json!([])).in_image(&image).without_command(), "out");
    let server = bed::server_of_images(&[own], "").expect_warning("refuses access").start();
    let found = serde_json::from_str::<Value>(&result(&server.client(), "refused")).unwrap();
    assert_eq!(found, json!({"id": "p", "value": 1.5}));
}
