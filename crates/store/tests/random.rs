//! The memory store is right by looking at it: SQLite must give the same answer to everything, whatever came before.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use jiff::{SignedDuration, Timestamp};
use proptest::{collection::vec, option, prelude::*, sample::subsequence};
use rutter_core::{
    id::{CallerId, JobId},
    job::{Job, JobKey},
    store::{Call, CallId, CallKind, JobFilter, JobStore, Page},
};
use rutter_store::{
    MemoryStore, SqliteStore,
    conformance::{at, failed, sample},
};
use rutter_types::StatusCode;
use uuid::Uuid;

const PROCESSES: [&str; 3] = ["flood", "ship", "echo"];

/// One thing done to both stores. `which` chooses among the jobs made so far.
#[derive(Clone, Debug)]
enum Step {
    Insert { process: usize, owner: Option<usize>, created: i64, key: Option<u8>, digest: u8 },
    Change { which: usize, how: How, skip: u64, call: Option<(CallKind, i64)> },
    Archive(usize),
    Remove(usize, i64),
    Restore(usize),
    Forget(i64, i64),
    CallDone { which: usize, kind: CallKind, is_old: bool },
    CallAgain { which: usize, kind: CallKind, is_old: bool, tries: u32, due: i64 },
    List(JobFilter, usize),
    Limits(usize, i64),
}

#[derive(Clone, Copy, Debug)]
enum How {
    Launch,
    Start,
    Progress(u8),
    Fail,
    Dismiss,
}

fn time() -> impl Strategy<Value = i64> {
    0..40_i64
}

fn kind() -> impl Strategy<Value = CallKind> {
    prop_oneof![Just(CallKind::Progress), Just(CallKind::Success), Just(CallKind::Failed)]
}

fn filter() -> impl Strategy<Value = JobFilter> {
    let range = || option::of(time());
    let seconds = || option::of(prop_oneof![(0..40_i32).prop_map(f64::from), 0.0..40.0]);
    (
        option::of(option::of(0..2_usize)),
        subsequence(vec!["flood", "ship", "echo", "unknown"], 0..=3),
        subsequence(StatusCode::ALL.to_vec(), 0..=3),
        (range(), range()),
        (option::weighted(0.3, seconds()), option::weighted(0.3, seconds())),
        time(),
    )
        .prop_map(|(owner, processes, statuses, created, durations, now)| JobFilter {
            owner: owner.map(caller),
            processes: processes.into_iter().map(Into::into).collect(),
            statuses,
            created_from: created.0.map(at),
            created_to: created.1.map(at),
            min_duration: durations.0.flatten(),
            max_duration: durations.1.flatten(),
            now: at(now),
        })
}

fn step() -> impl Strategy<Value = Step> {
    let which = || any::<usize>();
    let how = prop_oneof![
        1 => Just(How::Launch),
        3 => Just(How::Start),
        1 => (0..=100_u8).prop_map(How::Progress),
        3 => Just(How::Fail),
        1 => Just(How::Dismiss),
    ];
    prop_oneof![
        6 => (0..3_usize, option::of(0..2_usize), time(), option::weighted(0.3, 0..3_u8), 0..2_u8).prop_map(
            |(process, owner, created, key, digest)| Step::Insert { process, owner, created, key, digest }
        ),
        8 => (which(), how, prop_oneof![9 => Just(0), 1 => Just(1_u64)], option::of((kind(), time())))
            .prop_map(|(which, how, skip, call)| Step::Change { which, how, skip, call }),
        1 => which().prop_map(Step::Archive),
        2 => (which(), time()).prop_map(|(which, now)| Step::Remove(which, now)),
        2 => which().prop_map(Step::Restore),
        1 => (time(), time()).prop_map(|(keys, gone)| Step::Forget(keys, gone)),
        1 => (which(), kind(), any::<bool>())
            .prop_map(|(which, kind, is_old)| Step::CallDone { which, kind, is_old }),
        1 => (which(), kind(), any::<bool>(), 0..9_u32, time()).prop_map(
            |(which, kind, is_old, tries, due)| Step::CallAgain { which, kind, is_old, tries, due }
        ),
        6 => (filter(), 1..6_usize).prop_map(|(filter, limit)| Step::List(filter, limit)),
        2 => (0..6_usize, time()).prop_map(|(limit, time)| Step::Limits(limit, time)),
    ]
}

fn caller(number: Option<usize>) -> Option<CallerId> {
    number.map(|number| ["ada", "bob"][number].parse().unwrap())
}

/// Jobs as the engine would know them, also those that were removed.
#[derive(Default)]
struct World {
    jobs: Vec<Job>,
}

impl World {
    fn pick(&self, which: usize) -> Option<usize> {
        which.checked_rem(self.jobs.len())
    }

    /// A new job; its identifier follows from its number, so that a failing case can be repeated.
    fn make(&self, process: usize, owner: Option<usize>, created: i64) -> Job {
        let (mut job, _) = sample(PROCESSES[process]);
        job.id = JobId::from_uuid(Uuid::from_u128(0x7000_8000_0000_0000_0000 + self.jobs.len() as u128));
        job.owner = caller(owner);
        job.created = at(created);
        job.updated = job.created;
        job
    }
}

fn changed(job: Job, how: How) -> Option<Job> {
    let now: Timestamp = job.updated + SignedDuration::from_millis(3_700);
    match how {
        How::Launch => job.launched(now).ok(),
        How::Start => job.attempt_started("a", now).ok(),
        How::Progress(percent) => job.progressed(Some(percent), None, now).ok(),
        How::Fail if job.finished().is_none() => Some(failed(job, now)),
        How::Fail => None,
        How::Dismiss => job.dismissed(now).ok(),
    }
}

