//! A store in memory: so simple that it is right by looking at it. The reference for the others, and for tests above.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use jiff::Timestamp;
use rutter_core::{
    id::{CallerId, InstanceId, JobId, ProcessId},
    job::Job,
    plan::{Needs, Plan},
    store::{Call, CallId, Cursor, Inserted, JobFilter, JobPage, JobStore, Page, StoreError},
};
use rutter_types::StatusCode;

use crate::place;

/// A store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<State>);

type KeyName = (Option<CallerId>, ProcessId, String);

/// What a key names.
#[derive(Debug)]
struct Known {
    job: JobId,
    body_digest: String,
    created: Timestamp,
}

fn key_name(job: &Job) -> Option<KeyName> {
    Some((job.owner.clone(), job.process.clone(), job.key.as_ref()?.key.clone()))
}

#[derive(Debug, Default)]
struct State {
    instance: Option<InstanceId>,
    jobs: BTreeMap<i64, (Arc<Job>, Option<Plan>)>,
    places: HashMap<JobId, i64>,
    keys: HashMap<KeyName, Known>,
    gone: HashMap<JobId, Timestamp>,
    calls: HashMap<CallId, Call>,
}

impl State {
    fn job(&self, id: JobId) -> Option<&Arc<Job>> {
        self.jobs.get(self.places.get(&id)?).map(|(job, _)| job)
    }

    /// The younger of two jobs has the key of both.
    fn take_key(&mut self, job: &Job) {
        let (Some(name), Some(key)) = (key_name(job), &job.key) else { return };
        if self.keys.get(&name).is_none_or(|known| known.created < job.created) {
            let known = Known { job: job.id, body_digest: key.body_digest.clone(), created: job.created };
            self.keys.insert(name, known);
        }
    }

    fn add(&mut self, job: &Job, plan: Option<&Plan>) {
        let first = place::first(job.created.as_microsecond());
        let last = self.jobs.range(first..first + place::SLOTS).next_back();
        let mut place = last.map_or(first, |(place, _)| place + 1);
        while self.jobs.contains_key(&place) {
            place += 1;
        }
        self.jobs.insert(place, (Arc::new(job.clone()), plan.cloned()));
        self.places.insert(job.id, place);
    }
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a job passes a filter (`/req/job-list`).
fn passes(filter: &JobFilter, job: &Job) -> bool {
    let owner = filter.owner.as_ref().is_none_or(|owner| *owner == job.owner);
    let process = filter.processes.is_empty() || filter.processes.iter().any(|it| it == job.process.as_str());
    let status = filter.statuses.is_empty() || filter.statuses.contains(&job.status());
    let from = filter.created_from.is_none_or(|from| job.created >= from);
    let to = filter.created_to.is_none_or(|to| job.created <= to);
    owner && process && status && from && to && passes_duration(filter, job)
}

fn passes_duration(filter: &JobFilter, job: &Job) -> bool {
    if filter.min_duration.is_none() && filter.max_duration.is_none() {
        return true;
    }
    let end = if job.status() == StatusCode::Running { Some(filter.now) } else { job.finished() };
    let (Some(started), Some(end)) = (job.started(), end) else { return false };
    let micros = end.as_microsecond() - started.as_microsecond();
    filter.min_duration.is_none_or(|least| micros >= place::micros(least))
        && filter.max_duration.is_none_or(|most| micros <= place::micros(most))
}

#[async_trait]
impl JobStore for MemoryStore {
    async fn instance(&self) -> Result<Option<InstanceId>, StoreError> {
        Ok(self.lock().instance)
    }

    async fn set_instance(&self, id: InstanceId) -> Result<(), StoreError> {
        self.lock().instance = Some(id);
        Ok(())
    }

    async fn insert(&self, job: &Job, plan: &Plan) -> Result<Inserted, StoreError> {
        let mut state = self.lock();
        if let Some(known) = key_name(job).and_then(|name| state.keys.get(&name)) {
            return Ok(Inserted::Known { id: known.job, body_digest: known.body_digest.clone() });
        }
        if state.places.contains_key(&job.id) || state.gone.contains_key(&job.id) {
            return Ok(Inserted::Taken);
        }
        state.take_key(job);
        state.add(job, Some(plan));
        Ok(Inserted::New)
    }

    async fn get(&self, id: JobId) -> Result<Option<Arc<Job>>, StoreError> {
        Ok(self.lock().job(id).cloned())
    }

    async fn plan(&self, id: JobId) -> Result<Option<Plan>, StoreError> {
        let state = self.lock();
        Ok(state.places.get(&id).and_then(|place| state.jobs.get(place)?.1.clone()))
    }

    async fn replace(&self, job: &Job, calls: &[Call]) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let Some(stored) = state.job(job.id) else { return Ok(false) };
        if stored.revision + 1 != job.revision || stored.status().is_terminal() {
            return Ok(false);
        }
        let place = state.places[&job.id];
        if let Some((stored, _)) = state.jobs.get_mut(&place) {
            *stored = Arc::new(job.clone());
        }
        state.calls.extend(calls.iter().map(|call| (call.id, call.clone())));
        Ok(true)
    }

