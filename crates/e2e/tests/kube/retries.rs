//! Attempts: each is shown with its end and its log, and what happens to machines is none of the program's.

use std::{
    io::{Read, Write},
    net::TcpListener,
};

use rutter_e2e::{Client, Package, shell, wait_until};
use serde_json::{Value, json};

use crate::{
    bed,
    objects::{jobs_of, name_of, pods_of},
};

fn kinds(status: &Value) -> Vec<String> {
    let attempts = status["attempts"].as_array().into_iter().flatten();
    let kind = |attempt: &Value| {
        let kind = attempt["exception"]["type"].as_str().unwrap_or("none");
        kind.rsplit('/').next().unwrap_or_default().to_owned()
    };
    attempts.map(kind).collect()
}

#[test]
fn each_attempt_keeps_its_end_and_its_log() {
    let _turn = bed::turn();
    let server = bed::server(&[
        shell("fails", "echo in $HOSTNAME; exit 4").config("retries", json!(1)),
        shell("killed", "echo in $HOSTNAME; sleep 600").config("retries", json!(1)),
    ])
    .start();
    let client = server.client();
    let [fails, killed] = ["fails", "killed"].map(|id| client.submit(id, &json!({})));
    let log = |job: &str, query: &str| client.get(&format!("{job}/logs?{query}")).expect(200).text();
    wait_until("it runs", || log(&killed, "f=text").contains("in "));
    bed::cluster().kill_container(&name_of(&pods_of(&killed)[0]), "main").unwrap();
    let status = client.finish(&fails);
    assert_eq!(kinds(&status), ["exit-code", "exit-code"], "{status}");
    let logs = [1, 2].map(|attempt| log(&fails, &format!("attempt={attempt}")));
    assert_eq!(logs.concat(), log(&fails, "f=text"), "one after the other they are the whole");
    assert!(logs.iter().all(|log| log.contains("in rutter-")) && logs[0] != logs[1], "{logs:?}");
    let exit = status.pointer("/attempts/0/exception/exitCode");
    assert_eq!(exit, Some(&json!(4)), "{status}");
    wait_until("its second attempt runs", || kinds(&client.status(&killed)) == ["agent-lost", "none"]);
    client.delete(&killed).expect(200);
}

/// Its machine is needed for something else, twice: `retries: 0` is not used up by that, and the Job keeps count. (The cluster
/// waits longer before each further attempt; that five times are enough is tested without a cluster.)
#[test]
fn evictions_are_no_failures_and_are_counted() {
    let _turn = bed::turn();
    let server = bed::server(&[shell("moved", "echo in $HOSTNAME; sleep 600")]).start();
    let client = server.client();
    let job = client.submit("moved", &json!({}));
    let mut seen: Vec<String> = Vec::new();
    for attempt in 1..=3 {
        let mut pod = None;
        wait_until("the next attempt runs", || {
            let log = client.get(&format!("{job}/logs")).text();
            let pods = pods_of(&job).iter().map(name_of).collect::<Vec<_>>();
            pod = pods.into_iter().find(|name| log.contains(name.as_str()) && !seen.contains(name));
            pod.is_some()
        });
        assert_eq!(client.status(&job)["status"], "running", "attempt {attempt}");
        seen.extend(pod);
        if attempt < 3 {
            bed::cluster().evict(&seen[attempt - 1]).unwrap();
        }
    }
    let status = client.status(&job);
    assert_eq!(kinds(&status), ["disrupted", "disrupted", "none"], "{status}");
    let log = client.get(&format!("{job}/logs")).text();
    assert!(seen.iter().all(|pod| log.contains(pod)), "{log}");
    wait_until("it is counted on the Job", || {
        let noted = jobs_of(&job)[0]["metadata"]["annotations"]["rutter.dev/disrupted"].clone();
        noted.as_str().is_some_and(|uids| uids.split(',').count() == 2)
    });
    client.delete(&job).expect(200);
    wait_until("nothing of it runs", || pods_of(&job).is_empty());
}

/// A reference is fetched in the pod, and what it gives breaks the process description: it would in every attempt.
#[test]
fn a_bad_input_is_not_tried_again() {
    let _turn = bed::turn();
    let address = bed::cluster().address();
    let listener = TcpListener::bind((address, 0)).unwrap();
    let url = format!("http://{}/n.json", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let head =
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close";
            let _ = stream.write_all(format!("{head}\r\n\r\n11").as_bytes());
        }
    });
    let number = json!({"schema": {"type": "number", "maximum": 10}});
    let strict = shell("strict", "echo ran").input("number", number).config("retries", json!(3));
    let server = bed::with(&[strict], &format!("references: {{allow: [{address}]}}")).start();
    let client = server.client();
    let job = client.submit("strict", &json!({"number": {"href": url}}));
    let status = client.finish(&job);
    assert_eq!(status["status"], "failed", "{status}");
    let told = status["exception"]["type"].as_str().unwrap();
    assert!(
        told.ends_with("InvalidParameterValue") && status.to_string().contains("/inputs/number"),
        "{status}"
    );
    assert!(status.get("attempts").is_none(), "one attempt: {status}");
    wait_until("its Job failed", || {
        let jobs = jobs_of(&job);
        let conditions =
            jobs.iter().flat_map(|job| job["status"]["conditions"].as_array().into_iter().flatten());
        jobs.is_empty() || conditions.into_iter().any(|it| it["reason"] == "PodFailurePolicy")
    });
    assert!(pods_of(&job).len() <= 1);
    assert!(!client.get(&format!("{job}/logs")).text().contains("ran"));
}

/// Published, and its pod does not exit: something else in it goes on.
fn lingers() -> Package {
    let side = json!({"name": "side", "image": bed::TOOLS, "command": ["sleep", "600"]});
    let kubernetes = json!({"podTemplate": {"spec": {"containers": [{"name": "main"}, side]}}});
    shell("lingers", "echo made in $HOSTNAME").unit("kubernetes", kubernetes).config("retries", json!(3))
}

fn result(client: &Client, job: &str) -> String {
    client.get(&format!("{job}/results/out")).expect(200).text()
}

/// The cluster would start the whole model again.
#[test]
fn what_is_published_stays_so_whatever_becomes_of_its_pod() {
    let _turn = bed::turn();
    let server = bed::server(&[lingers()]).start();
    let client = server.client();
    let jobs = [0, 1].map(|_| client.submit("lingers", &json!({})));
    let published = jobs.each_ref().map(|job| {
        assert_eq!(client.finish(job)["status"], "successful");
        (client.status(job), result(&client, job))
    });
    let pods = jobs.each_ref().map(|job| name_of(&pods_of(job)[0]));
    bed::cluster().evict(&pods[0]).unwrap();
    bed::cluster().kubectl(["delete", "pod", &pods[1], "--wait=false"]).unwrap();
    for ((job, pod), (status, made)) in jobs.iter().zip(&pods).zip(published) {
        assert_eq!(made, format!("made in {pod}\n"));
        wait_until("nothing of it runs", || pods_of(job).is_empty());
        wait_until("its Job is let go", || {
            jobs_of(job).iter().all(|job| job["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty))
        });
        assert_eq!(client.status(job), status);
        assert_eq!(result(&client, job), made);
    }
}
