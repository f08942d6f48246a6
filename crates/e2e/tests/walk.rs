//! A walk through the list of jobs while jobs come and go: whoever is not touched is seen once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod aftermath;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use aftermath::{gate, id_of, ran};
use rutter_e2e::{Client, Server, shell, wait_until};
use serde_json::json;

const JOBS: usize = 1000;
const TOUCHED: usize = 100;
const PAGE: usize = 10;

/// Waits in the queue for ever: another job has all the room.
fn server() -> Server {
    let whole = |package: rutter_e2e::Package| package.config("cpuMin", json!(1));
    let server = Server::builder()
        .config("local: {cpus: 1}")
        .package(&whole(aftermath::noting("holds", &gate("never"))))
        .package(&whole(shell("waits", "true")))
        .start();
    server.client().submit("holds", &json!({}));
    wait_until("the room is taken", || ran(&server).len() == 1);
    server
}

fn submit_all(client: &Client, count: usize) -> Vec<String> {
    std::thread::scope(|scope| {
        let one = || (0..count / 4).map(|_| client.submit("waits", &json!({}))).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// How often each job is on the pages that `next` leads through.
fn walk(client: &Client, pages: &AtomicUsize) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    let mut next = Some(format!("/jobs?limit={PAGE}&processID=waits"));
    while let Some(url) = next {
        let page = client.get(&url).expect(200).json();
        let jobs = page["jobs"].as_array().unwrap();
        assert!(jobs.len() <= PAGE);
        for job in jobs {
            *seen.entry(job["jobID"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        let links = page["links"].as_array().unwrap();
        let link = links.iter().find(|link| link["rel"] == json!("next"));
        next = link.map(|link| link["href"].as_str().unwrap().to_owned());
        pages.fetch_add(1, Ordering::SeqCst);
    }
    seen
}

/// Nobody waits for a page of a walk that is over.
struct Over<'a>(&'a AtomicUsize);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(usize::MAX, Ordering::SeqCst);
    }
}

#[test]
fn a_walk_sees_each_untouched_job_once_while_others_come_and_go() {
    let server = server();
    let client = server.client();
    let jobs = submit_all(&client, JOBS);
    // Spread over the whole list; finished, so that a further DELETE removes them.
    let go: Vec<&String> = jobs.iter().step_by(JOBS / TOUCHED).collect();
    for job in &go {
        client.delete(job).expect(200);
    }
    let pages = AtomicUsize::new(0);
    let seen = std::thread::scope(|scope| {
        scope.spawn(|| {
            // One comes and one goes between any two pages.
            for (number, job) in go.iter().enumerate() {
                while pages.load(Ordering::SeqCst) <= number {
                    std::thread::sleep(Duration::from_millis(1));
                }
                client.submit("waits", &json!({}));
                client.delete(job).expect(200);
                client.get(job).expect(410);
            }
        });
        let _over = Over(&pages);
        walk(&client, &pages)
    });
    let gone: BTreeSet<&str> = go.iter().map(|job| id_of(job)).collect();
    for job in jobs.iter().map(|job| id_of(job)).filter(|id| !gone.contains(id)) {
        assert_eq!(seen.get(job), Some(&1), "{job}");
    }
    assert!(seen.values().all(|times| *times == 1), "nothing twice, whatever happened to it");
    let after = walk(&client, &AtomicUsize::new(0));
    assert_eq!(after.len(), JOBS, "as many came as went");
    assert!(after.keys().all(|id| !gone.contains(id.as_str())));
}
