//! The store of an installation: SQLite with a write-ahead log, fully synchronised; one writer, readers beside it.

mod migrations;
mod query;
mod readers;
mod writer;

use std::path::Path;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use rutter_core::{
    id::{InstanceId, JobId},
    job::Job,
    plan::{Needs, Plan},
    store::{
        Call, CallId, CallKind, IdempotencyKey, Inserted, JobFilter, JobPage, JobStore, Page, StoreError,
    },
};
use rutter_types::StatusCode;
use uuid::Uuid;

pub(crate) use self::query::micros;
use self::{readers::Readers, writer::Writer};
use crate::{lock::Lock, record};

/// The store of an installation.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    // Last, so that it is let go after the writer has ended.
    _lock: Lock,
}

impl SqliteStore {
    /// Open the store in a data directory, or make it there; locks the directory.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_with_page_limit(folder, u32::MAX - 1)
    }

    /// The same with a limit of the database's size in pages, over which it says that the disk is full.
    pub fn open_with_page_limit(folder: &Path, pages: u32) -> Result<Self, StoreError> {
        let lock = Lock::take(folder)?;
        let path = folder.join("rutter.db");
        let mut connection = Connection::open(&path).map_err(|error| failed("opening it", error))?;
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
                 PRAGMA wal_autocheckpoint = 4000; PRAGMA mmap_size = 268435456;",
            )
            .map_err(|error| failed("opening it", error))?;
        let limit = format!("PRAGMA max_page_count = {pages}");
        connection.query_row(&limit, [], |_| Ok(())).map_err(|error| failed("opening it", error))?;
        connection.set_prepared_statement_cache_capacity(64);
        migrations::migrate(&mut connection)?;
        Ok(Self { writer: Writer::start(connection)?, readers: Readers::new(&path), _lock: lock })
    }
}

#[async_trait]
impl JobStore for SqliteStore {
    async fn instance(&self) -> Result<Option<InstanceId>, StoreError> {
        self.readers.point(|connection| {
            let sql = "SELECT value FROM meta WHERE name = 'instance'";
            let found: Option<Uuid> =
                connection.query_row(sql, [], |row| uuid(row, 0)).optional().map_err(reading)?;
            Ok(found.map(InstanceId::from_uuid))
        })
    }

    async fn set_instance(&self, id: InstanceId) -> Result<(), StoreError> {
        self.writer
            .run(move |connection| {
                let sql = "INSERT OR REPLACE INTO meta VALUES ('instance', ?1)";
                connection.execute(sql, [id.uuid().as_bytes().as_slice()]).map_err(writing)?;
                Ok(())
            })
            .await
    }

    async fn insert(&self, job: &Job, plan: &Plan, key: Option<&IdempotencyKey>) -> Result<Inserted, StoreError> {
        let (row, plan, key) = (JobRow::new(job, Some(plan))?, record::write_plan(plan)?, key.cloned());
        self.writer
            .run(move |connection| {
                if let Some(key) = &key
                    && let Some(known) = claim(connection, key, row.id)?
                {
                    return Ok(known);
                }
                row.insert(connection)?;
                insert_plan(connection, row.id, &plan)?;
                Ok(Inserted::New)
            })
            .await
    }

    async fn get(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.readers.point(|connection| {
            let sql = "SELECT record FROM job WHERE id = ?1";
            bytes(connection, sql, id)?.map(|bytes| record::read_job(&bytes)).transpose()
        })
    }

    async fn plan(&self, id: JobId) -> Result<Option<Plan>, StoreError> {
        self.readers.point(|connection| {
            let sql = "SELECT record FROM plan WHERE id = ?1";
            bytes(connection, sql, id)?.map(|bytes| record::read_plan(&bytes)).transpose()
        })
    }

    async fn replace(&self, job: &Job, calls: &[Call]) -> Result<bool, StoreError> {
        let (row, calls) = (JobRow::new(job, None)?, calls.to_vec());
        self.writer
            .run(move |connection| {
                let replaced = row.replace(connection)?;
                if replaced {
                    for call in &calls {
                        queue_call(connection, call)?;
                    }
                }
                Ok(replaced)
            })
            .await
    }

    async fn list(&self, filter: &JobFilter, page: Page) -> Result<JobPage, StoreError> {
        let filter = filter.clone();
        self.readers.many(move |connection| query::page(connection, &filter, page)).await
    }

