//! Readers beside the writer: what they see never goes back, and a page never shows what its filter leaves out.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use rutter_core::{
    id::JobId,
    job::Job,
    store::{JobFilter, JobStore, Page},
};
use rutter_store::{SqliteStore, conformance::sample};
use rutter_types::StatusCode;

const JOBS: usize = 6;
const ROUNDS: usize = 300;

/// What the writer was told to be stored, by job.
type Told = HashMap<JobId, AtomicU64>;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_readers_see_never_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let mut jobs = Vec::new();
    for _ in 0..JOBS {
        let (job, plan) = sample("flood");
        store.insert(&job, &plan).await.unwrap();
        jobs.push(job);
    }
    let told: Arc<Told> = Arc::new(jobs.iter().map(|job| (job.id, AtomicU64::new(0))).collect());
    let over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> =
        (0..3).map(|_| tokio::spawn(read(store.clone(), told.clone(), over.clone()))).collect();
    write(&store, jobs, &told).await;
    over.store(true, Ordering::SeqCst);
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
}

/// Each job goes on its way, all side by side, and ends in the last round.
async fn write(store: &SqliteStore, mut jobs: Vec<Job>, told: &Told) {
    for round in 1..=ROUNDS {
        for job in &mut jobs {
            let now = job.created;
            let next = match round {
                100 => job.clone().attempt_started("a", now),
                ROUNDS => job.clone().dismissed(now),
                _ => job.clone().progressed(u8::try_from(round / 3).ok(), None, now),
            };
            *job = next.expect("active");
            assert!(store.replace(job, &[]).await.expect("answered"));
            told[&job.id].store(job.revision, Ordering::SeqCst);
        }
    }
}

async fn read(store: Arc<SqliteStore>, told: Arc<Told>, over: Arc<AtomicBool>) -> u64 {
    let mut seen: HashMap<JobId, u64> = HashMap::new();
    let mut looks = 0;
    while !over.load(Ordering::SeqCst) {
        for status in [StatusCode::Accepted, StatusCode::Running, StatusCode::Dismissed] {
            let filter = JobFilter { statuses: vec![status], ..JobFilter::default() };
            let page = store.list(&filter, Page { after: None, limit: 10 }).await.expect("answered");
            for job in page.jobs {
                assert_eq!(job.status(), status);
                look(&mut seen, &job);
            }
        }
        for (id, told) in &*told {
            let least = told.load(Ordering::SeqCst);
            let job = store.get(*id).await.expect("read").expect("there");
            assert!(job.revision >= least, "what was told to be stored is seen");
            look(&mut seen, &job);
        }
        looks += 1;
        tokio::task::yield_now().await;
    }
    looks
}

fn look(seen: &mut HashMap<JobId, u64>, job: &Job) {
    let before = seen.insert(job.id, job.revision).unwrap_or(0);
    assert!(job.revision >= before, "seen {before}, then {}", job.revision);
}
