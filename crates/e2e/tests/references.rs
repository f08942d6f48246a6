//! Inputs given by reference: fetched before the command, guarded, checked as if they had been written inline.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{Read, Write},
    net::TcpListener,
};

use rutter_e2e::{Package, Server};
use serde_json::{Value, json};

/// A server that answers every request with the same bytes; gives its URL.
fn source(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

fn ok(media_type: &str, body: &str) -> &'static str {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n", body.len());
    format!("{head}Connection: close\r\n\r\n{body}").leak()
}

/// Gives back its inputs as the program reads them.
fn mirror() -> Package {
    let any = json!({"schema": {"type": "object"}});
    Package::new("mirror", json!(["sh", "-c", "cp $RUTTER_INPUTS_FILE $RUTTER_OUT/inputs"]))
        .input("number", json!({"schema": {"type": "number", "maximum": 10}, "minOccurs": 0}))
        .input("text", json!({"schema": {"type": "string"}, "minOccurs": 0}))
        .input("table", json!({"schema": {"type": "string", "contentMediaType": "text/csv"}, "minOccurs": 0}))
        .output("inputs", any)
}

fn inputs(answer: rutter_e2e::Answer) -> Value {
    answer.expect(200).json()
}

#[test]
fn a_referenced_value_is_a_value_and_a_referenced_file_is_a_file() {
    let server = Server::builder().package(&mirror()).start();
    let client = server.client();
    let (seven, csv) = (source(ok("application/json", "7")), source(ok("text/csv", "a,b\n1,2\n")));
    let request = json!({"inputs": {
        "number": {"href": format!("{seven}/n.json")},
        "text": {"href": format!("{seven}/t.txt")},
        "table": {"href": format!("{csv}/t.csv")},
    }});
    let seen = inputs(client.execute("mirror", &request));
    assert_eq!(seen["number"], json!(7));
    assert_eq!(seen["text"], json!("7"), "text stays text, whatever it looks like");
    assert!(seen["table"].as_str().unwrap().ends_with(".csv"), "{seen}");
}

#[test]
fn a_referenced_value_is_checked_as_if_inline() {
    let server = Server::builder().package(&mirror()).start();
    let client = server.client();
    let large = source(ok("application/json", "11"));
    let request = json!({"inputs": {"number": {"href": large}}});
    let answer = client.execute("mirror", &request).expect(400).json();
    assert_eq!(answer["type"], json!("InvalidParameterValue"));
    assert_eq!(answer["errors"][0]["pointer"], json!("/inputs/number"));
    let job = client.submit("mirror", &request["inputs"]);
    let status = client.finish(&job);
    assert_eq!(status["status"], json!("failed"));
    assert_eq!(status["exception"]["type"], json!("InvalidParameterValue"));
}

#[test]
fn what_cannot_be_fetched_is_named_with_its_setting() {
    let server =
        Server::builder().config("references: {maxBytes: 10, maxRedirects: 1}").package(&mirror()).start();
    let client = server.client();
    let fetch = |url: &str| {
        let request = json!({"inputs": {"table": {"href": url}}});
        client.execute("mirror", &request).expect(400).text()
    };
    assert!(fetch(&source(ok("text/csv", "more than ten bytes"))).contains("references.maxBytes"));
    let around = "HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert!(fetch(&source(around)).contains("references.maxRedirects"));
    let metadata = fetch("http://169.254.169.254/latest/meta-data/");
    assert!(metadata.contains("169.254.169.254"), "{metadata}");
    assert!(!fetch("http://127.0.0.1:1/").is_empty());
}

#[test]
fn a_redirect_to_the_metadata_service_is_not_followed() {
    let server = Server::builder().package(&mirror()).start();
    let trap = "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let request = json!({"inputs": {"table": {"href": source(trap)}}});
    let answer = server.client().execute("mirror", &request).expect(400);
    assert!(answer.text().contains("169.254.169.254"), "{}", answer.text());
}

#[test]
fn results_of_this_server_are_read_without_leaving_it() {
    let first = Package::new("first", json!(["sh", "-c", "printf 'a,b' > $RUTTER_OUT/table"]))
        .output("table", json!({"schema": {"type": "string", "contentMediaType": "text/csv"}}));
    let second = Package::new("second", json!(["cat", "$(inputs.table.path)"]))
        .input("table", json!({"schema": {"type": "string", "contentMediaType": "text/csv"}}))
        .stdout_output("text");
    let server = Server::builder().package(&first).package(&second).start();
    let client = server.client();
    let job = client.submit("first", &json!({}));
    client.finish(&job);
    let request = json!({"inputs": {"table": {"href": format!("{job}/results/table")}}});
    assert_eq!(client.execute("second", &request).expect(200).text(), "a,b");
    let absent = json!({"inputs": {"table": {"href": format!("{job}/results/nothing")}}});
    client.execute("second", &absent).expect(400);
}
