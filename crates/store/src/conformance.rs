//! What every store must do; run against each of them by `tests/conformance.rs`.

use std::{sync::Arc, time::Duration};

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use rutter_core::{
    engine::Settings,
    id::{InstanceId, JobId},
    job::{Job, JobKey, Mode, ResponseShape, State},
    plan::{Needs, Plan, PlanDefaults, PlannedUnit},
    process::{Contract, UnitKind},
    store::{Call, CallId, CallKind, Inserted, JobFilter, JobStore, Page},
};
use rutter_types::{
    Problem, StatusCode,
    agent::{Arg, FetchPolicy, Limits, Part},
};
use serde_json::json;

/// A job of a process and its plan, accepted at a fixed time.
pub fn sample(process: &str) -> (Job, Plan) {
    let created = at(0);
    let process: rutter_core::id::ProcessId = process.parse().expect("a process id");
    let job = Job {
        id: JobId::generate(),
        process: process.clone(),
        process_version: "1.0.0".into(),
        owner: Some("ada".parse().expect("a caller id")),
        mode: Mode::Async,
        shape: ResponseShape { v1: None, outputs: IndexMap::new(), answer: Vec::new() },
        request: json!({"inputs": {"level": 3.5}}),
        subscriber: None,
        key: None,
        created,
        updated: created,
        progress: None,
        message: None,
        launches: 0,
        attempts: Vec::new(),
        state: State::Accepted,
        archived: false,
        revision: 0,
    };
    let plan = Plan {
        process,
        told_id: "flood".into(),
        unit: PlannedUnit::Command,
        env: Vec::new(),
        contract: Contract::default(),
        inputs: serde_json::Map::new(),
        stage: Vec::new(),
        command: vec![Arg(vec![Part::Text("flood".into())])],
        package_folder: None,
        outputs: Vec::new(),
        needs: Needs { cpu_milli: 1500, memory_bytes: 2_000_000_000 },
        limits: Limits {
            command_seconds: 60,
            grace_seconds: 5,
            memory_bytes: None,
            scratch_bytes: None,
            output_bytes: 1,
            log_bytes: 1,
            contact_seconds: 1,
        },
        retries: 0,
        fetch: FetchPolicy {
            max_bytes: 1,
            idle_seconds: 1,
            max_redirects: 0,
            private_networks: false,
            allow: Vec::new(),
        },
    };
    (job, plan)
}

/// A job of a process made by a request with this `Idempotency-Key`.
pub fn keyed(process: &str, key: &str) -> Job {
    let key = JobKey { key: key.into(), body_digest: "d".into() };
    Job { key: Some(key), ..sample(process).0 }
}

/// What engines are told that run nothing.
pub fn settings() -> Settings {
    Settings {
        plan: PlanDefaults {
            needs: Needs { cpu_milli: 100, memory_bytes: 1_000_000 },
            limits: Limits {
                command_seconds: 60,
                grace_seconds: 1,
                memory_bytes: None,
                scratch_bytes: None,
                output_bytes: 1_000_000_000,
                log_bytes: 1_000_000,
                contact_seconds: 60,
            },
            fetch: FetchPolicy {
                max_bytes: 1_000_000,
                idle_seconds: 5,
                max_redirects: 5,
                private_networks: true,
                allow: Vec::new(),
            },
        },
        units: UnitKind::Command.into(),
        grace: Duration::from_secs(1),
        keep: SignedDuration::from_hours(720),
        keep_keys: SignedDuration::from_hours(24),
        keep_tombstones: SignedDuration::from_hours(24),
        disk_share: 0.8,
    }
}

/// A time, in seconds after the first.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_800_000_000 + seconds)
}

