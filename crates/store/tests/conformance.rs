//! Every store does what every store must do; SQLite also keeps it through everything.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use rutter_core::{
    id::JobId,
    store::{Inserted, JobStore, StoreError},
};
use rutter_store::{
    MemoryStore, SqliteStore,
    conformance::{self, keyed, sample},
};

#[tokio::test]
async fn memory_conforms() {
    conformance::run(MemoryStore::default).await;
}

#[tokio::test]
async fn sqlite_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let number = AtomicU32::new(0);
    conformance::run(|| {
        let folder = folder.path().join(number.fetch_add(1, Ordering::Relaxed).to_string());
        std::fs::create_dir(&folder).unwrap();
        SqliteStore::open(&folder).unwrap()
    })
    .await;
}

#[tokio::test]
async fn a_second_server_is_refused_with_the_pid_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let first = SqliteStore::open(folder.path()).unwrap();
    let error = SqliteStore::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Taken { pid, .. } if pid == std::process::id()), "{error}");
    drop(first);
    SqliteStore::open(folder.path()).unwrap();
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(folder.path()).unwrap());
    let connection = rusqlite::Connection::open(folder.path().join("rutter.db")).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let error = SqliteStore::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::TooNew { found: 99, .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_parallel_equal_keys_one_inserts() {
    let folder = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(SqliteStore::open(folder.path()).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let store = store.clone();
        tasks.spawn(async move {
            let (job, plan) = (keyed("flood", "same"), sample("flood").1);
            (job.id, store.insert(&job, &plan).await.unwrap())
        });
    }
    let outcomes = tasks.join_all().await;
    let inserted: Vec<JobId> = outcomes.iter().filter(|it| it.1 == Inserted::New).map(|it| it.0).collect();
    assert_eq!(inserted.len(), 1);
    assert!(outcomes.iter().all(|(_, outcome)| match outcome {
        Inserted::New => true,
        Inserted::Known { id, .. } => *id == inserted[0],
        Inserted::Taken => false,
    }));
}

/// A disk that is full gives an error, loses nothing, and is used again once it has room.
#[tokio::test]
async fn a_full_disk_is_said_and_survived() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let (kept, plan) = sample("flood");
    store.insert(&kept, &plan).await.unwrap();
    drop(store);
    // The page limit makes SQLite say SQLITE_FULL exactly as a full disk does.
    let pages: u32 = database(&folder).query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let store = SqliteStore::open_with_page_limit(folder.path(), pages + 40).unwrap();
    let large = || {
        let (mut job, plan) = sample("flood");
        job.request = serde_json::json!({"inputs": {"text": "x".repeat(10_000)}});
        (job, plan)
    };
    let mut stored = Vec::new();
    let error = loop {
        let (job, plan) = large();
        match store.insert(&job, &plan).await {
            Ok(_) => stored.push(job),
            Err(error) => {
                assert_eq!(store.get(job.id).await.unwrap(), None);
                break error;
            }
        }
    };
    assert!(matches!(error, StoreError::Full), "{error}");
    for job in &stored {
        assert_eq!(store.get(job.id).await.unwrap().as_deref(), Some(job));
    }
    // While it is full, jobs still end and are removed; that makes room, and the same store takes jobs again.
    let ended = stored[0].clone().dismissed(stored[0].created).unwrap();
    assert!(store.replace(&ended, &[]).await.unwrap());
    assert!(store.remove(ended.id, ended.updated).await.unwrap());
    let (job, plan) = large();
    assert_eq!(store.insert(&job, &plan).await.unwrap(), Inserted::New);
    assert_eq!(store.get(kept.id).await.unwrap(), Some(std::sync::Arc::new(kept)));
    drop(store);
    let verdict: String =
        database(&folder).query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

/// Of a batch that shares a transaction, only what does not fit is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_too_large_for_the_disk_takes_no_other_down() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(folder.path()).unwrap());
    let pages: u32 = database(&folder).query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let store = std::sync::Arc::new(SqliteStore::open_with_page_limit(folder.path(), pages + 200).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..40 {
        let store = store.clone();
        tasks.spawn(async move {
            let (mut job, plan) = sample("flood");
            let large = number % 4 == 0;
            if large {
                job.request = serde_json::json!("x".repeat(2_000_000));
            }
            (large, job.id, store.insert(&job, &plan).await)
        });
    }
    for (large, id, outcome) in tasks.join_all().await {
        assert_eq!(matches!(outcome, Err(StoreError::Full)), large, "{outcome:?}");
        assert_eq!(store.get(id).await.unwrap().is_some(), !large);
    }
}

/// A key is known after a restart.
#[tokio::test]
async fn a_key_outlives_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let (job, plan) = (keyed("flood", "k"), sample("flood").1);
    let store = SqliteStore::open(folder.path()).unwrap();
    store.insert(&job, &plan).await.unwrap();
    drop(store);
    let store = SqliteStore::open(folder.path()).unwrap();
    let outcome = store.insert(&keyed("flood", "k"), &plan).await.unwrap();
    assert_eq!(outcome, Inserted::Known { id: job.id, body_digest: "d".into() });
}

#[test]
fn what_callers_sent_is_readable_for_the_server_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let _store = SqliteStore::open(&data).unwrap();
    for name in ["rutter.db", "rutter.db-wal", "rutter.db-shm"] {
        let mode = std::fs::metadata(data.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
}

fn database(folder: &tempfile::TempDir) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.path().join("rutter.db")).unwrap()
}

const CHILD: &str = "RUTTER_STORE_TEST_FOLDER";

/// Not a test of its own: the child of the next one, which inserts and tells until it is killed.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_inserts() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let store = std::sync::Arc::new(SqliteStore::open(folder.as_ref()).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = store.clone();
        tasks.spawn(async move {
            loop {
                let (job, plan) = sample("flood");
                store.insert(&job, &plan).await.unwrap();
                println!("stored {}", job.id);
            }
        });
    }
    tasks.join_all().await;
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<JobId> = Vec::new();
    for round in 1..=5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child_that_inserts", "--exact", "--nocapture"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = lines.map_while(Result::ok).filter_map(|line| {
            let (_, id) = line.split_once("stored ")?;
            id.trim().parse::<JobId>().ok()
        });
        // Killed in the middle of its work, after another number of jobs each round.
        acknowledged.extend(told.take(round * 17));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let store = SqliteStore::open(folder.path()).unwrap();
    for id in &acknowledged {
        assert!(store.get(*id).await.unwrap().is_some(), "{id} was acknowledged and is lost");
    }
    assert_eq!(acknowledged.len(), 17 * 15);
}
