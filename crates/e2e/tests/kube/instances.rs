//! Two installations in one namespace, and one that is started for the wrong place.

use std::{fs, process::Stdio};

use rutter_e2e::{binary, shell, wait_until};
use serde_json::json;

use crate::{
    bed,
    objects::{jobs_of, pods_of},
};

#[test]
fn a_second_installation_touches_nothing_of_the_first() {
    let _turn = bed::turn();
    let package = shell("waits", "echo began; sleep 25; echo ended");
    let first = bed::server(std::slice::from_ref(&package)).start();
    let job = first.client().submit("waits", &json!({}));
    first.client().wait_for(&job, &["running"]);
    let mut second = bed::server(std::slice::from_ref(&package)).start();
    let other = second.client().submit("waits", &json!({}));
    second.client().wait_for(&other, &["running"]);
    let id = job.rsplit('/').next().unwrap();
    second.client().get(&format!("/jobs/{id}")).expect(404);
    second.client().delete(&format!("/jobs/{id}")).expect(404);
    assert_eq!(second.client().get("/jobs").json()["jobs"].as_array().unwrap().len(), 1);
    second.kill();
    second.start();
    second.client().delete(&other).expect(200);
    wait_until("the second's is gone", || pods_of(&other).is_empty() && jobs_of(&other).is_empty());
    let status = first.client().finish(&job);
    assert_eq!(status["status"], "successful", "{status}");
    assert!(status.get("attempts").is_none(), "nothing happened to it: {status}");
    assert!(first.client().get(&format!("{job}/logs")).text().contains("ended"));
}

#[test]
fn a_start_for_the_wrong_place_declares_nothing_lost() {
    let _turn = bed::turn();
    let mut server = bed::server(&[shell("waits", "echo began; sleep 12; echo ended")]).start();
    let job = server.client().submit("waits", &json!({}));
    server.client().wait_for(&job, &["running"]);
    server.kill();
    let path = server.folder().join("rutter.yaml");
    let right = fs::read_to_string(&path).unwrap();
    let namespace = format!("namespace: {}", bed::cluster().namespace());
    for wrong in [right.replace(&namespace, "namespace: default"), right.replace("/kubeconfig", "/none")] {
        assert_ne!(wrong, right);
        fs::write(&path, wrong).unwrap();
        let mut start = bed::cluster().command(binary());
        start.arg("serve").arg("--config").arg(&path).arg("--listen").arg("127.0.0.1:0");
        start.arg("--data").arg(server.data()).arg("--processes").arg(server.folder().join("processes"));
        let output = start.stdin(Stdio::null()).stdout(Stdio::null()).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        let errors = told.lines().filter(|line| line.starts_with("rutter: ")).count();
        assert_eq!(errors, 1, "one clear line: {told}");
        assert!(
            told.contains("1 unfinished jobs were launched in") || told.contains("no access to a cluster"),
            "{told}"
        );
    }
    fs::write(&path, right).unwrap();
    server.start();
    let status = server.client().finish(&job);
    assert_eq!(status["status"], "successful", "{status}");
    assert!(server.client().get(&format!("{job}/logs")).text().contains("ended"));
}
