//! `/jobs/{id}/events` over crashes: nothing is missing, nothing comes twice.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod aftermath;

use std::{
    collections::HashSet,
    io::{BufRead, BufReader},
    time::Duration,
};

use aftermath::{Dice, gate, open_gate};
use rutter_e2e::{Client, Package, Server};
use serde_json::{Value, json};

const ROUNDS: usize = 60;
const PER_ROUND: usize = 50;

#[derive(Clone, Debug)]
enum Event {
    Told { name: String, id: String, data: Value },
    Comment,
}

/// A connection of a client that follows a job.
struct Following(BufReader<reqwest::blocking::Response>);

impl Following {
    /// From the beginning, or from an event on.
    fn start(client: &Client, job: &str, last: Option<&str>) -> Self {
        let mut request = client.request("GET", &format!("{job}/events")).timeout(Duration::from_secs(300));
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let answer = request.send().unwrap();
        assert_eq!(answer.status(), 200);
        Self(BufReader::new(answer))
    }

    /// The next whole event; `None` when the connection ended. What came in part is dropped, as the standard wants.
    fn next(&mut self) -> Option<Event> {
        let (mut name, mut id, mut data) = (String::new(), String::new(), None);
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 || !line.ends_with('\n') {
                return None;
            }
            match line.trim_end_matches('\n').split_once(": ") {
                Some(("event", text)) => text.clone_into(&mut name),
                Some(("id", text)) => text.clone_into(&mut id),
                Some(("data", text)) => data = Some(serde_json::from_str(text).unwrap()),
                Some(("", _)) => return Some(Event::Comment),
                Some(("retry", _)) => {}
                Some(other) => panic!("no field of an event: {other:?}"),
                None => {
                    if let Some(data) = data {
                        return Some(Event::Told { name, id, data });
                    }
                }
            }
        }
    }
}

/// Prints many lines and tells its progress, for some seconds.
fn chatty() -> Package {
    let line = format!(
        "n=0; while [ $n -lt {ROUNDS} ]; do seq -f \"$n.%.0f\" {PER_ROUND}; n=`expr $n + 1`; \
         echo \"$n round $n\" >> $RUTTER_PROGRESS; sleep 0.05; done"
    );
    Package::new("chatty", json!(["sh", "-c", line]))
}

fn printed() -> Vec<String> {
    (0..ROUNDS).flat_map(|n| (1..=PER_ROUND).map(move |line| format!("{n}.{line}"))).collect()
}

/// Everything that a client sees which comes back after each crash.
struct Seen {
    events: Vec<(String, String, Value)>,
}

impl Seen {
    fn last(&self) -> Option<&str> {
        self.events.last().map(|(_, id, _)| id.as_str())
    }

    fn is_over(&self) -> bool {
        self.events.last().is_some_and(|(name, ..)| name == "end")
    }

    /// Take up to so many events; `false` when the connection ended.
    fn take(&mut self, following: &mut Following, most: u64) -> bool {
        for _ in 0..most {
            match following.next() {
                None => return false,
                Some(Event::Comment) => {}
                Some(Event::Told { name, id, data }) => self.events.push((name, id, data)),
            }
        }
        true
    }

    fn of(&self, kind: &str, member: &str) -> Vec<String> {
        let told = self.events.iter().filter(|(name, ..)| name == kind);
        told.map(|(.., data)| data[member].as_str().map_or_else(|| data[member].to_string(), str::to_owned))
            .collect()
    }
}

#[test]
fn nothing_is_missing_or_doubled_over_crashes_and_restarts_of_the_server() {
    let mut dice = Dice::new();
    let mut server = Server::builder().package(&chatty()).start();
    let client = server.client();
    let job = client.submit("chatty", &json!({}));
    let mut seen = Seen { events: Vec::new() };
    for round in 0..5 {
        let mut following = Following::start(&client, &job, seen.last());
        seen.take(&mut following, 1 + dice.below(400));
        if seen.is_over() {
            break;
        }
        if round == 2 {
            assert!(server.stop().success(), "a follower does not hold up the end");
        } else {
            server.kill();
        }
        // What was on its way arrives.
        while seen.take(&mut following, 100) {}
        server.start();
    }
    while !seen.is_over() {
        let mut following = Following::start(&client, &job, seen.last());
        while seen.take(&mut following, 100) {}
    }
    let lines = seen.of("log", "text");
    assert!(lines == printed(), "{} lines instead of {}", lines.len(), ROUNDS * PER_ROUND);
    assert_eq!(seen.of("status", "status"), ["accepted", "running", "successful"]);
    assert_eq!(seen.of("end", "status"), ["successful"]);
    let progress: Vec<u64> =
        seen.of("progress", "progress").iter().map(|text| text.parse().unwrap()).collect();
    assert!(
        progress.windows(2).all(|two| two[0] < two[1]),
        "progress comes once each, in order: {progress:?}"
    );
    let ids: HashSet<&str> = seen.events.iter().map(|(_, id, _)| id.as_str()).collect();
    assert_eq!(ids.len(), seen.events.len(), "each event has an id of its own");
    let again = client.request("GET", &format!("{job}/events")).header("Last-Event-ID", seen.last().unwrap());
    client.send(again).expect(204);
}

#[test]
fn a_silent_stream_lives() {
    let package = Package::new("silent", json!(["sh", "-c", format!("{}; echo done", gate("end"))]));
    let server =
        Server::builder().config("server: {idleSeconds: 1, sendStallSeconds: 1}").package(&package).start();
    let client = server.client();
    let job = client.submit("silent", &json!({}));
    let mut following = Following::start(&client, &job, None);
    // It takes longer to come than connections may be idle.
    loop {
        match following.next().expect("the stream goes on") {
            Event::Comment => break,
            Event::Told { name, data, .. } => assert_eq!(name, "status", "{data}"),
        }
    }
    open_gate(&server, "end");
    let mut seen = Seen { events: Vec::new() };
    while seen.take(&mut following, 100) {}
    assert_eq!(seen.of("log", "text"), ["done"]);
    assert!(seen.is_over());
}
