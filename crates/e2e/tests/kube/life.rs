//! A job's life on the cluster: what stands there, dismissal, a server that is killed.

use rutter_e2e::{shell, wait_until};
use serde_json::json;

use crate::{
    bed,
    objects::{jobs_of, pods_of},
};

#[test]
fn one_job_per_execution_without_anything_of_the_callers_in_it() {
    let _turn = bed::turn();
    let package = shell("one", "test -n \"$RUTTER_INPUTS_FILE\" && echo done")
        .input("word", json!({"schema": {"type": "string"}}));
    let server = bed::server(&[package]).start();
    let job = server.client().submit("one", &json!({"word": "hunter2hunter2"}));
    let status = server.client().finish(&job);
    assert_eq!(status["status"], "successful", "{status}");
    let jobs = jobs_of(&job);
    assert_eq!(jobs.len(), 1);
    let events = bed::get(&["events"]);
    for (what, object) in [("job", json!(jobs)), ("pod", json!(pods_of(&job))), ("events", events)] {
        assert!(!object.to_string().contains("hunter2"), "{what}");
    }
    wait_until("the Job may go: its finalizer is gone", || {
        jobs_of(&job).iter().all(|job| job["metadata"]["finalizers"].is_null())
    });
}

#[test]
fn a_synchronous_answer_comes_with_the_result() {
    let _turn = bed::turn();
    let server = bed::server(&[shell("now", "echo right away")]).start();
    let answer = server.client().execute("now", &json!({"inputs": {}})).expect(200);
    assert_eq!(answer.text(), "right away\n");
}

#[test]
fn dismissal_ends_the_pod() {
    let _turn = bed::turn();
    let server = bed::server(&[shell("long", "echo started; sleep 1000")]).start();
    let job = server.client().submit("long", &json!({}));
    server.client().wait_for(&job, &["running"]);
    wait_until("the program printed", || {
        server.client().get(&format!("{job}/logs")).text().contains("started")
    });
    server.client().delete(&job).expect(200);
    assert_eq!(server.client().status(&job)["status"], "dismissed");
    wait_until("the pod is gone", || pods_of(&job).is_empty());
}

#[test]
fn a_killed_server_finds_its_jobs_again_and_what_they_did_meanwhile() {
    let _turn = bed::turn();
    let line = "echo before; sleep 4; echo after";
    let mut server = bed::server(&[shell("outlives", line)]).start();
    let jobs: Vec<String> = (0..4).map(|_| server.client().submit("outlives", &json!({}))).collect();
    for job in &jobs {
        server.client().wait_for(job, &["running"]);
    }
    server.kill();
    std::thread::sleep(std::time::Duration::from_secs(6));
    server.start();
    for job in &jobs {
        let status = server.client().finish(job);
        assert_eq!(status["status"], "successful", "{status}");
        let log = server.client().get(&format!("{job}/logs")).text();
        assert!(log.contains("before") && log.contains("after"), "{log}");
        assert_eq!(jobs_of(job).len(), 1);
    }
}

#[test]
fn what_keeps_a_job_waiting_is_said() {
    let _turn = bed::turn();
    let missing = shell("missing", "true").unit("image", json!("localhost/not-there:1"));
    let huge = shell("huge", "true").config("cpuMin", json!(1000));
    let server = bed::server(&[huge]).start();
    missing.in_image("localhost/not-there:1").write(&server.folder().join("processes"));
    wait_until("the package is read", || server.client().get("/processes/missing").status == 200);
    for (process, word) in [("huge", "processor"), ("missing", "image")] {
        let job = server.client().submit(process, &json!({}));
        wait_until("the status says what it waits for", || {
            server.client().status(&job)["message"].as_str().is_some_and(|text| text.contains(word))
        });
        server.client().delete(&job);
    }
}
