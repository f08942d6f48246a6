//! What another server has left is not touched: jobs that run in another place, objects of a newer version.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use jiff::Timestamp;
use rutter_core::{
    archive::{self, OpenError},
    results::Objects,
    store::JobStore,
};
use rutter_store::{MemoryStore, conformance::sample};

#[tokio::test]
async fn another_place_is_refused_only_while_jobs_run_in_the_former_one() {
    let folder = tempfile::tempdir().unwrap();
    let objects = Objects::in_folder(folder.path()).unwrap();
    let store = MemoryStore::default();
    let id = archive::open(&store, &objects, Timestamp::MIN).await.unwrap();
    archive::settle(&store, &objects, "cluster a", None).await.unwrap();

    let (job, plan) = sample("flood");
    store.insert(&job, &plan).await.unwrap();
    archive::settle(&store, &objects, "cluster b", None).await.unwrap();
    archive::settle(&store, &objects, "cluster a", None).await.unwrap();

    let launched = job.clone().launched(job.created).unwrap();
    assert!(store.replace(&launched, &[]).await.unwrap());
    for _ in 0..2 {
        let refused = archive::settle(&store, &objects, "cluster b", None).await.unwrap_err();
        archive::settle(&store, &objects, "cluster a by its uid", Some("cluster a")).await.unwrap();
        archive::settle(&store, &objects, "cluster a", Some("cluster a by its uid")).await.unwrap();
        assert!(
            matches!(&refused, OpenError::OtherPlace { then, now, jobs: 1 } if then == "cluster a" && now == "cluster b"),
            "{refused}"
        );
    }
    archive::settle(&store, &objects, "cluster a", None).await.unwrap();

    let ended = launched.dismissed(job.created).unwrap();
    assert!(store.replace(&ended, &[]).await.unwrap());
    archive::settle(&store, &objects, "cluster b", None).await.unwrap();
    assert_eq!(
        archive::open(&store, &objects, Timestamp::MIN).await.unwrap(),
        id,
        "it is still the same instance"
    );
}

#[tokio::test]
async fn objects_of_a_newer_server_are_refused_and_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let objects = Objects::in_folder(folder.path()).unwrap();
    archive::open(&MemoryStore::default(), &objects, Timestamp::MIN).await.unwrap();
    let path = folder.path().join("instance.json");
    let newer = std::fs::read_to_string(&path).unwrap().replace("\"version\":1", "\"version\":2");
    std::fs::write(&path, &newer).unwrap();
    // Also without a database: it would be rebuilt from documents that this server may misread.
    let store = MemoryStore::default();
    let refused = archive::open(&store, &objects, Timestamp::MIN).await.unwrap_err();
    assert!(matches!(&refused, OpenError::Newer { found: 2 }), "{refused}");
    assert_eq!(store.instance().await.unwrap(), None);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), newer);
}