/// Do a step to a store; its answer as text. Only the first store's run moves the world.
async fn perform(store: &dyn JobStore, world: &World, step: &Step) -> (String, Option<Job>) {
    let job = |which: &usize| world.pick(*which).map(|index| world.jobs[index].clone());
    match step {
        Step::Insert { process, owner, created, key, digest } => {
            let mut job = world.make(*process, *owner, *created);
            let (_, plan) = sample(PROCESSES[*process]);
            job.key = key.map(|key| JobKey { key: key.to_string(), body_digest: digest.to_string() });
            (format!("{:?}", store.insert(&job, &plan).await.unwrap()), Some(job))
        }
        Step::Change { which, how, skip, call } => {
            let Some(mut job) = job(which).and_then(|job| changed(job, *how)) else { return <_>::default() };
            job.revision += skip;
            let call = call.map(|(kind, due)| Call {
                id: CallId { job: job.id, kind },
                kind,
                url: format!("http://a/{}", job.revision),
                tries: 0,
                created: job.updated,
                due: at(due),
            });
            let stored = store.replace(&job, call.as_slice()).await.unwrap();
            (stored.to_string(), stored.then_some(job))
        }
        Step::Archive(which) => {
            let Some(mut job) = job(which) else { return <_>::default() };
            store.set_archived(job.id).await.unwrap();
            job.archived |= job.finished().is_some();
            (String::new(), Some(job))
        }
        Step::Remove(which, now) => {
            let Some(job) = job(which) else { return <_>::default() };
            (store.remove(job.id, at(*now)).await.unwrap().to_string(), None)
        }
        Step::Restore(which) => {
            let Some(job) = job(which) else { return <_>::default() };
            (store.restore(&job, None).await.unwrap().to_string(), None)
        }
        other => (answer(store, world, other).await, None),
    }
}

async fn answer(store: &dyn JobStore, world: &World, step: &Step) -> String {
    // The call that waits, or one whose place it took.
    let call = async |which: &usize, kind: CallKind, is_old: bool| {
        let id = CallId { job: world.jobs[world.pick(*which)?].id, kind };
        let mut waiting =
            store.calls_due(at(1_000), 99).await.unwrap().into_iter().find(|call| call.id == id)?;
        if is_old {
            waiting.created -= SignedDuration::from_micros(1);
        }
        Some(waiting)
    };
    match step {
        Step::Forget(keys, gone) => store.forget(at(*keys), at(*gone)).await.unwrap(),
        Step::CallDone { which, kind, is_old } => {
            if let Some(call) = call(which, *kind, *is_old).await {
                store.call_done(&call).await.unwrap();
            }
        }
        Step::CallAgain { which, kind, is_old, tries, due } => {
            if let Some(call) = call(which, *kind, *is_old).await {
                store.call_again(&call, *tries, at(*due)).await.unwrap();
            }
        }
        Step::List(filter, limit) => return pages(store, filter, *limit).await,
        Step::Limits(limit, time) => {
            return format!(
                "{:?} {:?} {:?}",
                store.unarchived(*limit).await.unwrap(),
                store.finished_before(at(*time), *limit).await.unwrap(),
                store.calls_due(at(*time), *limit).await.unwrap(),
            );
        }
        _ => unreachable!("done by `perform`"),
    }
    String::new()
}

/// A whole walk, page by page.
async fn pages(store: &dyn JobStore, filter: &JobFilter, limit: usize) -> String {
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = store.list(filter, Page { after, limit }).await.unwrap();
        pages.push(page.jobs);
        after = page.next;
        if after.is_none() {
            return format!("{pages:?}");
        }
    }
}

/// All that can be asked.
async fn all(store: &dyn JobStore, world: &World) -> String {
    let mut told = String::new();
    for job in &world.jobs {
        let (stored, plan, gone) =
            (store.get(job.id).await, store.plan(job.id).await, store.gone(job.id).await);
        told += &format!("{:?} {:?} {:?}\n", stored.unwrap(), plan.unwrap(), gone.unwrap());
    }
    let everything = JobFilter::default();
    let far = at(1_000);
    told += &format!(
        "{} {:?} {:?} {:?} {:?} {:?} {:?}",
        pages(store, &everything, 7).await,
        store.unfinished().await.unwrap(),
        store.unarchived(99).await.unwrap(),
        store.finished_before(far, 99).await.unwrap(),
        store.counts().await.unwrap(),
        store.calls_due(far, 99).await.unwrap(),
        store.next_call().await.unwrap(),
    );
    told
}

async fn compare(steps: &[Step]) {
    let folder = tempfile::tempdir().unwrap();
    let (memory, mut sqlite) = (MemoryStore::default(), SqliteStore::open(folder.path()).unwrap());
    let mut world = World::default();
    for (number, step) in steps.iter().enumerate() {
        let (expected, job) = perform(&memory, &world, step).await;
        let (found, _) = perform(&sqlite, &world, step).await;
        assert_eq!(found, expected, "step {number}: {step:?}");
        if let Some(job) = job {
            match world.jobs.iter_mut().find(|known| known.id == job.id) {
                Some(known) => *known = job,
                None => world.jobs.push(job),
            }
        }
        if number == steps.len() / 2 {
            drop(sqlite);
            sqlite = SqliteStore::open(folder.path()).unwrap();
        }
    }
    assert_eq!(all(&sqlite, &world).await, all(&memory, &world).await);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn sqlite_answers_like_memory(steps in vec(step(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(compare(&steps));
    }
}