/// Every rule, on stores that are empty.
pub async fn run<S: JobStore>(empty: impl Fn() -> S) {
    keeps_its_instance(&empty()).await;
    gives_back_what_was_stored(&empty()).await;
    replaces_by_compare_and_set(&empty()).await;
    never_changes_a_job_that_is_over(&empty()).await;
    knows_keys(&empty()).await;
    gives_no_id_twice(&empty()).await;
    lists_newest_first_in_stable_pages(&empty()).await;
    filters(&empty()).await;
    filters_by_duration(&empty()).await;
    shows_each_change_everywhere(&empty()).await;
    removes_only_what_is_over(&empty()).await;
    restores_what_was_lost(&empty()).await;
    gives_keys_back(&empty()).await;
    keeps_calls(&empty()).await;
    leaves_a_call_that_took_the_place_of_another(&empty()).await;
    tells_what_is_left_to_do(&empty()).await;
    orders_by_creation(&empty()).await;
    lists_exactly_at_limits(&empty()).await;
    frees_the_key_of_a_removed_job(&empty()).await;
}

async fn add(store: &impl JobStore, job: &Job) {
    let (_, plan) = sample(job.process.as_str());
    assert_eq!(store.insert(job, &plan).await.expect("stored"), Inserted::New);
}

async fn change(store: &impl JobStore, job: Job) -> Job {
    assert!(store.replace(&job, &[]).await.expect("stored"), "the revision is the next one");
    job
}

fn running(job: Job, seconds: i64) -> Job {
    job.attempt_started("1", at(seconds)).expect("an active job")
}

/// A job that ends without results.
pub fn failed(job: Job, now: Timestamp) -> Job {
    let problem = Problem {
        kind: "about:blank".into(),
        title: None,
        status: Some(500),
        detail: None,
        instance: None,
        errors: Vec::new(),
        more: serde_json::Map::new(),
    };
    job.failed(problem, now).expect("an active job")
}

/// A job that ran from one time to another.
async fn ran(store: &impl JobStore, process: &str, from: i64, to: i64) -> Job {
    let (mut job, _) = sample(process);
    job.created = at(from);
    add(store, &job).await;
    let job = change(store, running(job, from)).await;
    change(store, failed(job, at(to))).await
}

async fn keeps_its_instance(store: &impl JobStore) {
    assert_eq!(store.instance().await.expect("read"), None);
    let id = InstanceId::generate();
    store.set_instance(id).await.expect("stored");
    assert_eq!(store.instance().await.expect("read"), Some(id));
}

async fn gives_back_what_was_stored(store: &impl JobStore) {
    let (job, plan) = sample("flood");
    store.insert(&job, &plan).await.expect("stored");
    assert_eq!(store.get(job.id).await.expect("read"), Some(Arc::new(job.clone())));
    assert_eq!(store.plan(job.id).await.expect("read"), Some(plan));
    assert_eq!(store.get(JobId::generate()).await.expect("read"), None);
    assert_eq!(store.gone(job.id).await.expect("read"), None);
}

async fn replaces_by_compare_and_set(store: &impl JobStore) {
    let (job, _) = sample("flood");
    add(store, &job).await;
    let first = running(job.clone(), 1);
    let second = job.clone().dismissed(at(1)).expect("active");
    assert!(store.replace(&first, &[]).await.expect("stored"));
    assert!(!store.replace(&second, &[]).await.expect("answered"), "somebody was first");
    assert_eq!(store.get(job.id).await.expect("read"), Some(Arc::new(first)));
    let (unknown, _) = sample("flood");
    assert!(!store.replace(&running(unknown, 1), &[]).await.expect("answered"));
}

async fn never_changes_a_job_that_is_over(store: &impl JobStore) {
    let over = ran(store, "flood", 0, 5).await;
    let mut again = over.clone();
    again.revision += 1;
    again.state = State::Accepted;
    assert!(!store.replace(&again, &[]).await.expect("answered"));
    store.set_archived(over.id).await.expect("stored");
    let archived = store.get(over.id).await.expect("read").expect("there");
    assert_eq!(*archived, Job { archived: true, ..over });
}

