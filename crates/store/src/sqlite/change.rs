//! What changes jobs. Each function is one step of the writer's transaction.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use rutter_core::{
    id::{InstanceId, JobId},
    store::{Call, Inserted},
};

use super::{
    calls,
    columns::{JobRow, OVER, key, read_bytes, read_id},
    fault::Fault,
};
use crate::{place, record};

pub(super) fn set_instance(connection: &Connection, id: InstanceId) -> Result<(), Fault> {
    let sql = "INSERT OR REPLACE INTO meta VALUES ('instance', ?1)";
    connection.prepare_cached(sql)?.execute([id.uuid().into_bytes()])?;
    Ok(())
}

/// What became of an insert, and where the new job is.
pub(super) type Put = (Inserted, Option<i64>);

/// Store a new job, or give the one that has its key.
pub(super) fn insert(connection: &Connection, row: &JobRow, plan: &[u8]) -> Result<Put, Fault> {
    if let Some(known) = known(connection, row)? {
        return Ok((known, None));
    }
    if is_taken(connection, row)? {
        return Ok((Inserted::Taken, None));
    }
    Ok((Inserted::New, Some(put(connection, row, Some(plan))?)))
}

/// Put back a job whose row was lost; not one that was removed.
pub(super) fn restore(connection: &Connection, row: &JobRow, plan: Option<&[u8]>) -> Result<bool, Fault> {
    if is_taken(connection, row)? {
        return Ok(false);
    }
    put(connection, row, plan)?;
    Ok(true)
}

/// Whether a job has or had its id.
fn is_taken(connection: &Connection, row: &JobRow) -> Result<bool, Fault> {
    let sql = "SELECT 1 FROM job WHERE id = ?1 UNION ALL SELECT 1 FROM gone WHERE id = ?1";
    Ok(connection.prepare_cached(sql)?.exists([row.id])?)
}

fn known(connection: &Connection, row: &JobRow) -> Result<Option<Inserted>, Fault> {
    let Some(key) = &row.key else { return Ok(None) };
    let sql = "SELECT job, body_digest FROM key WHERE caller = ?1 AND process = ?2 AND key = ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement
        .query_row(params![row.owner, row.process, key.key], |row| {
            Ok(Inserted::Known { id: read_id(row, 0)?, body_digest: row.get(1)? })
        })
        .optional()?;
    Ok(found)
}

/// The younger of two jobs has the key of both.
fn take_key(connection: &Connection, row: &JobRow) -> Result<(), Fault> {
    let Some(key) = &row.key else { return Ok(()) };
    let sql = "INSERT INTO key VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE
               SET job = excluded.job, body_digest = excluded.body_digest, created = excluded.created
               WHERE excluded.created > key.created";
    let values = params![row.owner, row.process, key.key, row.id, key.body_digest, row.created];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Where it is put.
fn put(connection: &Connection, row: &JobRow, plan: Option<&[u8]>) -> Result<i64, Fault> {
    take_key(connection, row)?;
    let seq = free_place(connection, place::first(row.created))?;
    let sql = "INSERT INTO job VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    connection.prepare_cached(sql)?.execute(params![
        seq,
        row.id,
        row.owner,
        row.process,
        row.status,
        row.created,
        row.span,
        row.finished,
        row.launches,
        row.archived,
        super::columns::integer(row.needs.cpu_milli),
        super::columns::integer(row.needs.memory_bytes)
    ])?;
    let sql = "INSERT INTO record VALUES (?1, ?2, ?3)";
    connection.prepare_cached(sql)?.execute(params![seq, row.revision, row.record])?;
    if let Some(plan) = plan {
        connection.prepare_cached("INSERT INTO plan VALUES (?1, ?2)")?.execute(params![seq, plan])?;
    }
    Ok(seq)
}

/// The place after those of the same microsecond. More jobs than a microsecond has places go past its end; how far is
/// noted, so that times of creation can still be looked for by place.
fn free_place(connection: &Connection, first: i64) -> Result<i64, Fault> {
    let drift = drift(connection)?;
    let sql = "SELECT seq FROM job WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq DESC LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let last: Option<i64> = statement.query_row([first, first + drift], |row| row.get(0)).optional()?;
    let mut seq = last.map_or(first, |last| last + 1);
    if seq > first + drift {
        let mut taken = connection.prepare_cached("SELECT 1 FROM job WHERE seq = ?1")?;
        while taken.exists([seq])? {
            seq += 1;
        }
        let sql = "UPDATE meta SET value = ?1 WHERE name = 'drift'";
        connection.prepare_cached(sql)?.execute([seq - first])?;
    }
    Ok(seq)
}

