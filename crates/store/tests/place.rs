//! Jobs that run in another place than the one that is configured are not touched.
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
    archive::settle(&store, &objects, "cluster a").await.unwrap();

    let (job, plan) = sample("flood");
    store.insert(&job, &plan).await.unwrap();
    archive::settle(&store, &objects, "cluster b").await.unwrap();
    archive::settle(&store, &objects, "cluster a").await.unwrap();

    let launched = job.clone().launched(job.created).unwrap();
    assert!(store.replace(&launched, &[]).await.unwrap());
    for _ in 0..2 {
        let refused = archive::settle(&store, &objects, "cluster b").await.unwrap_err();
        assert!(
            matches!(&refused, OpenError::OtherPlace { then, now, jobs: 1 } if then == "cluster a" && now == "cluster b"),
            "{refused}"
        );
    }
    archive::settle(&store, &objects, "cluster a").await.unwrap();

    let ended = launched.dismissed(job.created).unwrap();
    assert!(store.replace(&ended, &[]).await.unwrap());
    archive::settle(&store, &objects, "cluster b").await.unwrap();
    assert_eq!(
        archive::open(&store, &objects, Timestamp::MIN).await.unwrap(),
        id,
        "it is still the same instance"
    );
}
