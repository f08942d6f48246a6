//! A crash at any moment loses nothing and repeats nothing: invariants 2, 3 and 6.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod aftermath;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use aftermath::{
    Dice, address, agent_of, commands_of, exception, gate, id_of, kill, listed, noting, open_gate, ran,
    running_in, serve,
};
use rutter_e2e::{Client, Package, Server, wait_until};
use serde_json::{Value, json};

/// Lines that a command prints before and after its gate.
const LINES: usize = 2000;

/// Jobs of which two run at the same time.
fn two_at_once(package: Package) -> Package {
    package.config("cpuMin", json!(1))
}

fn binary_output() -> Value {
    json!({"schema": {"type": "string", "contentEncoding": "binary", "contentMediaType": "application/octet-stream"}})
}

/// Prints, waits at the gate, prints, and writes an output that does not fit into a record.
fn chatty(id: &str, gate_name: &str) -> Package {
    let rest = format!(
        "seq -f 'before %.0f' {LINES}; {}; seq -f 'after %.0f' {LINES}; seq 30000 > $RUTTER_OUT/data",
        gate(gate_name)
    );
    two_at_once(noting(id, &rest)).output("data", binary_output())
}

/// What a command printed, from the log of its job: each line is `<time> <stream> <text>`.
fn printed(client: &Client, job: &str) -> Vec<String> {
    let log = client.get(&format!("{job}/logs?f=text")).expect(200).text();
    let text = |line: &str| Some(line.split_once(" out ")?.1.to_owned());
    log.lines().filter_map(text).collect()
}

fn everything_printed() -> Vec<String> {
    let lines = |word: &'static str| (1..=LINES).map(move |number| format!("{word} {number}"));
    lines("before").chain(lines("after")).collect()
}

fn data() -> String {
    (1..=30000).map(|number| format!("{number}\n")).collect()
}

fn id_set(jobs: &[String]) -> BTreeSet<String> {
    jobs.iter().map(|job| id_of(job).to_owned()).collect()
}

#[track_caller]
fn assert_each_ran_once(server: &Server, jobs: &[String]) {
    let noted = ran(server);
    assert_eq!(noted.iter().cloned().collect::<BTreeSet<_>>(), id_set(jobs));
    assert_eq!(noted.len(), jobs.len(), "some ran twice: {noted:?}");
}

#[test]
fn running_commands_are_found_again_with_all_that_happened_meanwhile() {
    let mut server = Server::builder()
        .config("local: {cpus: 2}")
        .package(&chatty("short", "short"))
        .package(&chatty("long", "long"))
        .start();
    let client = server.client();
    let short = client.submit("short", &json!({}));
    let long = client.submit("long", &json!({}));
    let queued = [client.submit("short", &json!({})), client.submit("long", &json!({}))];
    wait_until("two run", || ran(&server).len() == 2);
    for job in &queued {
        assert_eq!(client.status(job)["status"], json!("accepted"));
    }
    server.kill();
    open_gate(&server, "short");
    wait_until("one command ended while nobody looked", || commands_of(&short).is_empty());
    assert!(!commands_of(&long).is_empty(), "the other one goes on");
    server.start();
    assert_eq!(client.status(&long)["status"], json!("running"));
    assert_eq!(client.finish(&short)["status"], json!("successful"));
    wait_until("a queued job took the room", || ran(&server).len() == 3);
    open_gate(&server, "long");
    let all = [short, long, queued[0].clone(), queued[1].clone()];
    for job in &all {
        assert_eq!(client.finish(job)["status"], json!("successful"));
        assert_eq!(client.get(&format!("{job}/results/data")).expect(200).text(), data());
        assert!(printed(&client, job) == everything_printed(), "the log of {job} is not whole");
    }
    assert_each_ran_once(&server, &all);
    wait_until("nothing is left running", || running_in(&server).is_empty());
}