/// Greatest distance of a job's place from the first place of its microsecond.
pub(super) fn drift(connection: &Connection) -> Result<i64, Fault> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = 'drift'")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// Compare-and-set; a job that is over never changes (invariant 3). Where the job is; `None` = nothing was changed.
pub(super) fn replace(connection: &Connection, row: &JobRow, queued: &[Call]) -> Result<Option<i64>, Fault> {
    let sql = "SELECT seq, status, span, launches FROM job WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let found: Option<(i64, i64, Option<i64>, u32)> = statement
        .query_row([row.id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((seq, status, span, launches)) = found.filter(|(_, status, ..)| *status < OVER) else {
        return Ok(None);
    };
    let sql = "UPDATE record SET revision = ?2, bytes = ?3 WHERE seq = ?1 AND revision = ?2 - 1";
    if connection.prepare_cached(sql)?.execute(params![seq, row.revision, row.record])? == 0 {
        return Ok(None);
    }
    // Most changes are progress: they touch no index.
    if (status, span) != (row.status, row.span) {
        let sql = "UPDATE job SET status = ?2, span = ?3, finished = ?4, launches = ?5, archived = ?6
                   WHERE seq = ?1";
        let values = params![seq, row.status, row.span, row.finished, row.launches, row.archived];
        connection.prepare_cached(sql)?.execute(values)?;
    } else if launches != row.launches {
        let sql = "UPDATE job SET launches = ?2 WHERE seq = ?1";
        connection.prepare_cached(sql)?.execute(params![seq, row.launches])?;
    }
    for call in queued {
        calls::queue(connection, call)?;
    }
    Ok(Some(seq))
}

/// Where the job is; `None` = nothing was changed.
pub(super) fn set_archived(connection: &Connection, id: JobId) -> Result<Option<i64>, Fault> {
    let sql =
        "SELECT seq, bytes FROM job JOIN record USING (seq) WHERE id = ?1 AND status >= 2 AND archived = 0";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([key(id)])?;
    let Some(found) = rows.next()? else { return Ok(None) };
    let seq: i64 = found.get(0)?;
    let mut job = record::read_job(read_bytes(found, 1)?)?;
    drop(rows);
    job.archived = true;
    connection.prepare_cached("UPDATE job SET archived = 1 WHERE seq = ?1")?.execute([seq])?;
    let sql = "UPDATE record SET bytes = ?2 WHERE seq = ?1";
    connection.prepare_cached(sql)?.execute(params![seq, record::write_job(&job)?])?;
    Ok(Some(seq))
}

/// Remove a job that is over, its key and its callbacks: a request with that key makes a new job. Where it was; `None` =
/// nothing was removed.
pub(super) fn remove(connection: &Connection, id: JobId, now: Timestamp) -> Result<Option<i64>, Fault> {
    let sql = "DELETE FROM job WHERE id = ?1 AND status >= 2 RETURNING seq";
    let mut statement = connection.prepare_cached(sql)?;
    let seq: Option<i64> = statement.query_row([key(id)], |row| row.get(0)).optional()?;
    let Some(seq) = seq else { return Ok(None) };
    connection.prepare_cached("DELETE FROM record WHERE seq = ?1")?.execute([seq])?;
    connection.prepare_cached("DELETE FROM plan WHERE seq = ?1")?.execute([seq])?;
    connection.prepare_cached("DELETE FROM key WHERE job = ?1")?.execute([key(id)])?;
    connection.prepare_cached("DELETE FROM call WHERE job = ?1")?.execute([key(id)])?;
    let sql = "INSERT OR REPLACE INTO gone VALUES (?1, ?2)";
    connection.prepare_cached(sql)?.execute(params![key(id), now.as_microsecond()])?;
    Ok(Some(seq))
}

pub(super) fn forget(connection: &Connection, keys: Timestamp, tombstones: Timestamp) -> Result<(), Fault> {
    connection.prepare_cached("DELETE FROM key WHERE created < ?1")?.execute([place::not_before(keys)])?;
    connection
        .prepare_cached("DELETE FROM gone WHERE removed < ?1")?
        .execute([place::not_before(tombstones)])?;
    Ok(())
}