    async fn unfinished(&self) -> Result<Vec<(JobId, Needs, bool)>, StoreError> {
        self.readers
            .many(|connection| {
                // Each status follows its index; together they are put in order of arrival.
                let sql = "SELECT seq, id, cpu_milli, memory_bytes, launched FROM job WHERE status IN (0, 1)";
                let mut statement = connection.prepare(sql).map_err(reading)?;
                let rows = statement.query_map([], |row| {
                    let needs = Needs { cpu_milli: row.get(2)?, memory_bytes: row.get(3)? };
                    Ok((row.get::<_, i64>(0)?, JobId::from_uuid(uuid(row, 1)?), needs, row.get(4)?))
                });
                let mut found: Vec<_> = rows.and_then(Iterator::collect).map_err(reading)?;
                found.sort_unstable_by_key(|(seq, ..)| *seq);
                Ok(found.into_iter().map(|(_, id, needs, launched)| (id, needs, launched)).collect())
            })
            .await
    }

    async fn unarchived(&self, limit: usize) -> Result<Vec<JobId>, StoreError> {
        let sql = "SELECT id FROM job WHERE archived = 0 AND status >= 2 ORDER BY seq LIMIT ?1";
        self.readers.many(move |connection| ids(connection, sql, &[&length(limit)])).await
    }

    async fn set_archived(&self, id: JobId) -> Result<(), StoreError> {
        self.writer
            .run(move |connection| {
                let Some(bytes) = bytes(connection, "SELECT record FROM job WHERE id = ?1", id)? else {
                    return Ok(());
                };
                let mut job = record::read_job(&bytes)?;
                job.archived = true;
                let sql = "UPDATE job SET archived = 1, record = ?2 WHERE id = ?1";
                let mut statement = connection.prepare_cached(sql).map_err(writing)?;
                statement.execute(params![key_of(id), record::write_job(&job)?]).map_err(writing)?;
                Ok(())
            })
            .await
    }

    async fn finished_before(&self, before: Timestamp, limit: usize) -> Result<Vec<JobId>, StoreError> {
        let sql = "SELECT id FROM job WHERE finished < ?1 ORDER BY finished, seq LIMIT ?2";
        let before = before.as_microsecond();
        self.readers.many(move |connection| ids(connection, sql, &[&before, &length(limit)])).await
    }

    async fn remove(&self, id: JobId, now: Timestamp) -> Result<bool, StoreError> {
        self.writer
            .run(move |connection| {
                let removed = connection
                    .execute("DELETE FROM job WHERE id = ?1 AND status >= 2", [key_of(id)])
                    .map_err(writing)?;
                if removed == 0 {
                    return Ok(false);
                }
                connection.execute("DELETE FROM plan WHERE id = ?1", [key_of(id)]).map_err(writing)?;
                connection.execute("DELETE FROM call WHERE job = ?1", [key_of(id)]).map_err(writing)?;
                let sql = "INSERT OR REPLACE INTO gone VALUES (?1, ?2)";
                connection.execute(sql, params![key_of(id), now.as_microsecond()]).map_err(writing)?;
                Ok(true)
            })
            .await
    }

    async fn gone(&self, id: JobId) -> Result<Option<Timestamp>, StoreError> {
        self.readers.point(|connection| {
            let sql = "SELECT removed FROM gone WHERE id = ?1";
            let mut statement = connection.prepare_cached(sql).map_err(reading)?;
            statement.query_row([key_of(id)], |row| time(row, 0)).optional().map_err(reading)
        })
    }

    async fn restore(&self, job: &Job, plan: Option<&Plan>) -> Result<bool, StoreError> {
        let row = JobRow::new(job, plan)?;
        let plan = plan.map(record::write_plan).transpose()?;
        self.writer
            .run(move |connection| {
                let sql = "SELECT 1 FROM job WHERE id = ?1 UNION ALL SELECT 1 FROM gone WHERE id = ?1";
                let known = connection.query_row(sql, [key_of(row.id)], |_| Ok(())).optional().map_err(reading)?;
                if known.is_some() {
                    return Ok(false);
                }
                row.insert(connection)?;
                if let Some(plan) = &plan {
                    insert_plan(connection, row.id, plan)?;
                }
                Ok(true)
            })
            .await
    }

    async fn forget(&self, keys_before: Timestamp, tombstones_before: Timestamp) -> Result<(), StoreError> {
        self.writer
            .run(move |connection| {
                let keys = keys_before.as_microsecond();
                connection.execute("DELETE FROM key WHERE created < ?1", [keys]).map_err(writing)?;
                let gone = tombstones_before.as_microsecond();
                connection.execute("DELETE FROM gone WHERE removed < ?1", [gone]).map_err(writing)?;
                Ok(())
            })
            .await
    }

