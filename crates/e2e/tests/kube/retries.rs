//! Attempts: each is shown with its end and its log, and what happens to machines is none of the program's.

use rutter_e2e::{shell, wait_until};
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
