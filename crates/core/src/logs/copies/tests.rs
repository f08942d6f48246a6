use std::sync::Arc;

use bytes::Bytes;
use object_store::memory::InMemory;

use super::*;
use crate::executor::AttemptName;

fn ended() -> Job {
    let document: serde_json::Value =
        serde_json::from_str(include_str!("../../../test-data/v1/final.json")).unwrap();
    serde_json::from_value(document["job"].clone()).unwrap()
}

async fn copied(log: &[u8]) -> (Job, Vec<(String, u64)>, Bytes) {
    let (here, there) = (tempfile::tempdir().unwrap(), Objects::new(Arc::new(InMemory::new())));
    let copies = LogCopies::new(there.clone(), "/logs/", "pygeoapi-job-");
    let logs = Logs::new(here.path(), Objects::new(Arc::new(InMemory::new()))).copied_to(copies);
    let job = ended();
    let launch = job.launch_name().unwrap();
    let attempt = AttemptName { launch, uid: job.attempts[0].uid.clone() };
    logs.append(&attempt, 0, log).await.unwrap();
    logs.copy(&job).await;
    logs.copy(&job).await;
    let found = there.list("logs").await.unwrap();
    let text = match found.first() {
        Some((key, _)) => there.get(key).await.unwrap().unwrap(),
        None => Bytes::new(),
    };
    (job, found, text)
}

#[tokio::test]
async fn a_copy_has_what_was_printed_under_the_older_managers_name() {
    let log = b"2026-11-25T10:00:00.000001Z out a\n2026-11-25T10:00:00.000002Z err+ b \n\
                2026-11-25T10:00:00.000003Z err \xffc\n";
    let (job, found, text) = copied(log).await;
    assert_eq!(found.len(), 1, "another copy takes the place of the first");
    let day = job.finished().unwrap().to_zoned(TimeZone::system()).date();
    assert_eq!(found[0].0, format!("logs/{day}_pygeoapi-job-{}-logs.txt", job.id));
    assert_eq!(std::str::from_utf8(&text).unwrap(), "a\nb \u{fffd}c\n");
}

#[tokio::test]
async fn long_logs_are_copied_whole() {
    let line = "2026-11-25T10:00:00.000001Z out 0123456789\n";
    let lines = 3 * TOGETHER / line.len();
    let (_, found, text) = copied(line.repeat(lines).as_bytes()).await;
    assert_eq!(found[0].1, (lines * 11) as u64);
    assert!(text.chunks(11).all(|line| line == b"0123456789\n"));
}

#[tokio::test]
async fn an_empty_log_takes_no_copys_place() {
    assert!(copied(b"").await.1.is_empty());
}
