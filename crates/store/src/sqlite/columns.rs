//! How values stand in columns.

use jiff::Timestamp;
use rusqlite::{Row, types::Type};
use rutter_core::{
    id::{CallerId, JobId},
    job::{Job, JobKey, State},
    plan::{Needs, Plan},
    store::{CallKind, StoreError},
};
use rutter_types::StatusCode;
use uuid::Uuid;

use crate::record;

/// Statuses from this code on are over: partial indexes and the compare-and-set rely on it.
pub(super) const OVER: i64 = 2;

/// A job as it is stored: its columns and its record.
#[derive(Debug)]
pub(super) struct JobRow {
    pub(super) id: [u8; 16],
    pub(super) owner: String,
    pub(super) process: String,
    pub(super) status: i64,
    pub(super) created: i64,
    pub(super) span: Option<i64>,
    pub(super) finished: Option<i64>,
    pub(super) launches: u32,
    pub(super) archived: bool,
    pub(super) needs: Needs,
    pub(super) key: Option<JobKey>,
    pub(super) revision: i64,
    pub(super) record: Vec<u8>,
}

impl JobRow {
    pub(super) fn new(job: &Job, plan: Option<&Plan>) -> Result<Self, StoreError> {
        Ok(Self {
            id: key(job.id),
            owner: owner(job.owner.as_ref()),
            process: job.process.to_string(),
            status: status_code(job.status()),
            created: job.created.as_microsecond(),
            span: span(job),
            finished: job.finished().map(Timestamp::as_microsecond),
            launches: job.launches,
            archived: job.archived,
            needs: plan.map_or(Needs::default(), |plan| plan.needs),
            key: job.key.clone(),
            revision: integer(job.revision),
            record: record::write_job(job)?,
        })
    }
}

/// What filters by duration compare: the start of a running job, the duration of one that is over, both in µs.
fn span(job: &Job) -> Option<i64> {
    let started = job.started()?.as_microsecond();
    match &job.state {
        State::Running { .. } => Some(started),
        _ => job.finished().map(|finished| finished.as_microsecond() - started),
    }
}

/// Callers' names are never empty: an empty one stands for nobody.
pub(super) fn owner(caller: Option<&CallerId>) -> String {
    caller.map_or(String::new(), ToString::to_string)
}

pub(super) fn key(id: JobId) -> [u8; 16] {
    id.uuid().into_bytes()
}

/// No memory and no revision is greater in earnest.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn limit(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn status_code(status: StatusCode) -> i64 {
    match status {
        StatusCode::Accepted => 0,
        StatusCode::Running => 1,
        StatusCode::Successful => 2,
        StatusCode::Failed => 3,
        StatusCode::Dismissed => 4,
    }
}

pub(super) fn kind_code(kind: CallKind) -> i64 {
    match kind {
        CallKind::Progress => 0,
        CallKind::Success => 1,
        CallKind::Failed => 2,
    }
}

pub(super) fn read_kind(row: &Row<'_>, column: usize) -> rusqlite::Result<CallKind> {
    match row.get(column)? {
        0 => Ok(CallKind::Progress),
        1 => Ok(CallKind::Success),
        2 => Ok(CallKind::Failed),
        other => Err(rusqlite::Error::IntegralValueOutOfRange(column, other)),
    }
}

pub(super) fn read_id(row: &Row<'_>, column: usize) -> rusqlite::Result<JobId> {
    Ok(JobId::from_uuid(Uuid::from_bytes(row.get(column)?)))
}

pub(super) fn read_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(row.get(column)?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, Box::new(error)))
}

/// Bytes where they lie: a record is parsed without being copied.
pub(super) fn read_bytes<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a [u8]> {
    Ok(row.get_ref(column)?.as_blob()?)
}
