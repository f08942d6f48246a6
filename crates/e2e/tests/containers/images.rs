//! Images that can't be had, and limits that the engine keeps.

use std::{
    io::{Read, Write},
    net::TcpListener,
};

use rutter_e2e::{shell, wait_until};
use rutter_testcluster::Image;
use serde_json::json;

use crate::bed::{Podman, TOOLS};

/// A registry that is there and has nothing; its address.
fn empty_registry() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or(0);
            let is_root = request[..read].starts_with(b"GET /v2/ ");
            let (status, body) = match is_root {
                true => ("200 OK", "{}"),
                false => (
                    "404 Not Found",
                    r#"{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}"#,
                ),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
                body.len()
            );
            let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes());
        }
    });
    address
}

#[test]
fn an_image_that_does_not_exist_fails_its_job_as_on_a_cluster() {
    let podman = Podman::new();
    let registry = empty_registry();
    podman.trust(&registry);
    let image = format!("{registry}/model:1");
    let server = podman
        .server(&[shell("missing", "true").in_image(&image)])
        .expect_warning("an image can't be fetched")
        .start();
    let job = server.client().submit("missing", &json!({}));
    let status = server.client().finish(&job);
    let exception = &status["exception"];
    assert!(exception["type"].as_str().unwrap().ends_with("/image-missing"), "{status}");
    assert_eq!(exception["detail"], format!("the image `{image}` can't be fetched: there is no such image"));
    assert!(podman.containers().is_empty());
}

#[test]
fn what_a_job_waits_for_is_said_and_it_can_be_dismissed_meanwhile() {
    let podman = Podman::new();
    let server = podman
        .server(&[shell("waits", "true").in_image("127.0.0.1:1/model:1")])
        .expect_warning("an image can't be fetched")
        .start();
    let client = server.client();
    let job = client.submit("waits", &json!({}));
    let says = |words: &str| client.status(&job)["message"].as_str().is_some_and(|text| text.contains(words));
    wait_until("it is fetched", || says("the image is fetched"));
    wait_until("its registry is missed", || says("its registry can't be reached"));
    assert_eq!(client.status(&job)["status"], "accepted");
    client.delete(&job).expect(200);
    assert_eq!(client.status(&job)["status"], "dismissed");
}

#[test]
fn a_program_that_takes_more_memory_than_it_may_ends_as_out_of_memory() {
    let podman = Podman::new();
    let greedy = shell("greedy", "tail /dev/zero").in_image(TOOLS).config("memoryMax", json!(0.1));
    let server = podman.server(&[greedy]).start();
    let job = server.client().submit("greedy", &json!({}));
    let status = server.client().finish(&job);
    assert!(status["exception"]["type"].as_str().unwrap().ends_with("/out-of-memory"), "{status}");
    wait_until("nothing is left", || podman.containers().is_empty());
}

#[test]
fn a_program_that_cannot_be_started_is_told() {
    let podman = Podman::new();
    let image =
        Image::scratch("localhost/wrong:1").bytes("/model", "no program", 0o755).entrypoint(["/model"]);
    podman.load(&image);
    let server =
        podman.server(&[shell("wrong", "").without("command").in_image("localhost/wrong:1")]).start();
    let job = server.client().submit("wrong", &json!({}));
    let status = server.client().finish(&job);
    assert!(status["exception"]["type"].as_str().unwrap().ends_with("/cannot-start"), "{status}");
    assert!(status["exception"]["detail"].as_str().unwrap().contains("/model"), "{status}");
}