    async fn list(&self, filter: &JobFilter, page: Page) -> Result<JobPage, StoreError> {
        let state = self.lock();
        let before = page.after.map_or(i64::MAX, |cursor| cursor.0);
        let mut found = state.jobs.range(..before).rev().filter(|(_, (job, _))| passes(filter, job));
        let part: Vec<_> = found.by_ref().take(page.limit).collect();
        let next = found.next().and_then(|_| part.last().map(|(place, _)| Cursor(**place)));
        Ok(JobPage { jobs: part.into_iter().map(|(_, (job, _))| job.clone()).collect(), next })
    }

    async fn unfinished(&self) -> Result<Vec<(JobId, Needs, bool)>, StoreError> {
        let state = self.lock();
        let active = state.jobs.values().filter(|(job, _)| !job.status().is_terminal());
        Ok(active
            .map(|(job, plan)| {
                (job.id, plan.as_ref().map_or(Needs::default(), |plan| plan.needs), job.launches > 0)
            })
            .collect())
    }

    async fn unarchived(&self, limit: usize) -> Result<Vec<JobId>, StoreError> {
        let state = self.lock();
        let over = state.jobs.values().filter(|(job, _)| job.status().is_terminal() && !job.archived);
        Ok(over.map(|(job, _)| job.id).take(limit).collect())
    }

    async fn set_archived(&self, id: JobId) -> Result<(), StoreError> {
        let mut state = self.lock();
        let place = state.places.get(&id).copied();
        if let Some((job, _)) = place.and_then(|place| state.jobs.get_mut(&place)) {
            let archived = job.archived || job.status().is_terminal();
            Arc::make_mut(job).archived = archived;
        }
        Ok(())
    }

    async fn finished_before(&self, before: Timestamp, limit: usize) -> Result<Vec<JobId>, StoreError> {
        let state = self.lock();
        let mut ended: Vec<(Timestamp, i64, JobId)> = state
            .jobs
            .iter()
            .filter_map(|(place, (job, _))| Some((job.finished()?, *place, job.id)))
            .filter(|(finished, ..)| *finished < before)
            .collect();
        ended.sort_unstable();
        Ok(ended.into_iter().take(limit).map(|(.., id)| id).collect())
    }

    async fn remove(&self, id: JobId, now: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.lock();
        if !state.job(id).is_some_and(|job| job.status().is_terminal()) {
            return Ok(false);
        }
        if let Some(place) = state.places.remove(&id) {
            state.jobs.remove(&place);
        }
        state.calls.retain(|call, _| call.job != id);
        state.keys.retain(|_, known| known.job != id);
        state.gone.insert(id, now);
        Ok(true)
    }

    async fn gone(&self, id: JobId) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.lock().gone.get(&id).copied())
    }

    async fn restore(&self, job: &Job, plan: Option<&Plan>) -> Result<bool, StoreError> {
        let mut state = self.lock();
        if state.places.contains_key(&job.id) || state.gone.contains_key(&job.id) {
            return Ok(false);
        }
        state.take_key(job);
        state.add(job, plan);
        Ok(true)
    }

    async fn forget(&self, keys_before: Timestamp, tombstones_before: Timestamp) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.keys.retain(|_, known| known.created >= keys_before);
        state.gone.retain(|_, removed| *removed >= tombstones_before);
        Ok(())
    }

    async fn counts(&self) -> Result<Vec<(StatusCode, u64)>, StoreError> {
        let state = self.lock();
        let count = |status| state.jobs.values().filter(|(job, _)| job.status() == status).count() as u64;
        Ok(StatusCode::ALL.iter().map(|&status| (status, count(status))).collect())
    }

    async fn calls_due(&self, now: Timestamp, limit: usize) -> Result<Vec<Call>, StoreError> {
        let state = self.lock();
        let mut due: Vec<Call> = state.calls.values().filter(|call| call.due <= now).cloned().collect();
        due.sort_by_key(|call| (call.due, call.id.job, call.id.kind));
        due.truncate(limit);
        Ok(due)
    }

    async fn next_call(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.lock().calls.values().map(|call| call.due).min())
    }

    async fn call_done(&self, call: &Call) -> Result<(), StoreError> {
        let mut state = self.lock();
        if state.calls.get(&call.id).is_some_and(|stored| stored.created == call.created) {
            state.calls.remove(&call.id);
        }
        Ok(())
    }

    async fn call_again(&self, call: &Call, tries: u32, due: Timestamp) -> Result<(), StoreError> {
        let mut state = self.lock();
        if let Some(stored) = state.calls.get_mut(&call.id).filter(|stored| stored.created == call.created) {
            stored.tries = tries;
            stored.due = due;
        }
        Ok(())
    }
}
