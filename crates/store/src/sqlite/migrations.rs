//! The tables, and how older ones become them. `PRAGMA user_version` says which there are.

use rusqlite::Connection;
use rutter_core::store::StoreError;

use super::fault::Fault;

/// Statements that lead from each version to the next; never changed once released.
pub(super) const STEPS: &[&str] = &[include_str!("v1.sql")];

/// Bring the tables up to date, all steps or none; a newer database is refused.
pub(super) fn migrate(connection: &Connection, steps: &[&str]) -> Result<(), Fault> {
    let known = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known {
        return Err(StoreError::TooNew { found, known }.into());
    }
    let Some(missing) = steps.get(found as usize..).filter(|missing| !missing.is_empty()) else {
        return Ok(());
    };
    let transaction = connection.unchecked_transaction()?;
    for step in missing {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(connection: &Connection) -> u32 {
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn an_older_database_is_led_on_and_a_newer_one_refused() {
        let connection = Connection::open_in_memory().unwrap();
        migrate(&connection, STEPS).unwrap();
        connection.execute("INSERT INTO gone VALUES (x'01', 5)", []).unwrap();
        let next = [STEPS, &["ALTER TABLE gone ADD COLUMN reason TEXT"]].concat();
        migrate(&connection, &next).unwrap();
        migrate(&connection, &next).unwrap();
        let kept: (i64, Option<String>) = connection
            .query_row("SELECT removed, reason FROM gone", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!((kept, version(&connection)), ((5, None), 2));
        let error = migrate(&connection, STEPS).unwrap_err();
        assert!(matches!(error, Fault::Store(StoreError::TooNew { found: 2, known: 1 })), "{error}");
    }

    #[test]
    fn a_step_that_fails_leaves_the_database_as_it_was() {
        let connection = Connection::open_in_memory().unwrap();
        migrate(&connection, STEPS).unwrap();
        let broken = [STEPS, &["DROP TABLE gone; DROP TABLE nothing"]].concat();
        migrate(&connection, &broken).unwrap_err();
        assert_eq!(version(&connection), 1);
        connection.execute("INSERT INTO gone VALUES (x'01', 5)", []).unwrap();
    }
}
