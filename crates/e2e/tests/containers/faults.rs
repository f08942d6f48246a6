//! What is killed, dismissed, removed or lost: nothing runs twice, nothing is stuck, no container is left.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};
use rutter_e2e::{Package, Server, shell, wait_until};
use serde_json::{Value, json};

use crate::bed::{Podman, TOOLS};

/// A program that runs until it is ended.
fn endless() -> Package {
    shell("endless", "echo started; sleep 600").in_image(TOOLS)
}

/// A job whose program has started, and the name of its container.
fn started(podman: &Podman, server: &Server, process: &str) -> (String, String) {
    let job = server.client().submit(process, &json!({}));
    let printed = || server.client().get(&format!("{job}/logs")).text().contains("started");
    wait_until("the program printed", printed);
    let id = job.rsplit('/').next().unwrap().to_owned();
    let name = podman.containers().into_iter().find(|name| name.contains(&id)).unwrap();
    (job, name)
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

fn exception(status: &Value) -> &str {
    status["exception"]["type"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default()
}

fn wait_until_none_is_left(podman: &Podman) {
    wait_until("no container is left", || podman.containers().is_empty());
}

#[test]
fn dismissal_ends_the_container_and_removes_it() {
    let podman = Podman::new();
    let deaf = shell("deaf", "trap '' TERM; echo started; while true; do sleep 1; done").in_image(TOOLS);
    let server = podman.server(&[endless(), deaf]).start();
    for process in ["endless", "deaf"] {
        let (job, _) = started(&podman, &server, process);
        server.client().delete(&job).expect(200);
        assert_eq!(server.client().status(&job)["status"], "dismissed");
        wait_until_none_is_left(&podman);
    }
}

#[test]
fn a_killed_server_finds_its_containers_again_and_what_they_did_meanwhile() {
    let podman = Podman::new();
    let line = "echo started; while [ ! -e /tmp/go ]; do sleep 0.1; done; echo after";
    let mut server = podman.server(&[shell("outlives", line).in_image(TOOLS)]).start();
    let (while_away, first) = started(&podman, &server, "outlives");
    let (afterwards, second) = started(&podman, &server, "outlives");
    server.kill();
    podman.run(&["exec", &first, "touch", "/tmp/go"]);
    server.start();
    assert_eq!(server.client().finish(&while_away)["status"], "successful");
    assert_eq!(server.client().status(&afterwards)["status"], "running");
    podman.run(&["exec", &second, "touch", "/tmp/go"]);
    for job in [while_away, afterwards] {
        assert_eq!(server.client().finish(&job)["status"], "successful");
        let log = server.client().get(&format!("{job}/logs")).text();
        assert_eq!((log.matches("started").count(), log.matches("after").count()), (1, 1), "{log}");
    }
    wait_until_none_is_left(&podman);
}

#[test]
fn the_program_ends_with_its_agent_whether_the_server_sees_it_or_not() {
    let podman = Podman::new();
    let mut server = podman.server(&[endless()]).start();
    let (job, container) = started(&podman, &server, "endless");
    kill(podman.pid(&container));
    assert_eq!(exception(&server.client().finish(&job)), "agent-lost");
    wait_until_none_is_left(&podman);
    let (job, container) = started(&podman, &server, "endless");
    server.kill();
    kill(podman.pid(&container));
    server.start();
    assert_eq!(exception(&server.client().finish(&job)), "agent-lost");
    wait_until_none_is_left(&podman);
}

#[test]
fn a_lost_agent_is_followed_by_another_where_retries_allow() {
    let podman = Podman::new();
    let server = podman.server(&[endless().config("retries", json!(1))]).start();
    let (job, first) = started(&podman, &server, "endless");
    kill(podman.pid(&first));
    let mut second = String::new();
    wait_until("another attempt runs", || {
        second = podman.containers().pop().unwrap_or_default();
        !second.is_empty() && second != first && podman.pid(&second) > 0
    });
    assert_ne!(server.client().status(&job)["status"], "failed");
    server.client().delete(&job).expect(200);
    wait_until_none_is_left(&podman);
}

#[test]
fn a_container_that_somebody_else_removes_fails_its_job_with_that_reason() {
    let podman = Podman::new();
    let mut server = podman.server(&[endless().config("retries", json!(1))]).start();
    let (seen, container) = started(&podman, &server, "endless");
    podman.run(&["rm", "--force", "--time", "0", &container]);
    assert_eq!(exception(&server.client().finish(&seen)), "removed");
    let (unseen, container) = started(&podman, &server, "endless");
    server.kill();
    podman.run(&["rm", "--force", "--time", "0", &container]);
    server.start();
    assert_eq!(exception(&server.client().finish(&unseen)), "removed");
}

#[test]
fn containers_of_lost_launches_go_at_the_next_start_and_those_of_others_stay() {
    let podman = Podman::new();
    let mut server = podman.server(&[endless()]).expect_warning("the database was lost").start();
    let (job, lost) = started(&podman, &server, "endless");
    let others = "rutter-other";
    podman.run(&[
        "create",
        "--name",
        others,
        "--label",
        "rutter.instance=other",
        "--network",
        "none",
        TOOLS,
        "true",
    ]);
    server.kill();
    fs::remove_dir_all(server.data().join("attempts")).unwrap();
    fs::remove_dir_all(server.data().join("objects/jobs")).unwrap();
    for file in ["rutter.db", "rutter.db-wal", "rutter.db-shm"] {
        let _ = fs::remove_file(server.data().join(file));
    }
    server.start();
    assert_eq!(server.client().get(&job).status, 404);
    wait_until("the lost one is removed", || !podman.containers().contains(&lost));
    assert_eq!(podman.containers(), [others]);
}
