//! The store of an installation: SQLite with a write-ahead log, fully synchronised; one writer, readers beside it.

mod calls;
mod change;
mod columns;
mod fault;
mod list;
mod migrations;
mod read;
mod readers;
mod writer;

use std::{
    fs::{DirBuilder, OpenOptions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    sync::Arc,
};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::Connection;
use rutter_core::{
    id::{InstanceId, JobId},
    job::Job,
    plan::{Needs, Plan},
    store::{Call, Inserted, JobFilter, JobPage, JobStore, Page, StoreError},
};
use rutter_types::StatusCode;

use self::{
    columns::JobRow,
    fault::Fault,
    readers::Readers,
    writer::{OnDisk, Writer},
};
use crate::{
    lock::{self, Lock},
    recent::{Found, Recent},
    record,
};

/// Name of the database in the data directory.
const FILE: &str = "rutter.db";

/// The store of an installation.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    recent: Arc<Recent>,
    // Last, so that it is let go after the writer has ended.
    _lock: Lock,
}

impl SqliteStore {
    /// Open the store in a data directory, or make it there; locks the directory for as long as the store lives.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_with_page_limit(folder, u32::MAX - 1)
    }

    /// The same with a limit of the database's size in pages, over which it says that the disk is full.
    pub fn open_with_page_limit(folder: &Path, pages: u32) -> Result<Self, StoreError> {
        make_private(folder).map_err(|source| lock::engine("making its folder", source))?;
        let lock = Lock::take(folder)?;
        let path = folder.join(FILE);
        let opened = open(&path, pages).and_then(|writer| Ok((writer, Readers::open(folder, &path)?)));
        let (connection, readers) = opened.map_err(|fault| fault.told("opening it", folder))?;
        let recent = Arc::new(Recent::new());
        let writer = Writer::start(connection, folder.to_owned(), recent.clone())?;
        Ok(Self { writer, readers, recent, _lock: lock })
    }
}

/// What callers sent is nobody else's business on this machine; the files beside the database take its mode.
fn make_private(folder: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    OpenOptions::new().create(true).append(true).mode(0o600).open(folder.join(FILE)).map(|_| ())
}

fn open(path: &Path, pages: u32) -> Result<Connection, Fault> {
    let connection = Connection::open(path)?;
    // The log is checkpointed every 16 MiB; it keeps that size, so that a full disk leaves room for small changes.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;
         PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -8000; PRAGMA temp_store = MEMORY;",
    )?;
    connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    connection.set_prepared_statement_cache_capacity(64);
    migrations::migrate(&connection, migrations::STEPS)?;
    Ok(connection)
}

/// Durations of running jobs are counted at the last full second, so that who asks again and again asks the same.
fn in_seconds(filter: &JobFilter) -> JobFilter {
    let now = Timestamp::from_second(filter.now.as_second()).unwrap_or(filter.now);
    JobFilter { now, ..filter.clone() }
}

/// Keeps a job in memory as it was written, if it was.
fn as_written(job: &Job, row: &JobRow) -> impl FnOnce(Option<i64>, &Recent) + Send + 'static {
    let (job, record) = (Arc::new(job.clone()), row.record.len());
    move |place, recent| {
        if let Some(place) = place {
            recent.put(Found { place, job, record });
        }
    }
}

impl SqliteStore {
    /// Lets the job go from memory before its change can be seen in the database: nobody sees the change and then, in
    /// memory, what was before it.
    fn forgetting(
        &self,
        mut work: impl FnMut(&Connection) -> Result<Option<i64>, Fault> + Send + 'static,
    ) -> impl FnMut(&Connection) -> Result<Option<i64>, Fault> + Send + 'static {
        let recent = self.recent.clone();
        move |connection| {
            let place = work(connection)?;
            if let Some(place) = place {
                recent.forget(place);
            }
            Ok(place)
        }
    }
}

#[async_trait]
impl JobStore for SqliteStore {
    async fn instance(&self) -> Result<Option<InstanceId>, StoreError> {
        self.readers.point("reading its instance", read::instance)
    }

    async fn set_instance(&self, id: InstanceId) -> Result<(), StoreError> {
        self.writer
            .run("storing its instance", OnDisk::First, move |connection| {
                change::set_instance(connection, id)
            })
            .await
    }

    async fn insert(&self, job: &Job, plan: &Plan) -> Result<Inserted, StoreError> {
        let (row, plan) = (JobRow::new(job, Some(plan))?, record::write_plan(plan)?);
        let put = as_written(job, &row);
        let work = move |connection: &Connection| change::insert(connection, &row, &plan);
        let settle = move |(_, place): &change::Put, recent: &Recent| put(*place, recent);
        let outcome = self.writer.run_and_settle("storing a job", OnDisk::First, work, settle).await?;
        Ok(outcome.0)
    }

