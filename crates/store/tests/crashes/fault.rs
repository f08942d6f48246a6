//! A store and objects that fail when they are told to: at a step, or because nothing more has room.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream::BoxStream};
use jiff::Timestamp;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, memory::InMemory, path::Path as Key,
};
use rutter_core::{
    id::{InstanceId, JobId},
    job::Job,
    plan::{Needs, Plan},
    store::{Call, Inserted, JobFilter, JobPage, JobStore, Page, StoreError},
};
use rutter_store::MemoryStore;
use rutter_types::StatusCode;

/// When the server dies: at this step of those that change something, before it or after it. Then nothing works.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Death {
    pub(crate) step: usize,
    pub(crate) after: bool,
}

/// How full the disk is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Room {
    #[default]
    Enough,
    /// None for a byte, until an object is removed.
    UntilFreed,
    /// None for anything.
    None,
}

#[derive(Debug, Default)]
struct State {
    death: Option<Death>,
    is_dead: bool,
    store: Room,
    objects: Room,
    /// Writes of objects with such a name wait.
    held: Option<&'static str>,
}

/// Tells store and objects what to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Switch(Arc<Mutex<State>>);

enum Step {
    Do,
    DoAndDie,
    Die,
    Full,
}

impl Switch {
    pub(crate) fn die_at(&self, death: Death) {
        self.lock().death = Some(death);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.lock().is_dead
    }

    /// A new server on a machine that works.
    pub(crate) fn revive(&self) {
        let mut state = self.lock();
        state.death = None;
        state.is_dead = false;
    }

    pub(crate) fn set_room(&self, store: Room, objects: Room) {
        let mut state = self.lock();
        (state.store, state.objects) = (store, objects);
    }

    pub(crate) fn hold(&self, name: Option<&'static str>) {
        self.lock().held = name;
    }

    fn step(&self, room: impl Fn(&State) -> Room) -> Step {
        let mut state = self.lock();
        if state.is_dead {
            return Step::Die;
        }
        if room(&state) != Room::Enough {
            return Step::Full;
        }
        let Some(death) = &mut state.death else { return Step::Do };
        if death.step > 0 {
            death.step -= 1;
            return Step::Do;
        }
        let after = death.after;
        state.is_dead = true;
        if after { Step::DoAndDie } else { Step::Die }
    }

    fn freed(&self) {
        let mut state = self.lock();
        let State { store, objects, .. } = &mut *state;
        for room in [store, objects].into_iter().filter(|room| **room == Room::UntilFreed) {
            *room = Room::Enough;
        }
    }