async fn knows_keys(store: &impl JobStore) {
    let (_, plan) = sample("flood");
    let insert = async |job: &Job| store.insert(job, &plan).await.expect("stored");
    let job = keyed("flood", "k");
    assert_eq!(insert(&job).await, Inserted::New);
    let second = keyed("flood", "k");
    let known = Inserted::Known { id: job.id, body_digest: "d".into() };
    assert_eq!(insert(&second).await, known);
    assert_eq!(store.get(second.id).await.expect("read"), None, "nothing is stored beside a known key");
    assert_eq!(
        insert(&Job { owner: Some("bob".parse().expect("id")), ..second.clone() }).await,
        Inserted::New
    );
    assert_eq!(insert(&Job { owner: None, ..keyed("flood", "k") }).await, Inserted::New);
    assert_eq!(insert(&keyed("ship", "k")).await, Inserted::New, "a key is of one process");
    assert_eq!(insert(&keyed("flood", "another")).await, Inserted::New);
    store.forget(at(1), at(0)).await.expect("done");
    assert_eq!(insert(&keyed("flood", "k")).await, Inserted::New);
}

async fn lists_newest_first_in_stable_pages(store: &impl JobStore) {
    let mut expected = Vec::new();
    for _ in 0..25 {
        let (job, _) = sample("flood");
        add(store, &job).await;
        expected.insert(0, job.id);
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.list(&JobFilter::default(), Page { after, limit: 10 }).await.expect("a page");
        seen.extend(page.jobs.iter().map(|job| job.id));
        // What arrives meanwhile is newer than the page: it does not show and pushes nothing twice.
        add(store, &sample("flood").0).await;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, expected);
}