    async fn counts(&self) -> Result<Vec<(StatusCode, u64)>, StoreError> {
        self.readers.point(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT jobs FROM count ORDER BY status").map_err(reading)?;
            let counts: Vec<u64> =
                statement.query_map([], |row| row.get(0)).and_then(Iterator::collect).map_err(reading)?;
            Ok(StatusCode::ALL.into_iter().zip(counts).collect())
        })
    }

    async fn calls_due(&self, now: Timestamp, limit: usize) -> Result<Vec<Call>, StoreError> {
        let now = now.as_microsecond();
        self.readers.point(|connection| {
            let sql = "SELECT job, kind, url, tries, created, due FROM call WHERE due <= ?1
                       ORDER BY due, job, kind LIMIT ?2";
            let mut statement = connection.prepare_cached(sql).map_err(reading)?;
            statement.query_map([now, length(limit)], read_call).and_then(Iterator::collect).map_err(reading)
        })
    }

    async fn next_call(&self) -> Result<Option<Timestamp>, StoreError> {
        self.readers.point(|connection| {
            let sql = "SELECT due FROM call ORDER BY due LIMIT 1";
            let mut statement = connection.prepare_cached(sql).map_err(reading)?;
            statement.query_row([], |row| time(row, 0)).optional().map_err(reading)
        })
    }

    async fn call_done(&self, id: CallId) -> Result<(), StoreError> {
        self.writer
            .run(move |connection| {
                let sql = "DELETE FROM call WHERE job = ?1 AND kind = ?2";
                connection.execute(sql, params![key_of(id.job), kind_code(id.kind)]).map_err(writing)?;
                Ok(())
            })
            .await
    }

    async fn call_again(&self, id: CallId, tries: u32, due: Timestamp) -> Result<(), StoreError> {
        self.writer
            .run(move |connection| {
                let sql = "UPDATE call SET tries = ?3, due = ?4 WHERE job = ?1 AND kind = ?2";
                let values = params![key_of(id.job), kind_code(id.kind), tries, due.as_microsecond()];
                connection.execute(sql, values).map_err(writing)?;
                Ok(())
            })
            .await
    }
}

/// A job as its row.
struct JobRow {
    id: JobId,
    revision: u64,
    process: String,
    owner: Option<String>,
    status: i64,
    created: i64,
    started: Option<i64>,
    finished: Option<i64>,
    launched: bool,
    archived: bool,
    needs: Needs,
    record: Vec<u8>,
}

impl JobRow {
    fn new(job: &Job, plan: Option<&Plan>) -> Result<Self, StoreError> {
        Ok(Self {
            id: job.id,
            revision: job.revision,
            process: job.process.to_string(),
            owner: job.owner.as_ref().map(ToString::to_string),
            status: status_code(job.status()),
            created: job.created.as_microsecond(),
            started: job.started().map(Timestamp::as_microsecond),
            finished: job.finished().map(Timestamp::as_microsecond),
            launched: job.launches > 0,
            archived: job.archived,
            needs: plan.map_or(Needs::default(), |plan| plan.needs),
            record: record::write_job(job)?,
        })
    }

    fn duration(&self) -> Option<i64> {
        Some(self.finished? - self.started?)
    }

    fn insert(&self, connection: &Connection) -> Result<(), StoreError> {
        let sql = "INSERT INTO job (id, revision, process, owner, status, created, started, finished, duration,
                   launched, archived, cpu_milli, memory_bytes, record)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
        let mut statement = connection.prepare_cached(sql).map_err(writing)?;
        statement
            .execute(params![
                key_of(self.id),
                self.revision,
                self.process,
                self.owner,
                self.status,
                self.created,
                self.started,
                self.finished,
                self.duration(),
                self.launched,
                self.archived,
                self.needs.cpu_milli,
                self.needs.memory_bytes,
                self.record
            ])
            .map_err(writing)?;
        Ok(())
    }

    /// Compare-and-set; a job that is over never changes.
    fn replace(&self, connection: &Connection) -> Result<bool, StoreError> {
        let sql = "UPDATE job SET revision = ?2, status = ?3, started = ?4, finished = ?5, duration = ?6,
                   launched = ?7, archived = ?8, record = ?9
                   WHERE id = ?1 AND revision = ?2 - 1 AND status < 2";
        let mut statement = connection.prepare_cached(sql).map_err(writing)?;
        let changed = statement
            .execute(params![
                key_of(self.id),
                self.revision,
                self.status,
                self.started,
                self.finished,
                self.duration(),
                self.launched,
                self.archived,
                self.record
            ])
            .map_err(writing)?;
        Ok(changed == 1)
    }
}