#[test]
fn a_job_whose_agent_is_killed_fails_as_agent_lost_and_its_command_ends() {
    let server = Server::builder()
        .package(&noting("once", &gate("never")))
        .package(
            &noting("twice", &format!("[ -e $RUTTER_PACKAGE_DIR/second ] || {}", gate("never")))
                .config("retries", json!(1)),
        )
        .start();
    let client = server.client();
    let once = client.submit("once", &json!({}));
    wait_until("the command runs", || !commands_of(&once).is_empty() && ran(&server).len() == 1);
    kill(agent_of(&server, &once).expect("an agent"));
    let status = client.finish(&once);
    assert_eq!((status["status"].as_str(), exception(&status)), (Some("failed"), "agent-lost"), "{status}");
    wait_until("the command ended with its agent", || commands_of(&once).is_empty());
    assert_each_ran_once(&server, std::slice::from_ref(&once));

    let twice = client.submit("twice", &json!({}));
    wait_until("the command runs", || !commands_of(&twice).is_empty() && ran(&server).len() == 2);
    let agent = agent_of(&server, &twice).expect("an agent");
    std::fs::write(server.folder().join("processes/second"), "").unwrap();
    kill(agent);
    assert_eq!(client.finish(&twice)["status"], json!("successful"));
    assert_eq!(ran(&server)[1..], [id_of(&twice), id_of(&twice)]);
    wait_until("nothing is left running", || running_in(&server).is_empty());
}

#[test]
fn an_agent_that_was_killed_while_the_server_was_down_is_noticed_at_its_start() {
    let mut server = Server::builder()
        .package(&noting("once", &format!("(setsid sleep 1000 &); {}", gate("never"))))
        .start();
    let client = server.client();
    let job = client.submit("once", &json!({}));
    wait_until("the command runs", || commands_of(&job).len() >= 2 && ran(&server).len() == 1);
    server.kill();
    kill(agent_of(&server, &job).expect("an agent"));
    server.start();
    let status = client.finish(&job);
    assert_eq!((status["status"].as_str(), exception(&status)), (Some("failed"), "agent-lost"), "{status}");
    wait_until("nothing of it is left", || commands_of(&job).is_empty());
    assert_each_ran_once(&server, &[job]);
}

#[test]
fn a_dismissal_acknowledged_just_before_a_crash_ends_the_command() {
    let mut server = Server::builder().package(&noting("stays", &gate("never"))).start();
    let client = server.client();
    let job = client.submit("stays", &json!({}));
    wait_until("the command runs", || ran(&server).len() == 1);
    client.delete(&job).expect(200);
    server.kill();
    server.start();
    assert_eq!(client.status(&job)["status"], json!("dismissed"));
    wait_until("nothing is left running", || running_in(&server).is_empty());
}

/// Answers every request with the same small document, after a pause now and then; so staging takes its time.
fn slow_source() -> (String, Arc<AtomicBool>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/number", listener.local_addr().unwrap());
    let over = Arc::new(AtomicBool::new(false));
    let told = over.clone();
    let thread = std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            if told.load(Ordering::Relaxed) {
                return;
            }
            let Ok(mut stream) = stream else { continue };
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                std::thread::sleep(Duration::from_millis(number as u64 % 4 * 10));
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n42";
                let _ = stream.write_all(head.as_bytes());
            });
        }
    });
    (url, over, thread)
}

/// Every step takes part: staging by reference, a staged file, progress, a log, an uploaded and an inline output.
fn thorough() -> Package {
    let line = "echo '50 half' >> $RUTTER_PROGRESS; echo hello; head -c 70000 /dev/zero > $RUTTER_OUT/data; \
                find $RUTTER_IN -type f -exec cat {} + > /dev/null; printf 42 > $RUTTER_OUT/small";
    noting("thorough", line)
        .input("number", json!({"schema": {"type": "integer"}}))
        .input("file", json!({"schema": {"type": "string", "contentMediaType": "text/plain"}}))
        .output("data", binary_output())
        .output("small", json!({"schema": {"type": "integer"}}))
        .config("cpuMin", json!(0.25))
}