    async fn passed(&self, key: &Key) {
        while self.lock().held.is_some_and(|name| key.filename() == Some(name)) {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

#[derive(Debug)]
pub(crate) struct FaultyStore {
    inner: MemoryStore,
    switch: Switch,
}

impl FaultyStore {
    pub(crate) fn empty(switch: Switch) -> Self {
        Self { inner: MemoryStore::default(), switch }
    }
}

fn died() -> StoreError {
    StoreError::Engine { doing: "living", source: "the server died".into() }
}

macro_rules! step {
    ($self:ident, $call:expr) => {
        match $self.switch.step(|state| state.store) {
            Step::Do => $call.await,
            Step::DoAndDie => $call.await.and(Err(died())),
            Step::Die => Err(died()),
            Step::Full => Err(StoreError::Full),
        }
    };
}

#[async_trait]
impl JobStore for FaultyStore {
    async fn instance(&self) -> Result<Option<InstanceId>, StoreError> {
        self.inner.instance().await
    }
    async fn set_instance(&self, id: InstanceId) -> Result<(), StoreError> {
        step!(self, self.inner.set_instance(id))
    }
    async fn insert(&self, job: &Job, plan: &Plan) -> Result<Inserted, StoreError> {
        step!(self, self.inner.insert(job, plan))
    }
    async fn get(&self, id: JobId) -> Result<Option<Arc<Job>>, StoreError> {
        self.inner.get(id).await
    }
    async fn plan(&self, id: JobId) -> Result<Option<Plan>, StoreError> {
        self.inner.plan(id).await
    }
    async fn replace(&self, job: &Job, calls: &[Call]) -> Result<bool, StoreError> {
        step!(self, self.inner.replace(job, calls))
    }
    async fn list(&self, filter: &JobFilter, page: Page) -> Result<JobPage, StoreError> {
        self.inner.list(filter, page).await
    }
    async fn unfinished(&self) -> Result<Vec<(JobId, Needs, bool)>, StoreError> {
        self.inner.unfinished().await
    }
    async fn unarchived(&self, limit: usize) -> Result<Vec<JobId>, StoreError> {
        self.inner.unarchived(limit).await
    }
    async fn set_archived(&self, id: JobId) -> Result<(), StoreError> {
        step!(self, self.inner.set_archived(id))
    }
    async fn finished_before(&self, before: Timestamp, limit: usize) -> Result<Vec<JobId>, StoreError> {
        self.inner.finished_before(before, limit).await
    }
    async fn remove(&self, id: JobId, now: Timestamp) -> Result<bool, StoreError> {
        step!(self, self.inner.remove(id, now))
    }
    async fn gone(&self, id: JobId) -> Result<Option<Timestamp>, StoreError> {
        self.inner.gone(id).await
    }
    async fn restore(&self, job: &Job, plan: Option<&Plan>) -> Result<bool, StoreError> {
        step!(self, self.inner.restore(job, plan))
    }
    async fn forget(&self, keys_before: Timestamp, tombstones_before: Timestamp) -> Result<(), StoreError> {
        step!(self, self.inner.forget(keys_before, tombstones_before))
    }
    async fn counts(&self) -> Result<Vec<(StatusCode, u64)>, StoreError> {
        self.inner.counts().await
    }
    async fn calls_due(&self, now: Timestamp, limit: usize) -> Result<Vec<Call>, StoreError> {
        self.inner.calls_due(now, limit).await
    }
    async fn next_call(&self) -> Result<Option<Timestamp>, StoreError> {
        self.inner.next_call().await
    }
    async fn call_done(&self, call: &Call) -> Result<(), StoreError> {
        step!(self, self.inner.call_done(call))
    }
    async fn call_again(&self, call: &Call, tries: u32, due: Timestamp) -> Result<(), StoreError> {
        step!(self, self.inner.call_again(call, tries, due))
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct FaultyObjects {
    inner: Arc<InMemory>,
    switch: Switch,
}

impl FaultyObjects {
    pub(crate) fn empty(switch: Switch) -> Self {
        Self { inner: Arc::default(), switch }
    }

    /// Writing so many bytes takes room, removing does not.
    fn step(&self, bytes: Option<usize>) -> Result<bool, object_store::Error> {
        // A name alone has room on a disk that is full of bytes.
        let room = |state: &State| match (bytes, state.objects) {
            (None, _) | (Some(0), Room::UntilFreed) => Room::Enough,
            (_, room) => room,
        };
        match self.switch.step(room) {
            Step::Do => Ok(false),
            Step::DoAndDie => Ok(true),
            Step::Die => Err(failed("the server died")),
            Step::Full => Err(failed(std::io::Error::from(std::io::ErrorKind::StorageFull))),
        }
    }
}

fn failed(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> object_store::Error {
    object_store::Error::Generic { store: "faulty", source: source.into() }
}

impl fmt::Display for FaultyObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("objects that fail")
    }
}

#[async_trait]
impl ObjectStore for FaultyObjects {
    async fn put_opts(
        &self,
        location: &Key,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.switch.passed(location).await;
        let dies = self.step(Some(payload.content_length()))?;
        let done = self.inner.put_opts(location, payload, options).await?;
        if dies { Err(failed("the server died")) } else { Ok(done) }
    }

    async fn put_multipart_opts(
        &self,
        location: &Key,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        if self.step(Some(1))? {
            return Err(failed("the server died"));
        }
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Key, options: GetOptions) -> object_store::Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Key>>,
    ) -> BoxStream<'static, object_store::Result<Key>> {
        let this = self.clone();
        let delete = move |location: object_store::Result<Key>| {
            let this = this.clone();
            async move {
                let location = location?;
                let dies = this.step(None)?;
                this.inner.delete(&location).await?;
                this.switch.freed();
                if dies { Err(failed("the server died")) } else { Ok(location) }
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Key>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Key>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Key, to: &Key, options: CopyOptions) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
