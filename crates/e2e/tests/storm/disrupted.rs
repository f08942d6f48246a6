//! A program that is moved away again and again: the cluster waits longer before each attempt, so this takes minutes.

use rutter_e2e::{shell, wait_until};

use crate::{
    aftermath::exception,
    bed,
    objects::{jobs_of, name_of, pods_of},
};

/// One that evicts itself, by what it does to its machine, would go on for ever.
#[test]
fn five_disruptions_are_the_end() {
    let _turn = bed::turn();
    let server = bed::server(&[shell("moved", "echo in $HOSTNAME; sleep 3600")]).start();
    let client = server.client();
    let job = client.submit("moved", &serde_json::json!({}));
    let mut seen: Vec<String> = Vec::new();
    while seen.len() < 5 {
        let mut next = None;
        wait_until("the next attempt runs", || {
            let log = client.get(&format!("{job}/logs")).text();
            let pods = pods_of(&job).iter().map(name_of).collect::<Vec<_>>();
            next = pods.into_iter().find(|name| log.contains(name.as_str()) && !seen.contains(name));
            next.is_some()
        });
        let pod = next.unwrap();
        bed::cluster().evict(&pod).unwrap();
        seen.push(pod);
    }
    let status = client.finish(&job);
    assert_eq!((&status["status"], exception(&status)), (&"failed".into(), "disrupted"), "{status}");
    assert_eq!(status["attempts"].as_array().map(Vec::len), Some(5), "{status}");
    let log = client.get(&format!("{job}/logs")).text();
    assert!(seen.iter().all(|pod| log.contains(pod)), "every attempt's log is kept: {log}");
    wait_until("the cluster does not try again", || {
        let over = |job: &serde_json::Value| job["metadata"]["finalizers"].is_null();
        jobs_of(&job).iter().all(over) && pods_of(&job).is_empty()
    });
}