    async fn get(&self, id: JobId) -> Result<Option<Arc<Job>>, StoreError> {
        if let Some(job) = self.recent.get(id) {
            return Ok(Some(job));
        }
        let began = self.recent.moment();
        let found = self.readers.point("reading a job", |connection| read::job(connection, id))?;
        Ok(found.map(|found| {
            let job = found.job.clone();
            if let Some(began) = began {
                self.recent.keep(began, found);
            }
            job
        }))
    }

    async fn plan(&self, id: JobId) -> Result<Option<Plan>, StoreError> {
        self.readers.point("reading a plan", |connection| read::plan(connection, id))
    }

    async fn replace(&self, job: &Job, calls: &[Call]) -> Result<bool, StoreError> {
        let (row, calls) = (JobRow::new(job, None)?, calls.to_vec());
        let put = as_written(job, &row);
        let work = self.forgetting(move |connection| change::replace(connection, &row, &calls));
        let on_disk = if job.status().is_terminal() { OnDisk::First } else { OnDisk::Soon };
        let settle = move |place: &Option<i64>, recent: &Recent| put(*place, recent);
        let place = self.writer.run_and_settle("changing a job", on_disk, work, settle).await?;
        Ok(place.is_some())
    }

    async fn list(&self, filter: &JobFilter, page: Page) -> Result<JobPage, StoreError> {
        let doing = "listing jobs";
        let filter = &in_seconds(filter);
        let at_once = |connection: &Connection| list::page_at_once(connection, &self.recent, filter, page);
        if let Some(found) = self.readers.point(doing, at_once)? {
            return Ok(found);
        }
        let (filter, recent) = (filter.clone(), self.recent.clone());
        let read = move |connection: &Connection| list::page(connection, &recent, &filter, page);
        self.readers.many(doing, read).await
    }

    async fn unfinished(&self) -> Result<Vec<(JobId, Needs, bool)>, StoreError> {
        self.readers.many("listing unfinished jobs", read::unfinished).await
    }

    async fn unarchived(&self, limit: usize) -> Result<Vec<JobId>, StoreError> {
        let read = move |connection: &Connection| read::unarchived(connection, limit);
        self.readers.many("listing jobs to archive", read).await
    }

    async fn set_archived(&self, id: JobId) -> Result<(), StoreError> {
        let work = self.forgetting(move |connection| change::set_archived(connection, id));
        self.writer.run("noting that a job is archived", OnDisk::Soon, work).await.map(|_| ())
    }

    async fn finished_before(&self, before: Timestamp, limit: usize) -> Result<Vec<JobId>, StoreError> {
        let read = move |connection: &Connection| read::finished_before(connection, before, limit);
        self.readers.many("listing old jobs", read).await
    }

    async fn remove(&self, id: JobId, now: Timestamp) -> Result<bool, StoreError> {
        let work = self.forgetting(move |connection| change::remove(connection, id, now));
        self.writer.run("removing a job", OnDisk::First, work).await.map(|place| place.is_some())
    }

    async fn gone(&self, id: JobId) -> Result<Option<Timestamp>, StoreError> {
        self.readers.point("reading a tombstone", |connection| read::gone(connection, id))
    }

    async fn restore(&self, job: &Job, plan: Option<&Plan>) -> Result<bool, StoreError> {
        let row = JobRow::new(job, plan)?;
        let plan = plan.map(record::write_plan).transpose()?;
        let work = move |connection: &Connection| change::restore(connection, &row, plan.as_deref());
        self.writer.run("restoring a job", OnDisk::First, work).await
    }

    async fn forget(&self, keys_before: Timestamp, tombstones_before: Timestamp) -> Result<(), StoreError> {
        let work = move |connection: &Connection| change::forget(connection, keys_before, tombstones_before);
        self.writer.run("forgetting keys and tombstones", OnDisk::First, work).await
    }

    async fn counts(&self) -> Result<Vec<(StatusCode, u64)>, StoreError> {
        self.readers.point("counting jobs", read::counts)
    }

    async fn calls_due(&self, now: Timestamp, limit: usize) -> Result<Vec<Call>, StoreError> {
        self.readers.point("reading callbacks", |connection| calls::due(connection, now, limit))
    }

    async fn next_call(&self) -> Result<Option<Timestamp>, StoreError> {
        self.readers.point("reading callbacks", calls::next)
    }

    async fn call_done(&self, call: &Call) -> Result<(), StoreError> {
        let (id, created) = (call.id, call.created);
        self.writer
            .run("removing a callback", OnDisk::First, move |connection| calls::done(connection, id, created))
            .await
    }

    async fn call_again(&self, call: &Call, tries: u32, due: Timestamp) -> Result<(), StoreError> {
        let call = Call { tries, due, ..call.clone() };
        let work = move |connection: &Connection| calls::again(connection, &call);
        self.writer.run("putting off a callback", OnDisk::First, work).await
    }
}