/// Take a key for a job, or give the job that has it.
fn claim(connection: &Connection, key: &IdempotencyKey, job: JobId) -> Result<Option<Inserted>, StoreError> {
    // Callers' names are never empty: an empty one stands for nobody.
    let caller = key.caller.as_ref().map_or(String::new(), ToString::to_string);
    let sql = "SELECT job, body_digest FROM key WHERE caller = ?1 AND process = ?2 AND key = ?3";
    let known = connection
        .query_row(sql, params![caller, key.process.as_str(), key.key], |row| Ok((uuid(row, 0)?, row.get(1)?)))
        .optional()
        .map_err(reading)?;
    if let Some((id, body_digest)) = known {
        return Ok(Some(Inserted::Known { id: JobId::from_uuid(id), body_digest }));
    }
    let sql = "INSERT INTO key VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let values = params![
        caller,
        key.process.as_str(),
        key.key,
        key_of(job),
        key.body_digest,
        key.created.as_microsecond()
    ];
    connection.execute(sql, values).map_err(writing)?;
    Ok(None)
}

fn insert_plan(connection: &Connection, id: JobId, plan: &[u8]) -> Result<(), StoreError> {
    let mut statement =
        connection.prepare_cached("INSERT OR REPLACE INTO plan VALUES (?1, ?2)").map_err(writing)?;
    statement.execute(params![key_of(id), plan]).map_err(writing)?;
    Ok(())
}

fn queue_call(connection: &Connection, call: &Call) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO call VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let values = params![
        key_of(call.id.job),
        kind_code(call.kind),
        call.url,
        call.tries,
        call.created.as_microsecond(),
        call.due.as_microsecond()
    ];
    connection.execute(sql, values).map_err(writing)?;
    Ok(())
}

fn read_call(row: &Row<'_>) -> rusqlite::Result<Call> {
    let kind = match row.get::<_, i64>(1)? {
        0 => CallKind::Progress,
        1 => CallKind::Success,
        _ => CallKind::Failed,
    };
    Ok(Call {
        id: CallId { job: JobId::from_uuid(uuid(row, 0)?), kind },
        kind,
        url: row.get(2)?,
        tries: row.get(3)?,
        created: time(row, 4)?,
        due: time(row, 5)?,
    })
}

fn kind_code(kind: CallKind) -> i64 {
    match kind {
        CallKind::Progress => 0,
        CallKind::Success => 1,
        CallKind::Failed => 2,
    }
}

/// Codes under 2 are active, the others over: partial indexes and the compare-and-set rely on it.
fn status_code(status: StatusCode) -> i64 {
    match status {
        StatusCode::Accepted => 0,
        StatusCode::Running => 1,
        StatusCode::Successful => 2,
        StatusCode::Failed => 3,
        StatusCode::Dismissed => 4,
    }
}

fn bytes(connection: &Connection, sql: &str, id: JobId) -> Result<Option<Vec<u8>>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(reading)?;
    statement.query_row([key_of(id)], |row| row.get(0)).optional().map_err(reading)
}

fn ids(
    connection: &Connection,
    sql: &str,
    values: &[&dyn rusqlite::ToSql],
) -> Result<Vec<JobId>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(reading)?;
    let rows = statement.query_map(values, |row| Ok(JobId::from_uuid(uuid(row, 0)?)));
    rows.and_then(Iterator::collect).map_err(reading)
}

fn key_of(id: JobId) -> Vec<u8> {
    id.uuid().as_bytes().to_vec()
}

fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    let bytes: Vec<u8> = row.get(column)?;
    Uuid::from_slice(&bytes).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Blob, Box::new(error))
    })
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(row.get(column)?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Integer, Box::new(error))
    })
}

fn length(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn reading(error: rusqlite::Error) -> StoreError {
    failed("reading", error)
}

fn writing(error: rusqlite::Error) -> StoreError {
    failed("writing", error)
}

/// What a failure of SQLite means; a full disk is told apart, for it is the operator's to mend.
fn failed(doing: &'static str, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => StoreError::Full,
        _ => StoreError::Engine { doing, source: Box::new(error) },
    }
}
