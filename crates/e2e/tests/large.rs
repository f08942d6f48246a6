//! Large data in flat memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs::Metadata, io::Read, os::unix::fs::MetadataExt, path::Path};

use rutter_e2e::{Package, Server, wait_until};
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

/// Killed again and again while a large output comes in: it goes on where it was, and takes no memory.
#[test]
fn a_large_output_goes_on_in_the_next_server() {
    let binary = json!({"schema": {"type": "string", "contentEncoding": "binary", "contentMediaType": "application/octet-stream"}});
    let line = format!("yes 0123456789abcde | head -c {SIZE} > $RUTTER_OUT/data");
    let package = Package::new("large", json!(["sh", "-c", line])).output("data", binary);
    let mut server = Server::builder().package(&package).start();
    let (client, before) = (server.client(), server.memory());
    let job = client.submit("large", &json!({}));
    let folder = server.data().join(format!("objects/jobs/{}/uploads", job.rsplit('/').next().unwrap()));
    let mut first = None;
    for share in [1, 2, 3] {
        wait_until("a part of it is there", || draft(&folder).is_some_and(|it| it.len() > SIZE / 4 * share));
        let memory = server.memory();
        assert!(memory < before + 64_000_000, "memory went from {before} to {memory}");
        server.kill();
        let kept = draft(&folder).expect("it was not whole");
        assert_eq!(*first.get_or_insert(kept.ino()), kept.ino(), "it was begun again");
        server.start();
        assert!(draft(&folder).is_some_and(|it| it.len() >= kept.len()), "something was lost");
    }
    assert_eq!(client.finish(&job)["status"], json!("successful"));
    assert!(draft(&folder).is_none());
    let part = client.request("GET", &format!("{job}/results/data")).header("Range", "bytes=1073741808-");
    assert_eq!(client.send(part).expect(206).text(), "0123456789abcde\n");
}

/// The only file below a folder.
fn draft(folder: &Path) -> Option<Metadata> {
    let entry = std::fs::read_dir(folder).ok()?.next()?.ok()?;
    let metadata = entry.metadata().ok()?;
    if metadata.is_dir() { draft(&entry.path()) } else { Some(metadata) }
}
