//! Callbacks that wait to be made.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use rutter_core::store::{Call, CallId};

use super::{
    columns::{key, kind_code, limit, read_id, read_kind, read_time},
    fault::Fault,
};
use crate::place;

/// A newer call takes the place of a waiting one of its kind.
pub(super) fn queue(connection: &Connection, call: &Call) -> Result<(), Fault> {
    let sql = "INSERT OR REPLACE INTO call VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    connection.prepare_cached(sql)?.execute(params![
        key(call.id.job),
        kind_code(call.id.kind),
        call.url,
        call.tries,
        call.created.as_microsecond(),
        call.due.as_microsecond()
    ])?;
    Ok(())
}

pub(super) fn due(connection: &Connection, now: Timestamp, most: usize) -> Result<Vec<Call>, Fault> {
    let sql = "SELECT job, kind, url, tries, created, due FROM call WHERE due <= ?1
               ORDER BY due, job, kind LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let calls = statement.query_map(params![place::not_after(now), limit(most)], |row| {
        let kind = read_kind(row, 1)?;
        Ok(Call {
            id: CallId { job: read_id(row, 0)?, kind },
            kind,
            url: row.get(2)?,
            tries: row.get(3)?,
            created: read_time(row, 4)?,
            due: read_time(row, 5)?,
        })
    })?;
    Ok(calls.collect::<Result<_, _>>()?)
}

pub(super) fn next(connection: &Connection) -> Result<Option<Timestamp>, Fault> {
    let mut statement = connection.prepare_cached("SELECT due FROM call ORDER BY due LIMIT 1")?;
    Ok(statement.query_row([], |row| read_time(row, 0)).optional()?)
}

/// One that took its place has another time of creation.
pub(super) fn done(connection: &Connection, id: CallId, created: Timestamp) -> Result<(), Fault> {
    let sql = "DELETE FROM call WHERE job = ?1 AND kind = ?2 AND created = ?3";
    let values = params![key(id.job), kind_code(id.kind), created.as_microsecond()];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

pub(super) fn again(connection: &Connection, call: &Call) -> Result<(), Fault> {
    let sql = "UPDATE call SET tries = ?4, due = ?5 WHERE job = ?1 AND kind = ?2 AND created = ?3";
    connection.prepare_cached(sql)?.execute(params![
        key(call.id.job),
        kind_code(call.id.kind),
        call.created.as_microsecond(),
        call.tries,
        call.due.as_microsecond()
    ])?;
    Ok(())
}
