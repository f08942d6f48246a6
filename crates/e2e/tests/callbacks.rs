//! Callbacks with a real receiver: at least once over crashes, signed, and never in the way of anything.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod aftermath;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use aftermath::{gate, open_gate};
use rutter_e2e::{Package, Server, shell, wait_until};
use serde_json::{Value, json};

#[derive(Clone, Debug)]
struct Call {
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Call {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }
}

/// What a receiver does with calls of a path.
#[derive(Clone, Copy)]
enum Verdict {
    Status(u16),
    Hang,
}

#[derive(Default)]
struct State {
    calls: Mutex<Vec<Call>>,
    verdicts: Mutex<HashMap<String, Verdict>>,
}

/// A receiver; 200 unless told otherwise.
struct Receiver {
    url: String,
    state: Arc<State>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<State>::default();
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), state) = (stream, shared.clone()) else { return };
                std::thread::spawn(move || receive(stream, &state));
            }
        });
        Self { url, state }
    }

    fn verdict(&self, path: &str, verdict: Verdict) {
        self.state.verdicts.lock().unwrap().insert(path.into(), verdict);
    }

    fn at(&self, path: &str) -> Vec<Call> {
        self.state.calls.lock().unwrap().iter().filter(|call| call.path == path).cloned().collect()
    }

    #[track_caller]
    fn wait(&self, path: &str, count: usize) -> Vec<Call> {
        wait_until(&format!("{count} calls at {path}"), || self.at(path).len() >= count);
        self.at(path)
    }

    fn subscriber(&self) -> Value {
        let url = |path: &str| format!("{}{path}", self.url);
        json!({"successUri": url("/success"), "failedUri": url("/failed"), "inProgressUri": url("/progress")})
    }
}

fn receive(stream: TcpStream, state: &State) {
    let Some(call) = read(&stream) else { return };
    let verdict = state.verdicts.lock().unwrap().get(&call.path).copied().unwrap_or(Verdict::Status(200));
    state.calls.lock().unwrap().push(call);
    let status = match verdict {
        Verdict::Status(status) => status,
        Verdict::Hang => loop {
            std::thread::park();
        },
    };
    let _ = write!(&stream, "HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

fn read(stream: &TcpStream) -> Option<Call> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Call { path, headers, body: String::from_utf8(body).ok()? })
}

fn submit(server: &Server, process: &str, subscriber: &Value) -> String {
    let client = server.client();
    let request = client.request("POST", &format!("/processes/{process}/execution"));
    let body = json!({"inputs": {}, "subscriber": subscriber});
    let answer = client.send(request.header("Prefer", "respond-async").json(&body)).expect(201);
    answer.header("location").unwrap().to_owned()
}

/// Whether a call is genuine, by the lines that the documentation gives to receivers.
#[track_caller]
fn assert_genuine(server: &Server, call: &Call) {
    const CHECK: &str = "
import json, sys
given = json.load(sys.stdin)
body = given['body'].encode()
assert is_genuine(given['key'], given['headers'], body)
assert not is_genuine(given['key'], given['headers'], body + b' ')
assert not is_genuine(given['key'], {**given['headers'], 'webhook-id': 'msg_other'}, body)
";
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations.md"));
    let page = page.unwrap();
    let (_, block) = page.split_once("```python\n").expect("an example for receivers");
    let (block, _) = block.split_once("```").unwrap();
    let key = fs::read_to_string(server.data().join("objects/secrets/callbacks")).unwrap();
    let mut python = Command::new("python3");
    python.arg("-c").arg(block.to_owned() + CHECK).stdin(Stdio::piped());
    let mut python = python.spawn().expect("python3 is installed");
    let given = json!({"key": key, "headers": call.headers, "body": call.body});
    python.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    assert!(python.wait().unwrap().success(), "{call:?}");
}

fn say() -> Package {
    shell("say", "printf hello")
}

#[test]
fn each_end_is_told_where_it_was_asked_for() {
    let failing = Package::new("fail", json!(["false"]));
    let waiting = Package::new("wait", json!(["sh", "-c", gate("never")]));
    let server = Server::builder().package(&say()).package(&failing).package(&waiting).start();
    let receivers: Vec<_> = ["say", "fail", "wait"].map(|process| (process, Receiver::start())).into();
    for (process, receiver) in &receivers {
        let job = submit(&server, process, &receiver.subscriber());
        if *process == "wait" {
            let running = receiver.wait("/progress", 1).remove(0);
            assert_eq!(running.json()["status"], json!("running"));
            assert_genuine(&server, &running);
            server.client().delete(&job).expect(200);
        }
        let (path, other) = if *process == "say" { ("/success", "/failed") } else { ("/failed", "/success") };
        let call = receiver.wait(path, 1).remove(0);
        assert_genuine(&server, &call);
        assert_eq!(call.headers["content-type"], "application/json");
        let told = call.json();
        match *process {
            "say" => assert_eq!(told["out"], json!("hello")),
            "fail" => assert_eq!(
                (&told["status"], &told["jobID"]),
                (&json!("failed"), &server.client().status(&job)["jobID"])
            ),
            _ => assert_eq!(told["status"], json!("dismissed")),
        }
        let links = told["links"].as_array().cloned().unwrap_or_default();
        assert!(links.iter().all(|link| link["href"].as_str().unwrap().starts_with(server.url())), "{told}");
        assert!(receiver.at(other).is_empty());
    }
}

