//! What is read of single jobs and of the work that is left.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, params};
use rutter_core::{
    id::{InstanceId, JobId},
    plan::{Needs, Plan},
    store::StoreError,
};
use rutter_types::StatusCode;
use uuid::Uuid;

use super::{
    columns::{key, limit, read_bytes, read_id, read_time, status_code},
    fault::Fault,
};
use crate::{recent::Found, record};

pub(super) fn instance(connection: &Connection) -> Result<Option<InstanceId>, Fault> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = 'instance'")?;
    let found = statement.query_row([], |row| Ok(Uuid::from_bytes(row.get(0)?))).optional()?;
    Ok(found.map(InstanceId::from_uuid))
}

/// A job, with its place and the size of its record.
pub(super) fn job(connection: &Connection, id: JobId) -> Result<Option<Found>, Fault> {
    let sql = "SELECT seq, bytes FROM job JOIN record USING (seq) WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([key(id)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(found(row.get(0)?, read_bytes(row, 1)?)?))
}

/// The job of a record.
pub(super) fn found(place: i64, bytes: &[u8]) -> Result<Found, StoreError> {
    Ok(Found { place, job: Arc::new(record::read_job(bytes)?), record: bytes.len() })
}

pub(super) fn plan(connection: &Connection, id: JobId) -> Result<Option<Plan>, Fault> {
    let sql = "SELECT bytes FROM job JOIN plan USING (seq) WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([key(id)])?;
    match rows.next()? {
        Some(row) => Ok(Some(record::read_plan(read_bytes(row, 0)?)?)),
        None => Ok(None),
    }
}

pub(super) fn gone(connection: &Connection, id: JobId) -> Result<Option<Timestamp>, Fault> {
    let mut statement = connection.prepare_cached("SELECT removed FROM gone WHERE id = ?1")?;
    Ok(statement.query_row([key(id)], |row| read_time(row, 0)).optional()?)
}

pub(super) fn counts(connection: &Connection) -> Result<Vec<(StatusCode, u64)>, Fault> {
    let mut statement = connection.prepare_cached("SELECT jobs FROM tally WHERE status = ?1")?;
    let count = |status| {
        let jobs: i64 = statement.query_row([status_code(status)], |row| row.get(0))?;
        Ok((status, u64::try_from(jobs).unwrap_or(0)))
    };
    StatusCode::ALL.into_iter().map(count).collect()
}

/// Read from columns alone: at 100,000 jobs their records would be a hundred megabytes.
pub(super) fn unfinished(connection: &Connection) -> Result<Vec<(JobId, Needs, bool)>, Fault> {
    let _snapshot = connection.unchecked_transaction()?;
    let mut found: Vec<(i64, (JobId, Needs, bool))> = Vec::new();
    for status in [StatusCode::Accepted, StatusCode::Running] {
        let mut statement = connection.prepare_cached(
            "SELECT seq, id, cpu_milli, memory_bytes, launches > 0 FROM job INDEXED BY job_status WHERE status = ?1",
        )?;
        let mut rows = statement.query([status_code(status)])?;
        while let Some(row) = rows.next()? {
            let size =
                |column| Ok::<_, rusqlite::Error>(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0));
            let needs = Needs { cpu_milli: size(2)?, memory_bytes: size(3)? };
            found.push((row.get(0)?, (read_id(row, 1)?, needs, row.get(4)?)));
        }
    }
    found.sort_unstable_by_key(|(seq, _)| *seq);
    Ok(found.into_iter().map(|(_, job)| job).collect())
}

pub(super) fn unarchived(connection: &Connection, most: usize) -> Result<Vec<JobId>, Fault> {
    let sql = "SELECT id FROM job INDEXED BY job_unarchived WHERE archived = 0 AND status >= 2
               ORDER BY seq LIMIT ?1";
    ids(connection, sql, [limit(most)])
}

pub(super) fn finished_before(
    connection: &Connection,
    before: Timestamp,
    most: usize,
) -> Result<Vec<JobId>, Fault> {
    let sql =
        "SELECT id FROM job INDEXED BY job_finished WHERE finished < ?1 ORDER BY finished, seq LIMIT ?2";
    ids(connection, sql, params![crate::place::not_before(before), limit(most)])
}

fn ids(connection: &Connection, sql: &str, values: impl Params) -> Result<Vec<JobId>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_map(values, |row| read_id(row, 0))?.collect::<Result<_, _>>()?)
}
