//! Many connections, slow ones, and ones that talk oddly: others are served, and nothing is left behind.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rutter_e2e::{Package, Server, shell, wait_until};
use serde_json::{Value, json};

const MANY: usize = 10_000;
/// Files that come and go with requests and jobs.
const FEW: usize = 16;
const GIGABYTE: u64 = 1 << 30;

/// This process holds the other ends. Gives how many files it may have open.
fn raise_own_limit() -> u64 {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    maximum.unwrap_or(u64::MAX)
}

fn address(server: &Server) -> &str {
    server.url().trim_start_matches("http://")
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(address(server)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// Every other one has said half of what it wants.
fn connect_many(server: &Server, count: usize) -> Vec<TcpStream> {
    raise_own_limit();
    let one = |number: usize| {
        let mut stream = connect(server);
        if number % 2 == 1 {
            stream.write_all(b"GET /processes HTTP/1.1\r\nHost: localh").unwrap();
        }
        stream
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| (0..count / 4).map(one).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// Whether the server closed it, perhaps after some last words.
fn is_closed(mut stream: &TcpStream) -> bool {
    stream
        .read_to_end(&mut Vec::new())
        .map_or_else(|error| error.kind() == std::io::ErrorKind::ConnectionReset, |_| true)
}

fn say() -> Package {
    shell("say", "printf hello")
}

fn execute(server: &Server) {
    let answer = server.client().execute("say", &json!({"inputs": {}, "response": "raw"}));
    assert_eq!(answer.expect(200).text(), "hello");
}

#[test]
fn ten_thousand_connections_keep_nobody_out_and_leave_nothing() {
    let (files, needed) = (raise_own_limit(), MANY as u64 * 3 / 2);
    assert!(
        files >= needed,
        "the hard limit of open files is {files}; raise it to {needed} to run this test"
    );
    let server = Server::builder().config("server: {idleSeconds: 600}").package(&say()).start();
    execute(&server);
    let before = server.open_files();
    let held = connect_many(&server, MANY);
    wait_until("the server holds them all", || server.open_files() >= before + MANY - FEW);
    for path in ["/", "/processes", "/processes/say", "/jobs", "/readyz"] {
        server.client().get(path).expect(200);
    }
    execute(&server);
    drop(held);
    wait_until("nothing of them is left", || server.open_files() <= before + FEW);
    execute(&server);
}

#[test]
fn clients_that_would_stay_for_ever_are_let_go() {
    let server = Server::builder().config("server: {idleSeconds: 2}").package(&say()).start();
    let held = connect_many(&server, 400);
    assert!(held.iter().all(is_closed));
    wait_until("nothing of them is left", || server.open_files() < 100);
    execute(&server);
}

#[test]
fn the_server_raises_its_own_limit_and_commands_keep_theirs() {
    let limit = shell("limit", "ulimit -Sn; ulimit -Hn");
    let server = Server::builder().package(&limit).ulimit("-Sn 200").start();
    let held = connect_many(&server, 400);
    wait_until("more connections than the soft limit", || server.open_files() > 400);
    let answer = server.client().execute("limit", &json!({"inputs": {}, "response": "raw"}));
    let hard = getrlimit(Resource::Nofile).maximum.map_or("unlimited".into(), |files| files.to_string());
    assert_eq!(answer.expect(200).text(), format!("200\n{hard}\n"));
    drop(held);
}

#[test]
fn a_low_hard_limit_is_for_connections_not_for_jobs() {
    let server =
        Server::builder().config("server: {idleSeconds: 2}").package(&say()).ulimit("-n 200").start();
    let held = connect_many(&server, 400);
    // The requests wait until the first of them are let go, and then find all the files that they need.
    execute(&server);
    execute(&server);
    assert!(server.open_files() < 200);
    drop(held);
}

fn large() -> Package {
    let binary = json!({"schema": {"type": "string", "contentEncoding": "binary", "contentMediaType": "application/octet-stream"}});
    Package::new("large", json!(["sh", "-c", format!("head -c {GIGABYTE} /dev/zero > $RUTTER_OUT/data")]))
        .output("data", binary)
}

#[test]
fn a_reader_that_stops_is_let_go_and_a_slow_one_gets_everything() {
    const LIMIT: Duration = Duration::from_secs(5);
    let server = Server::builder().config("server: {sendStallSeconds: 5}").package(&large()).start();
    let client = server.client();
    let job = client.submit("large", &json!({}));
    assert_eq!(client.finish(&job)["status"], json!("successful"));
    let ask =
        || client.request("GET", &format!("{job}/results/data")).send().unwrap().error_for_status().unwrap();
    let before = server.open_files();
    let mut stopped: Vec<_> = (0..8).map(|_| ask()).collect();
    wait_until("their answers are on the way", || server.open_files() >= before + stopped.len());
    let begun = std::time::Instant::now();
    let mut slow = ask();
    let (mut total, mut buffer) = (0, vec![0; 64 * 1024]);
    while begun.elapsed() < 2 * LIMIT {
        total += slow.read(&mut buffer).unwrap() as u64;
        std::thread::sleep(LIMIT / 100);
    }
    assert!(total < GIGABYTE / 2, "this was not slow: {total}");
    wait_until("the others were let go", || server.open_files() <= before + 4);
    total += std::io::copy(&mut slow, &mut std::io::sink()).unwrap();
    assert_eq!(total, GIGABYTE);
    for answer in &mut stopped {
        assert!(std::io::copy(answer, &mut std::io::sink()).is_err(), "a part must not pass for the whole");
    }
}

/// What the server says until it closes the connection.
fn last_words(mut stream: &TcpStream) -> String {
    let mut words = Vec::new();
    let _ = stream.read_to_end(&mut words);
    String::from_utf8_lossy(&words).into_owned()
}

fn post(length: usize, more: &str) -> String {
    format!(
        "POST /processes/say/execution HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{more}\r\n"
    )
}

#[test]
fn requests_that_are_broken_off_leave_nothing() {
    let server = Server::builder().package(&say()).start();
    execute(&server);
    let before = server.open_files();
    let jobs =
        || server.client().get("/jobs?limit=1000").expect(200).json()["jobs"].as_array().unwrap().len();
    assert_eq!(jobs(), 1);
    for _ in 0..200 {
        connect(&server).write_all((post(100, "") + "{\"inputs\"").as_bytes()).unwrap();
        connect(&server).write_all(b"POST /processes/say/execution HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"in").unwrap();
        // A whole request whose client does not wait for the answer, which takes a while.
        connect(&server).write_all(b"GET /jobs?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    }
    wait_until("nothing of them is left", || server.open_files() <= before + 4);
    assert_eq!(jobs(), 1, "half a request is none");
    execute(&server);
}

#[test]
fn a_body_is_asked_for_only_if_it_is_wanted() {
    let server = Server::builder().package(&say()).config("server: {maxBodyBytes: 1000}").start();
    let mut stream = connect(&server);
    stream.write_all(post(13, "Expect: 100-continue\r\nConnection: close\r\n").as_bytes()).unwrap();
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{\"inputs\":{}}").unwrap();
    assert!(last_words(&stream).starts_with("HTTP/1.1 200 OK\r\n"));
    let mut stream = connect(&server);
    stream.write_all(post(5000, "Expect: 100-continue\r\n").as_bytes()).unwrap();
    assert!(last_words(&stream).starts_with("HTTP/1.1 413 "), "refused before it is sent");
    let mut never = connect(&server);
    never.write_all(post(13, "Expect: 100-continue\r\n").as_bytes()).unwrap();
    never.read_exact(&mut asked).unwrap();
    assert!(last_words(&never).starts_with("HTTP/1.1 408 "), "asked for, and never sent");
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let server = Server::builder().package(&say()).start();
    let mut stream = connect(&server);
    let (get, body) = ("GET /processes/nothing-NUMBER HTTP/1.1\r\nHost: localhost\r\n", "{\"inputs\":{}}");
    let mut all = String::new();
    for number in 0..50 {
        all += &format!("{}\r\n", get.replace("NUMBER", &number.to_string()));
        all += &(post(body.len(), "") + body);
    }
    all += &format!("{}Connection: close\r\n\r\n", get.replace("NUMBER", "50"));
    let mut writer = stream.try_clone().unwrap();
    let writing = std::thread::spawn(move || writer.write_all(all.as_bytes()).unwrap());
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    writing.join().unwrap();
    let mut rest = answers.as_str();
    for number in 0..=50 {
        let at = rest.find(&format!("nothing-{number}\\"));
        let at = at.unwrap_or_else(|| panic!("answer {number} is missing"));
        let between = rest[..at].matches("HTTP/1.1 200 OK").count();
        assert_eq!(between, usize::from(number > 0), "before answer {number}");
        rest = &rest[at..];
    }
}

#[test]
fn what_is_in_a_body_is_never_a_request() {
    let server = Server::builder().package(&say()).config("server: {maxBodyBytes: 10}").start();
    let hidden = "POST /processes/say/execution HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                  Content-Length: 2\r\n\r\n{}";
    let length = hidden.len();
    let last = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let chunked = format!("{length:x}\r\n{hidden}\r\n0\r\n\r\n");
    // Refused, unknown, or without use for a body: it is left unread.
    for start in
        ["POST /nothing", "PUT /jobs", "POST /processes/say/execution", "GET /processes", "OPTIONS /jobs"]
    {
        for (head, body) in [
            (format!("Content-Length: {length}"), hidden),
            ("Transfer-Encoding: chunked".into(), chunked.as_str()),
            (format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"), chunked.as_str()),
            (format!("Content-Length: 0\r\nContent-Length: {length}"), hidden),
            (format!("Transfer-Encoding: chunked, identity\r\nContent-Length: {length}"), hidden),
        ] {
            let mut stream = connect(&server);
            let sent = format!(
                "{start} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{head}\r\n\r\n{body}{last}"
            );
            stream.write_all(sent.as_bytes()).unwrap();
            let said = last_words(&stream);
            assert!(said.matches("HTTP/1.1 ").count() <= 2, "{start}, {head}: {said}");
        }
    }
    let jobs = server.client().get("/jobs").expect(200).json();
    assert_eq!(jobs["jobs"], json!([]), "nothing was executed");
}

#[test]
fn other_protocols_are_let_go_at_once() {
    let server = Server::builder().package(&say()).start();
    execute(&server);
    let before = server.open_files();
    let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00".as_slice();
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".as_slice();
    for hello in [http2, tls, b"\0\0\0\0\r\n\r\n", b"GET /\xff\xff HTTP/9.9\r\n\r\n"] {
        let mut stream = connect(&server);
        stream.write_all(hello).unwrap();
        let begun = std::time::Instant::now();
        let words = last_words(&stream);
        assert!(begun.elapsed() < Duration::from_secs(20), "no time limit was waited for: {words}");
        assert!(words.is_empty() || words.starts_with("HTTP/1.1 400 "), "{words}");
    }
    wait_until("nothing of them is left", || server.open_files() <= before);
    let _: Value = server.client().get("/processes").expect(200).json();
}