/// Submits jobs one after the other until told to stop; keeps what was acknowledged.
fn submitter(client: Client, source: String, over: Arc<AtomicBool>, acknowledged: Arc<Mutex<Vec<String>>>) {
    let body =
        json!({"inputs": {"number": {"href": source, "type": "application/json"}, "file": "some text"}});
    while !over.load(Ordering::Relaxed) {
        let request =
            client.request("POST", "/processes/thorough/execution").header("Prefer", "respond-async");
        let Ok(answer) = request.json(&body).timeout(Duration::from_secs(30)).send() else { return };
        assert_eq!(answer.status().as_u16(), 201);
        let job = answer.headers()["location"].to_str().expect("a URL").to_owned();
        acknowledged.lock().expect("no panic").push(job);
        std::thread::sleep(Duration::from_millis(25));
    }
}

#[test]
fn a_hundred_crashes_at_random_moments_lose_nothing_and_repeat_nothing() {
    const ROUNDS: u64 = 100;
    let mut dice = Dice::new();
    let (source, source_over, source_thread) = slow_source();
    let mut server = Server::builder().config("local: {cpus: 2}").package(&thorough()).start();
    let client = server.client();
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    for round in 0..ROUNDS {
        let before = acknowledged.lock().unwrap().len();
        let over = Arc::new(AtomicBool::new(false));
        // The queue must not grow faster than crashes let it shrink.
        let submits = round % 3 != 2;
        let threads: Vec<_> = (0..if submits { 2 } else { 0 })
            .map(|_| {
                let (client, source) = (client.clone(), source.clone());
                let (over, acknowledged) = (over.clone(), acknowledged.clone());
                std::thread::spawn(move || submitter(client, source, over, acknowledged))
            })
            .collect();
        if submits {
            wait_until("a job is acknowledged", || acknowledged.lock().unwrap().len() > before);
        }
        std::thread::sleep(Duration::from_millis(dice.below(120)));
        server.kill();
        over.store(true, Ordering::Relaxed);
        threads.into_iter().for_each(|thread| thread.join().expect("a submitter ends well"));
        if round % 4 == 0 {
            // A crash while it starts.
            let address = address(&server).to_owned();
            let mut starting = serve(server.folder(), &address, &server.data());
            let mut child = starting.stderr(std::process::Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(dice.below(100)));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        server.start();
    }
    let acknowledged = acknowledged.lock().unwrap().clone();
    for job in &acknowledged {
        let status = client.finish(job);
        assert_eq!(status["status"], json!("successful"), "{status}");
    }
    // Requests whose answer was lost in a crash may have made jobs too: they are jobs like any other.
    let all = listed(&client);
    assert!(id_set(&acknowledged).is_subset(&all.iter().cloned().collect()));
    for id in &all {
        let job = format!("/jobs/{id}");
        assert_eq!(client.finish(&job)["status"], json!("successful"));
        assert_eq!(client.get(&format!("{job}/results/data")).expect(200).body.len(), 70000);
        assert_eq!(client.get(&format!("{job}/results/small")).expect(200).text().trim(), "42");
        assert_eq!(printed(&client, &job), ["hello"], "{job}");
    }
    let mut times = BTreeMap::new();
    ran(&server).into_iter().for_each(|id| *times.entry(id).or_insert(0) += 1);
    let repeated: Vec<_> = times.iter().filter(|(_, times)| **times != 1).collect();
    assert!(repeated.is_empty(), "these ran more than once: {repeated:?}");
    assert_eq!(times.len(), all.len());
    println!("{ROUNDS} crashes, {} jobs, {} acknowledged", all.len(), acknowledged.len());
    wait_until("nothing is left running", || running_in(&server).is_empty());
    wait_until("no attempt's folder is left", || {
        std::fs::read_dir(server.data().join("attempts")).unwrap().flatten().next().is_none()
    });
    source_over.store(true, Ordering::Relaxed);
    let _ = std::net::TcpStream::connect(source.trim_start_matches("http://").trim_end_matches("/number"));
    source_thread.join().unwrap();
}
