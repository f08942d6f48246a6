//! The tables, and how older ones become them. `PRAGMA user_version` says which there are.

use rusqlite::Connection;
use rutter_core::store::StoreError;

use super::failed;

/// Statements that lead from each version to the next; never changed once released.
const STEPS: [&str; 1] = [V1];

const V1: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

-- `seq` is the order of arrival: pages of the list are cut by it. What filters need stands beside the record.
CREATE TABLE job (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    revision INTEGER NOT NULL,
    process TEXT NOT NULL,
    owner TEXT,
    status INTEGER NOT NULL,
    created INTEGER NOT NULL,
    started INTEGER,
    finished INTEGER,
    duration INTEGER,
    launched INTEGER NOT NULL,
    archived INTEGER NOT NULL,
    cpu_milli INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL,
    record BLOB NOT NULL
);
CREATE INDEX job_status ON job (status, seq);
CREATE INDEX job_process ON job (process, status, seq);
CREATE INDEX job_owner ON job (owner, status, seq);
CREATE INDEX job_created ON job (created);
CREATE INDEX job_duration ON job (duration) WHERE duration IS NOT NULL;
CREATE INDEX job_finished ON job (finished, seq) WHERE finished IS NOT NULL;
CREATE INDEX job_unarchived ON job (seq) WHERE archived = 0 AND status >= 2;

CREATE TABLE plan (id BLOB PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE key (
    caller TEXT NOT NULL,
    process TEXT NOT NULL,
    key TEXT NOT NULL,
    job BLOB NOT NULL,
    body_digest TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (caller, process, key)
) WITHOUT ROWID;
CREATE INDEX key_created ON key (created);

CREATE TABLE gone (id BLOB PRIMARY KEY, removed INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX gone_removed ON gone (removed);

CREATE TABLE call (
    job BLOB NOT NULL,
    kind INTEGER NOT NULL,
    url TEXT NOT NULL,
    tries INTEGER NOT NULL,
    created INTEGER NOT NULL,
    due INTEGER NOT NULL,
    PRIMARY KEY (job, kind)
) WITHOUT ROWID;
CREATE INDEX call_due ON call (due);

CREATE TABLE count (status INTEGER PRIMARY KEY, jobs INTEGER NOT NULL);
INSERT INTO count VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0);
CREATE TRIGGER count_insert AFTER INSERT ON job BEGIN
    UPDATE count SET jobs = jobs + 1 WHERE status = new.status;
END;
CREATE TRIGGER count_delete AFTER DELETE ON job BEGIN
    UPDATE count SET jobs = jobs - 1 WHERE status = old.status;
END;
CREATE TRIGGER count_update AFTER UPDATE OF status ON job WHEN old.status <> new.status BEGIN
    UPDATE count SET jobs = jobs - 1 WHERE status = old.status;
    UPDATE count SET jobs = jobs + 1 WHERE status = new.status;
END;
";

/// Bring the tables up to date; a newer database is refused.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let known = u32::try_from(STEPS.len()).unwrap_or(u32::MAX);
    let found: u32 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(|error| failed("reading its version", error))?;
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    for version in found..known {
        let step = STEPS[version as usize];
        let transaction = connection.transaction().map_err(|error| failed("migrating", error))?;
        transaction.execute_batch(step).map_err(|error| failed("migrating", error))?;
        transaction
            .pragma_update(None, "user_version", version + 1)
            .map_err(|error| failed("migrating", error))?;
        transaction.commit().map_err(|error| failed("migrating", error))?;
    }
    Ok(())
}
