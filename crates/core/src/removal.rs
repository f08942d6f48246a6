//! Removing a job: its record and its files go, and it stays gone whatever happens on the way.
//!
//! 1. An empty object `removed-<id>` marks the job. From here on nobody is shown it, after a restart neither.
//! 2. The record goes from the store and leaves a tombstone.
//! 3. The files go, among them the documents from which a lost database would be rebuilt.
//! 4. The mark goes.
//!
//! After a crash at any step the mark leads on: a start finishes what is marked, which costs one look at the top of the
//! object store however many jobs there are; and a rebuilt database leaves out what is marked. So a job that is shown has
//! its results, and one that was once shown as gone never comes back.
//!
//! On a full disk the tombstone may have no room. Then the files of the marked job go first, and make it. Where not even
//! the mark has room, the files stay until the tombstone is written.
//!
//! Whoever writes files of a job ([`Parts::writing`]) looks for the tombstone before and after. The mark stays while
//! somebody writes: either the removal sees what was written, or the writer sees the tombstone and finishes the removal.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    engine::{EngineError, Parts},
    executor::ExecutorError,
    id::JobId,
    results::{ObjectError, Objects},
    store::StoreError,
};

const MARK: &str = "removed-";

/// Jobs that are marked, and those whose files are being written.
#[derive(Debug, Default)]
pub(crate) struct Leaving(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    marked: BTreeMap<JobId, Timestamp>,
    writers: HashMap<JobId, usize>,
}

/// Somebody who writes files of a job, until it is dropped.
struct Writer<'a> {
    leaving: &'a Leaving,
    id: JobId,
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        let mut state = self.leaving.lock();
        match state.writers.get_mut(&self.id) {
            Some(others) if *others > 1 => *others -= 1,
            _ => drop(state.writers.remove(&self.id)),
        }
    }
}

impl Leaving {
    /// When a job was marked.
    pub(crate) fn since(&self, id: JobId) -> Option<Timestamp> {
        self.lock().marked.get(&id).copied()
    }

    fn add(&self, id: JobId, now: Timestamp) {
        self.lock().marked.entry(id).or_insert(now);
    }

    fn end(&self, id: JobId) {
        self.lock().marked.remove(&id);
    }

    fn all(&self) -> Vec<JobId> {
        self.lock().marked.keys().copied().collect()
    }

    fn writer(&self, id: JobId) -> Writer<'_> {
        *self.lock().writers.entry(id).or_default() += 1;
        Writer { leaving: self, id }
    }

    fn is_written(&self, id: JobId) -> bool {
        self.lock().writers.contains_key(&id)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Jobs whose removal was begun and not finished.
pub(crate) async fn marked(objects: &Objects) -> Result<Vec<JobId>, ObjectError> {
    let names = objects.names().await?;
    Ok(names.iter().filter_map(|name| name.strip_prefix(MARK)?.parse().ok()).collect())
}

impl Parts {
    /// Remove a job that is over with all that was stored for it. `false` = it is not over, or not there (any more).
    pub(crate) async fn remove(&self, id: JobId) -> Result<bool, EngineError> {
        if !self.store.get(id).await?.is_some_and(|job| job.status().is_terminal()) {
            return Ok(false);
        }
        match self.objects.put(&mark(id), Bytes::new()).await {
            Ok(()) => self.leaving.add(id, self.clock.now()),
            Err(ObjectError::NoSpace) => {}
            Err(error) => return Err(error.into()),
        }
        self.finish_removal(id).await
    }

    /// Take up what the last server had begun to remove; before anybody is shown a job.
    pub(crate) async fn take_up_removals(&self) -> Result<(), EngineError> {
        for id in marked(&self.objects).await? {
            self.leaving.add(id, self.clock.now());
        }
        if let Err(error) = self.finish_removals().await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "could not finish the removal of jobs; trying again");
        }
        Ok(())
    }

    /// Go on with all removals that failed on their way: each by itself, so that one frees the room that others need.
    pub(crate) async fn finish_removals(&self) -> Result<(), EngineError> {
        let mut outcome = Ok(());
        for id in self.leaving.all() {
            if let Err(error) = self.finish_removal(id).await {
                outcome = Err(error);
            }
        }
        outcome
    }

    async fn finish_removal(&self, id: JobId) -> Result<bool, EngineError> {
        let since = self.leaving.since(id);
        let now = since.unwrap_or_else(|| self.clock.now());
        let launch = self.store.get(id).await?.and_then(|job| job.launch_name());
        let removed = match self.store.remove(id, now).await {
            Err(StoreError::Full) if since.is_some() => {
                self.remove_files(id).await?;
                self.store.remove(id, now).await?
            }
            removed => removed?,
        };
        // A record that can't be removed is of an older copy of the store, in which the job is not over.
        let is_over = removed || self.store.get(id).await?.is_none();
        if is_over {
            if let Some(name) = launch
                && let Err(error) = self.executor.forget(name).await
                && !matches!(error, ExecutorError::Away { .. })
            {
                tracing::warn!(job.id = %id, %error, "could not release a removed job's launch");
            }
            self.remove_files(id).await?;
        }
        self.changes.tell(id);
        if !self.leaving.is_written(id) {
            self.objects.remove(&mark(id)).await?;
            self.leaving.end(id);
        }
        Ok(removed)
    }

    async fn remove_files(&self, id: JobId) -> Result<(), EngineError> {
        self.logs.remove_spool(id).await?;
        Ok(self.objects.remove_all(&folder(id)).await?)
    }

    /// Do something that writes files of a job. `None` = the job is removed: nothing of it stays, and whether it could be
    /// written does not matter.
    pub(crate) async fn writing<T, E: From<StoreError> + From<EngineError>>(
        &self,
        id: JobId,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<Option<T>, E> {
        let writer = self.leaving.writer(id);
        if self.store.gone(id).await?.is_some() {
            return Ok(None);
        }
        let written = work.await;
        let is_removed = self.store.gone(id).await?.is_some();
        drop(writer);
        if is_removed {
            self.finish_removal(id).await?;
            return Ok(None);
        }
        written.map(Some)
    }
}

fn mark(id: JobId) -> String {
    format!("{MARK}{id}")
}

fn folder(id: JobId) -> String {
    format!("jobs/{id}")
}
