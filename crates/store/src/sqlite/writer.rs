//! The one writer: a thread that puts what waits into one transaction, so that concurrent callers share its fsync.

use std::{sync::mpsc, thread::JoinHandle};

use rusqlite::Connection;
use rutter_core::store::StoreError;
use tokio::sync::oneshot;

use super::failed;

/// Most operations of one transaction.
const BATCH: usize = 256;

/// Tells a caller what became of its operation once the transaction is over; `false` = the transaction was lost.
type Reply = Box<dyn FnOnce(bool) + Send>;
/// An operation: done inside the transaction, gives the reply to be told after it.
type Operation = Box<dyn FnOnce(&Connection) -> Reply + Send>;

/// Hands operations to the writer's thread.
#[derive(Debug)]
pub(super) struct Writer {
    operations: Option<mpsc::Sender<Operation>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Start the thread.
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (operations, queue) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || work(&connection, &queue))
            .map_err(|source| crate::lock::engine("starting its writer", source))?;
        Ok(Self { operations: Some(operations), thread: Some(thread) })
    }

    /// Do something to the database. `Ok` comes after the commit: it is durable.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let operation: Operation = Box::new(move |connection| {
            let outcome = in_savepoint(connection, operation);
            Box::new(move |committed| {
                let outcome = if committed { outcome } else { outcome.and(Err(lost())) };
                // A caller that went away does not want to know.
                let _ = sender.send(outcome);
            })
        });
        if let Some(operations) = &self.operations {
            // Without a writer the receiver below tells.
            let _ = operations.send(operation);
        }
        receiver.await.unwrap_or_else(|_| Err(lost()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.operations = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One operation of many in a transaction: its failure takes back only what it did.
fn in_savepoint<T>(
    connection: &Connection,
    operation: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.execute_batch("SAVEPOINT operation").map_err(|error| failed("beginning", error))?;
    let outcome = operation(connection);
    // After a full disk SQLite may have ended the whole transaction itself: then there is no savepoint any more.
    if outcome.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK TO operation").map_err(|error| failed("taking back", error))?;
    }
    if !connection.is_autocommit() {
        connection.execute_batch("RELEASE operation").map_err(|error| failed("finishing", error))?;
    }
    outcome
}

fn work(connection: &Connection, queue: &mpsc::Receiver<Operation>) {
    while let Ok(first) = queue.recv() {
        if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
            tracing::error!(%error, "the store could not begin a transaction");
        }
        let mut replies = vec![first(connection)];
        while replies.len() < BATCH && !connection.is_autocommit() {
            match queue.try_recv() {
                Ok(operation) => replies.push(operation(connection)),
                Err(_) => break,
            }
        }
        let committed = commit(connection);
        for reply in replies {
            reply(committed);
        }
    }
}

fn commit(connection: &Connection) -> bool {
    if connection.is_autocommit() {
        return false;
    }
    match connection.execute_batch("COMMIT") {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(%error, "the store could not commit; nothing of the transaction is kept");
            if !connection.is_autocommit() {
                let _ = connection.execute_batch("ROLLBACK");
            }
            false
        }
    }
}

/// What a caller is told whose transaction was lost: nearly always the disk is full.
fn lost() -> StoreError {
    StoreError::Full
}
