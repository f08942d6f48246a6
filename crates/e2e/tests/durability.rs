//! What was acknowledged stays: invariants 1 and 9, and `Idempotency-Key`.

mod aftermath;

use std::{
    collections::BTreeSet,
    sync::{Arc, Barrier},
};

use aftermath::{gate, id_of, listed, noting, open_gate, ran, refusal, serve};
use rutter_e2e::{Answer, Client, Server, shell};
use serde_json::{Value, json};

const PARALLEL: usize = 50;

/// Do the same in parallel, all at the same moment.
fn at_once<T: Send + 'static>(work: impl Fn(usize) -> T + Send + Sync + 'static) -> Vec<T> {
    let (work, barrier) = (Arc::new(work), Arc::new(Barrier::new(PARALLEL)));
    let one = |number| {
        let (work, barrier) = (work.clone(), barrier.clone());
        std::thread::spawn(move || {
            barrier.wait();
            work(number)
        })
    };
    let threads: Vec<_> = (0..PARALLEL).map(one).collect();
    threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
}

fn keyed(client: &Client, process: &str, key: &str, body: &Value) -> Answer {
    let request = client.request("POST", &format!("/processes/{process}/execution"));
    client.send(request.header("Prefer", "respond-async").header("Idempotency-Key", key).json(body))
}

fn location(answer: &Answer) -> String {
    answer.header("location").expect("a Location").to_owned()
}

#[test]
fn every_location_answers_at_once_and_after_a_crash() {
    let mut server =
        Server::builder().package(&noting("waits", &gate("all")).config("cpuMin", json!(0.1))).start();
    let client = server.client();
    let asked = client.clone();
    let jobs = at_once(move |_| {
        let job = asked.submit("waits", &json!({}));
        assert_eq!(asked.get(&job).status, 200, "{job}");
        job
    });
    server.kill();
    server.start();
    assert_eq!(jobs.iter().collect::<BTreeSet<_>>().len(), PARALLEL);
    for job in &jobs {
        client.get(job).expect(200);
    }
    open_gate(&server, "all");
    for job in &jobs {
        assert_eq!(client.finish(job)["status"], json!("successful"));
    }
    assert_eq!(ran(&server).len(), PARALLEL);
}

#[test]
fn nothing_runs_for_a_request_that_was_refused() {
    let server = Server::builder()
        .package(
            &noting("strict", "true").stdout_output("out").input("n", json!({"schema": {"type": "integer"}})),
        )
        .start();
    let client = server.client();
    client.execute("strict", &json!({"inputs": {"n": "no number"}})).expect(400);
    client.execute("strict", &json!({"inputs": {}})).expect(400);
    assert!(listed(&client).is_empty());
    assert_eq!(client.execute("strict", &json!({"inputs": {"n": 1}})).expect(200).status, 200);
    assert_eq!(ran(&server).len(), 1);
}

#[test]
fn equal_requests_with_one_key_make_one_job() {
    let text = json!({"schema": {"type": "string"}});
    let mut server = Server::builder()
        .package(&noting("one", "true").input("text", text.clone()))
        .package(&noting("two", "true").input("text", text))
        .start();
    let client = server.client();
    let body = json!({"inputs": {"text": "first"}});
    let (asked, sent) = (client.clone(), body.clone());
    let answers = at_once(move |_| location(&keyed(&asked, "one", "first-key", &sent).expect(201)));
    let jobs: BTreeSet<_> = answers.iter().map(String::as_str).collect();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    let job = answers[0].clone();
    assert_eq!(listed(&client), [id_of(&job)]);
    assert_eq!(client.finish(&job)["status"], json!("successful"));

    let other = json!({"inputs": {"text": "second"}});
    for round in ["before the crash", "after it"] {
        assert_eq!(location(&keyed(&client, "one", "first-key", &body).expect(201)), job, "{round}");
        let refused = keyed(&client, "one", "first-key", &other).expect(422).json();
        assert_eq!(refused["status"], json!(422), "{round}");
        assert!(refused["detail"].to_string().contains("Idempotency-Key"), "{round}: {refused}");
        server.kill();
        server.start();
    }
    assert_eq!(listed(&client).len(), 1);
    // A key belongs to a process, and another key is another request.
    let elsewhere = location(&keyed(&client, "two", "first-key", &body).expect(201));
    let again = location(&keyed(&client, "one", "second-key", &body).expect(201));
    assert_eq!(BTreeSet::from([&job, &elsewhere, &again]).len(), 3);
    for job in [&elsewhere, &again] {
        client.finish(job);
    }
    assert_eq!(ran(&server).len(), 3);
}

#[test]
fn a_key_that_was_acknowledged_just_before_a_crash_is_known_after_it() {
    let mut server = Server::builder().package(&noting("one", "true")).start();
    let client = server.client();
    let mut jobs = Vec::new();
    for round in 0..5 {
        let key = format!("key-{round}");
        let job = location(&keyed(&client, "one", &key, &json!({"inputs": {}})).expect(201));
        server.kill();
        server.start();
        assert_eq!(location(&keyed(&client, "one", &key, &json!({"inputs": {}})).expect(201)), job);
        jobs.push(job);
    }
    for job in &jobs {
        assert_eq!(client.finish(job)["status"], json!("successful"));
    }
    let mut noted = ran(&server);
    noted.sort();
    let mut expected: Vec<_> = jobs.iter().map(|job| id_of(job).to_owned()).collect();
    expected.sort();
    assert_eq!(noted, expected);
}

#[test]
fn a_synchronous_request_repeated_with_its_key_gets_the_same_result() {
    let server = Server::builder()
        .package(&noting("random", "od -An -N8 -tx1 /dev/urandom").stdout_output("out"))
        .start();
    let client = server.client();
    let ask = || {
        let request = client.request("POST", "/processes/random/execution").header("Idempotency-Key", "once");
        client.send(request.json(&json!({"inputs": {}}))).expect(200).text()
    };
    assert_eq!(ask(), ask());
    assert_eq!(ran(&server).len(), 1);
}

#[test]
fn a_second_server_on_the_same_data_refuses_and_says_who_has_it() {
    let server = Server::builder().package(&shell("say", "printf hello")).start();
    let said = refusal(&mut serve(server.folder(), "127.0.0.1:0", &server.data()));
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    assert!(said.contains(&server.data().display().to_string()), "{said}");
    assert!(said.contains(&server.pid().to_string()), "{said}");
    // The refused one has taken nothing from the first: its agents still find it.
    let answer = server.client().execute("say", &json!({"inputs": {}})).expect(200);
    assert_eq!(answer.text(), "hello");
}