async fn filters(store: &impl JobStore) {
    let flood = ran(store, "flood", 0, 5).await;
    let ship = ran(store, "ship", 10, 20).await;
    let (mut mine, _) = sample("flood");
    mine.owner = None;
    mine.created = at(30);
    add(store, &mine).await;
    let base = JobFilter { now: at(100), ..JobFilter::default() };
    let found = async |filter: JobFilter| {
        let page = store.list(&filter, Page { after: None, limit: 100 }).await.expect("a page");
        assert_eq!(page.next, None);
        page.jobs.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    let with = |change: &dyn Fn(&mut JobFilter)| {
        let mut filter = base.clone();
        change(&mut filter);
        filter
    };
    assert_eq!(found(with(&|_| {})).await, [mine.id, ship.id, flood.id]);
    assert_eq!(found(with(&|it| it.processes = vec!["flood".into()])).await, [mine.id, flood.id]);
    let both = with(&|it| it.processes = vec!["ship".into(), "flood".into(), "none".into()]);
    assert_eq!(found(both).await, [mine.id, ship.id, flood.id]);
    assert_eq!(found(with(&|it| it.statuses = vec![StatusCode::Failed])).await, [ship.id, flood.id]);
    let any = with(&|it| it.statuses = vec![StatusCode::Failed, StatusCode::Accepted]);
    assert_eq!(found(any).await, [mine.id, ship.id, flood.id]);
    assert_eq!(found(with(&|it| it.owner = Some(None))).await, [mine.id]);
    assert_eq!(
        found(with(&|it| it.owner = Some(Some("ada".parse().expect("id"))))).await,
        [ship.id, flood.id]
    );
    assert_eq!(found(with(&|it| it.created_from = Some(at(10)))).await, [mine.id, ship.id]);
    assert_eq!(found(with(&|it| it.created_to = Some(at(10)))).await, [ship.id, flood.id]);
    let between = with(&|it| {
        it.created_from = Some(at(1));
        it.created_to = Some(at(29));
        it.processes = vec!["ship".into()];
        it.statuses = vec![StatusCode::Failed];
    });
    assert_eq!(found(between).await, [ship.id]);
    assert!(found(with(&|it| it.created_from = Some(at(10_000_000)))).await.is_empty());
}

async fn filters_by_duration(store: &impl JobStore) {
    let short = ran(store, "flood", 0, 5).await;
    let long = ran(store, "flood", 0, 50).await;
    let (job, _) = sample("flood");
    add(store, &job).await;
    let now_running = change(store, running(job, 80)).await;
    add(store, &sample("flood").0).await;
    let found = async |least: Option<f64>, most: Option<f64>, statuses: Vec<StatusCode>| {
        let filter = JobFilter {
            min_duration: least,
            max_duration: most,
            statuses,
            now: at(100),
            ..JobFilter::default()
        };
        let page = store.list(&filter, Page { after: None, limit: 100 }).await.expect("a page");
        page.jobs.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    assert_eq!(found(Some(0.0), None, vec![]).await, [now_running.id, long.id, short.id]);
    assert_eq!(found(Some(5.0), Some(20.0), vec![]).await, [now_running.id, short.id], "both ends count");
    assert_eq!(found(Some(20.001), None, vec![]).await, [long.id]);
    assert_eq!(found(None, Some(50.0), vec![StatusCode::Failed]).await, [long.id, short.id]);
    assert!(found(Some(0.0), None, vec![StatusCode::Accepted]).await.is_empty());
}

/// Whoever asks after a change sees it, alone and in the list; also a job that took the place of a removed one.
async fn shows_each_change_everywhere(store: &impl JobStore) {
    let (mut job, plan) = sample("seen");
    job.created = at(500);
    store.insert(&job, &plan).await.expect("stored");
    seen(store, &job).await;
    job = change(store, running(job, 501)).await;
    seen(store, &job).await;
    job = change(store, failed(job, at(502))).await;
    seen(store, &job).await;
    store.set_archived(job.id).await.expect("stored");
    job.archived = true;
    seen(store, &job).await;
    assert!(store.remove(job.id, at(503)).await.expect("removed"));
    assert_eq!(store.get(job.id).await.expect("read"), None);
    let (mut other, _) = sample("seen");
    other.created = job.created;
    add(store, &other).await;
    seen(store, &other).await;
    assert_eq!(store.get(job.id).await.expect("read"), None);
}

/// The one job of its process is shown so, twice.
async fn seen(store: &impl JobStore, job: &Job) {
    let filter = JobFilter { processes: vec![job.process.to_string()], ..JobFilter::default() };
    let by_status = JobFilter { statuses: vec![job.status()], ..filter.clone() };
    for _ in 0..2 {
        assert_eq!(store.get(job.id).await.expect("read").as_deref(), Some(job));
        for filter in [&filter, &by_status] {
            let page = store.list(filter, Page { after: None, limit: 9 }).await.expect("a page");
            assert!(page.jobs.iter().map(|job| &**job).eq([job]));
        }
    }
}

async fn removes_only_what_is_over(store: &impl JobStore) {
    let (active, _) = sample("flood");
    add(store, &active).await;
    assert!(!store.remove(active.id, at(9)).await.expect("answered"));
    let over = ran(store, "flood", 0, 5).await;
    assert!(store.remove(over.id, at(9)).await.expect("removed"));
    assert!(!store.remove(over.id, at(9)).await.expect("answered"), "it is gone");
    assert_eq!(store.get(over.id).await.expect("read"), None);
    assert_eq!(store.plan(over.id).await.expect("read"), None);
    assert_eq!(store.gone(over.id).await.expect("read"), Some(at(9)));
    assert!(!store.restore(&over, None).await.expect("answered"), "removed is removed");
    store.forget(at(0), at(10)).await.expect("done");
    assert_eq!(store.gone(over.id).await.expect("read"), None);
}

async fn restores_what_was_lost(store: &impl JobStore) {
    let (job, plan) = sample("flood");
    let job = job.launched(at(1)).expect("active");
    assert!(store.restore(&job, Some(&plan)).await.expect("stored"));
    assert!(!store.restore(&job, Some(&plan)).await.expect("answered"));
    assert_eq!(store.get(job.id).await.expect("read"), Some(Arc::new(job.clone())));
    assert_eq!(store.unfinished().await.expect("read"), [(job.id, plan.needs, true)]);
    change(store, running(job, 2)).await;
}

/// A key comes back with its job; of two jobs that had it one after the other, the younger has it.
async fn gives_keys_back(store: &impl JobStore) {
    let (_, plan) = sample("flood");
    let made = |created| Job { created: at(created), ..keyed("flood", "k") };
    let [oldest, younger, last] = [made(0), made(90_000), made(80_000)];
    for job in [&oldest, &younger, &last] {
        assert!(store.restore(job, None).await.expect("stored"));
    }
    let known = Inserted::Known { id: younger.id, body_digest: "d".into() };
    assert_eq!(store.insert(&made(90_001), &plan).await.expect("answered"), known);
    let over = change(store, younger.dismissed(at(90_002)).expect("active")).await;
    assert!(store.remove(over.id, at(90_003)).await.expect("removed"));
    assert_eq!(store.insert(&made(90_004), &plan).await.expect("stored"), Inserted::New);
}

async fn keeps_calls(store: &impl JobStore) {
    let (job, _) = sample("flood");
    add(store, &job).await;
    let call = |kind, url: &str, due| Call {
        id: CallId { job: job.id, kind },
        kind,
        url: url.into(),
        tries: 0,
        created: at(0),
        due,
    };
    let job = running(job.clone(), 1);
    let first = call(CallKind::Progress, "http://a/1", at(1));
    assert!(store.replace(&job, std::slice::from_ref(&first)).await.expect("stored"));
    let second = call(CallKind::Progress, "http://a/2", at(2));
    let job = job.progressed(Some(5), None, at(2)).expect("active");
    assert!(store.replace(&job, std::slice::from_ref(&second)).await.expect("stored"));
    assert!(!store.replace(&job, &[call(CallKind::Failed, "http://no", at(1))]).await.expect("answered"));
    assert_eq!(store.calls_due(at(1), 9).await.expect("read"), []);
    assert_eq!(store.next_call().await.expect("read"), Some(at(2)));
    assert_eq!(
        store.calls_due(at(2), 9).await.expect("read"),
        std::slice::from_ref(&second),
        "one pending per kind"
    );
    store.call_again(&second, 1, at(50)).await.expect("stored");
    let again = Call { tries: 1, due: at(50), ..second };
    assert_eq!(store.calls_due(at(50), 9).await.expect("read"), std::slice::from_ref(&again));
    store.call_done(&again).await.expect("stored");
    assert_eq!(store.next_call().await.expect("read"), None);
}

/// While a call is on its way a newer one takes its place: what became of the first says nothing of the second.
async fn leaves_a_call_that_took_the_place_of_another(store: &impl JobStore) {
    let (job, _) = sample("flood");
    add(store, &job).await;
    let call = |seconds| Call {
        id: CallId { job: job.id, kind: CallKind::Progress },
        kind: CallKind::Progress,
        url: "http://a/".into(),
        tries: 0,
        created: at(seconds),
        due: at(seconds),
    };
    let (sent, newer) = (call(1), call(2));
    let job = running(job.clone(), 1);
    assert!(store.replace(&job, std::slice::from_ref(&sent)).await.expect("stored"));
    let job = job.progressed(Some(5), None, at(2)).expect("active");
    assert!(store.replace(&job, std::slice::from_ref(&newer)).await.expect("stored"));
    store.call_again(&sent, 1, at(50)).await.expect("done");
    assert_eq!(store.calls_due(at(2), 9).await.expect("read"), std::slice::from_ref(&newer));
    store.call_done(&sent).await.expect("done");
    assert_eq!(store.calls_due(at(2), 9).await.expect("read"), std::slice::from_ref(&newer));
    store.call_done(&newer).await.expect("done");
    assert_eq!(store.next_call().await.expect("read"), None);
}

async fn tells_what_is_left_to_do(store: &impl JobStore) {
    let (waiting, plan) = sample("flood");
    add(store, &waiting).await;
    let second = ran(store, "flood", 0, 20).await;
    let first = ran(store, "flood", 0, 10).await;
    assert_eq!(store.unfinished().await.expect("read"), [(waiting.id, plan.needs, false)]);
    assert_eq!(store.unarchived(9).await.expect("read"), [second.id, first.id]);
    store.set_archived(second.id).await.expect("stored");
    assert_eq!(store.unarchived(9).await.expect("read"), [first.id]);
    assert_eq!(store.finished_before(at(99), 9).await.expect("read"), [first.id, second.id]);
    assert_eq!(store.finished_before(at(20), 9).await.expect("read"), [first.id]);
    let counts = store.counts().await.expect("read");
    let expected = [1, 0, 0, 2, 0];
    assert_eq!(counts, StatusCode::ALL.into_iter().zip(expected).collect::<Vec<_>>());
}

/// A job put back after its row was lost stands where it stood, not at the top.
async fn orders_by_creation(store: &impl JobStore) {
    let mut jobs: Vec<Arc<Job>> = (0..4)
        .map(|number| {
            let (mut job, _) = sample("flood");
            job.created = at(number);
            Arc::new(job)
        })
        .collect();
    for index in [2, 0, 3] {
        add(store, &jobs[index]).await;
    }
    assert!(store.restore(&jobs[1], None).await.expect("stored"));
    let page = store.list(&JobFilter::default(), Page { after: None, limit: 9 }).await.expect("a page");
    jobs.reverse();
    assert_eq!(page.jobs, jobs);
    let waiting = store.unfinished().await.expect("read");
    assert!(waiting.iter().map(|(id, ..)| *id).eq(jobs.iter().rev().map(|job| job.id)), "oldest first");
    let filter = JobFilter { created_from: Some(at(1)), created_to: Some(at(2)), ..JobFilter::default() };
    let page = store.list(&filter, Page { after: None, limit: 9 }).await.expect("a page");
    assert_eq!(page.jobs, jobs[1..3]);
}

/// More jobs of one microsecond than any store has room for in its order (only a clock that stands makes them).
async fn lists_exactly_at_limits(store: &impl JobStore) {
    let mut last = None;
    for _ in 0..1_030 {
        let (job, _) = sample("flood");
        add(store, &job).await;
        last = Some(job.id);
    }
    let (mut later, _) = sample("flood");
    later.created = at(0) + SignedDuration::from_micros(1);
    add(store, &later).await;
    let list = async |filter: JobFilter, limit| {
        let page = store.list(&filter, Page { after: None, limit }).await.expect("a page");
        (page.jobs.iter().map(|job| job.id).collect::<Vec<_>>(), page.next.is_some())
    };
    let exactly = |from: Timestamp, to: Timestamp| JobFilter {
        created_from: Some(from),
        created_to: Some(to),
        ..JobFilter::default()
    };
    assert_eq!(list(exactly(later.created, later.created), 9).await, (vec![later.id], false));
    let (found, more) = list(exactly(at(0), at(0)), 1_030).await;
    assert_eq!((found.len(), more), (1_030, false), "all of them, and no further page");
    assert_eq!(found.first().copied(), last);
    assert!(list(exactly(at(0), at(0)), 1_029).await.1);
    assert_eq!(list(JobFilter::default(), 0).await, (vec![], false));
}

/// An id that a client chose is nobody else's: not while its job is there, and not afterwards.
async fn gives_no_id_twice(store: &impl JobStore) {
    let (job, plan) = sample("flood");
    add(store, &job).await;
    let other = Job { id: job.id, owner: Some("eve".parse().expect("a name")), ..sample("other").0 };
    assert_eq!(store.insert(&other, &plan).await.expect("answered"), Inserted::Taken);
    assert_eq!(store.get(job.id).await.expect("read"), Some(Arc::new(job.clone())));
    change(store, job.clone().dismissed(at(1)).expect("active")).await;
    assert!(store.remove(job.id, at(2)).await.expect("removed"));
    assert_eq!(store.insert(&other, &plan).await.expect("answered"), Inserted::Taken);
    assert_eq!(store.get(job.id).await.expect("read"), None);
}

/// What a key names is there: once the job is removed, the same request makes a new one.
async fn frees_the_key_of_a_removed_job(store: &impl JobStore) {
    let (job, plan) = (keyed("flood", "k"), sample("flood").1);
    store.insert(&job, &plan).await.expect("stored");
    change(store, job.clone().dismissed(at(1)).expect("active")).await;
    assert!(store.remove(job.id, at(2)).await.expect("removed"));
    assert_eq!(store.insert(&keyed("flood", "k"), &plan).await.expect("stored"), Inserted::New);
}