#[test]
fn a_call_that_was_refused_is_made_after_a_crash_and_the_job_knows_nothing_of_it() {
    let mut server = Server::builder().package(&say()).start();
    let receiver = Receiver::start();
    receiver.verdict("/success", Verdict::Status(503));
    let jobs: Vec<_> = (0..5).map(|_| submit(&server, "say", &receiver.subscriber())).collect();
    let before: Vec<_> = jobs.iter().map(|job| server.client().finish(job)).collect();
    wait_until("each was refused at least once", || ids(&receiver).len() == jobs.len());
    server.kill();
    // A call that was on its way may still arrive; what is called from now on, the next server calls.
    receiver.verdict("/success", Verdict::Status(200));
    let refused = ids(&receiver);
    receiver.state.calls.lock().unwrap().clear();
    server.start();
    wait_until("each is accepted", || ids(&receiver) == refused);
    for call in receiver.at("/success") {
        assert_eq!(call.json()["out"], json!("hello"));
    }
    assert_genuine(&server, &receiver.at("/success")[0]);
    let after: Vec<_> = jobs.iter().map(|job| server.client().status(job)).collect();
    assert_eq!(before, after);
    // Accepted ones are not made again: those of later jobs come, and nothing else.
    receiver.state.calls.lock().unwrap().clear();
    submit(&server, "say", &receiver.subscriber());
    receiver.wait("/success", 1);
    assert!(ids(&receiver).is_disjoint(&refused), "{refused:?}");
}

fn ids(receiver: &Receiver) -> BTreeSet<String> {
    receiver.at("/success").iter().map(|call| call.id().to_owned()).collect()
}

#[test]
fn a_receiver_that_is_gone_is_not_called_again() {
    let line = format!("for n in 1 2 3 4 5; do echo $n >> $RUTTER_PROGRESS; {}; done", gate("$n"));
    let steps = Package::new("steps", json!(["sh", "-c", line]));
    let waiting = Package::new("wait", json!(["sh", "-c", gate("never")]));
    let server = Server::builder().package(&steps).package(&waiting).start();
    let receiver = Receiver::start();
    receiver.verdict("/success", Verdict::Status(410));
    receiver.verdict("/progress", Verdict::Status(410));
    let job = submit(&server, "steps", &receiver.subscriber());
    for step in 1..=5 {
        let reached = || server.client().status(&job)["progress"] == json!(step);
        wait_until("the step is reached", reached);
        if step == 1 {
            receiver.wait("/progress", 1);
        }
        open_gate(&server, &step.to_string());
    }
    receiver.wait("/success", 1);
    // By the time that another one was called three times, the gone one would have been, too.
    receiver.verdict("/failed", Verdict::Status(503));
    let failing = json!({"failedUri": format!("{}/failed", receiver.url)});
    let dismissed = submit(&server, "wait", &failing);
    server.client().delete(&dismissed).expect(200);
    receiver.wait("/failed", 3);
    assert_eq!(receiver.at("/success").len(), 1);
    assert_eq!(receiver.at("/progress").len(), 1);
    assert_eq!(server.client().status(&job)["status"], json!("successful"));
}

#[test]
fn a_receiver_that_hangs_hurts_nobody() {
    let mut server = Server::builder().package(&say()).start();
    let (hanging, good) = (Receiver::start(), Receiver::start());
    for path in ["/success", "/failed", "/progress"] {
        hanging.verdict(path, Verdict::Hang);
    }
    for _ in 0..20 {
        let job = submit(&server, "say", &hanging.subscriber());
        assert_eq!(server.client().finish(&job)["status"], json!("successful"));
    }
    wait_until("it hangs", || !hanging.state.calls.lock().unwrap().is_empty());
    submit(&server, "say", &good.subscriber());
    good.wait("/success", 1);
    assert!(hanging.state.calls.lock().unwrap().len() < 10, "a few calls at a time");
    assert!(server.stop().success());
}

#[test]
fn links_that_lead_nowhere_are_said_at_the_start() {
    let open = || Server::builder().package(&say()).listen("0.0.0.0:0");
    let server = open().config("server: {auth: none}").expect_warning("server.publicUrl").start();
    assert_eq!(server.log().matches("server.publicUrl").count(), 1, "{}", server.log());
    let receiver = Receiver::start();
    let named = open()
        .config(
            "server: {auth: none, publicUrl: 'https://example.org/x/'}\nreferences: {allow: ['127.0.0.1']}",
        )
        .start();
    submit(&named, "say", &receiver.subscriber());
    let progress = receiver.wait("/progress", 1).remove(0).json();
    let links = progress["links"].as_array().unwrap();
    assert!(
        links.iter().all(|link| link["href"].as_str().unwrap().starts_with("https://example.org/x/")),
        "{progress}"
    );
    assert!(!named.log().contains("server.publicUrl"));
}
