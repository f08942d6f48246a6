//! Large data in flat memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Read;

use rutter_e2e::{Package, Server};
use serde_json::json;

const SIZE: u64 = 1 << 30;

#[test]
fn a_gigabyte_streams_in_and_out_at_flat_memory() {
    let binary = json!({"schema": {"type": "string", "contentEncoding": "binary", "contentMediaType": "application/octet-stream"}});
    let package =
        Package::new("large", json!(["sh", "-c", "head -c 1073741824 /dev/zero > $RUTTER_OUT/data"]))
            .output("data", binary);
    let server = Server::builder().package(&package).start();
    let client = server.client();
    let before = server.memory();
    let job = client.submit("large", &json!({}));
    assert_eq!(client.finish(&job)["status"], json!("successful"));
    for accept in ["application/octet-stream", "application/zip"] {
        let request = client.request("GET", &format!("{job}/results")).header("Accept", accept);
        let mut answer = request.send().unwrap().error_for_status().unwrap();
        let mut buffer = vec![0; 1 << 20];
        let (mut total, mut peak) = (0, 0);
        loop {
            let read = answer.read(&mut buffer).unwrap();
            if read == 0 {
                break;
            }
            total += read as u64;
            if total % (64 << 20) < read as u64 {
                peak = peak.max(server.memory());
            }
        }
        assert!(accept != "application/octet-stream" || total == SIZE, "{total} bytes came");
        assert!(total > 0, "something came as {accept}");
        assert!(peak < before + 64_000_000, "{accept}: memory went from {before} to {peak}");
    }
    let part = client.request("GET", &format!("{job}/results/data")).header("Range", "bytes=1073741820-");
    let part = client.send(part).expect(206);
    assert_eq!(part.body, [0; 4]);
    let beyond = client.request("GET", &format!("{job}/results/data")).header("Range", "bytes=1073741824-");
    client.send(beyond).expect(416);
}
