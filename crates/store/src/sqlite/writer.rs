//! The one writer: a thread that puts all that waits into one transaction, so that concurrent callers share its fsync.
//!
//! Steps on a job's way that would be seen again after a loss of power need not wait for the disk: they survive the end
//! of the server at once, and reach the disk with the next change that does wait, or [`SOON`] after.

use std::{
    path::{Path, PathBuf},
    slice,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, ffi};
use rutter_core::store::StoreError;
use tokio::sync::oneshot;

use super::fault::Fault;
use crate::recent::Recent;

/// Most operations of one transaction: bounds what a failure makes to be done again.
const BATCH: usize = 256;

/// How long a change may stay off the disk when nothing else is written.
const SOON: Duration = Duration::from_millis(20);

/// When a change has to be on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnDisk {
    /// Before the caller is told.
    First,
    /// A moment later; until then it survives the end of the server, not that of the machine.
    Soon,
}

/// Hands operations to the writer's thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Task>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Start the thread.
    pub(super) fn start(
        connection: Connection,
        folder: PathBuf,
        recent: Arc<Recent>,
    ) -> Result<Self, StoreError> {
        let (sender, queue) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || work(&connection, &folder, &recent, &queue))
            .map_err(|source| crate::lock::engine("starting its writer", source))?;
        Ok(Self { queue: Some(sender), thread: Some(thread) })
    }

    /// Do something to the database. `Ok` comes after the commit. What is `doing` may be done more than once, each time
    /// on the database as it was before. It is done even when the caller goes away meanwhile.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        on_disk: OnDisk,
        work: impl FnMut(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run_and_settle(doing, on_disk, work, |_, _| {}).await
    }

    /// The same for what changes a job's record: once it is in the database, `settle` brings what is kept in memory up to
    /// it, before anybody is told.
    pub(super) async fn run_and_settle<T: Send + 'static>(
        &self,
        doing: &'static str,
        on_disk: OnDisk,
        work: impl FnMut(&Connection) -> Result<T, Fault> + Send + 'static,
        settle: impl FnOnce(&T, &Recent) + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let operation = Operation { doing, on_disk, work, settle: Some(settle), outcome: None, reply };
        if let Some(queue) = &self.queue {
            // Without a writer the receiver below tells.
            let _ = queue.send(Box::new(operation));
        }
        answer.await.unwrap_or_else(|ended| Err(StoreError::Engine { doing, source: Box::new(ended) }))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // It panicked: every caller was told by then.
            let _ = thread.join();
        }
    }
}

/// Something to be done within a transaction.
trait Task: Send {
    /// Do it; `false` = take back what it did.
    fn run(&mut self, connection: &Connection) -> bool;

    /// When it has to be on the disk.
    fn on_disk(&self) -> OnDisk;

    /// Its transaction was lost.
    fn lost(&mut self, why: rusqlite::Error);

    /// Its transaction is in the database: bring what is kept in memory up to it.
    fn settle(&mut self, recent: &Recent);

    /// Tell the caller.
    fn answer(self: Box<Self>, folder: &Path);
}

struct Operation<T, W, S> {
    doing: &'static str,
    on_disk: OnDisk,
    work: W,
    settle: Option<S>,
    outcome: Option<Result<T, Fault>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W, S> Task for Operation<T, W, S>
where
    T: Send,
    W: FnMut(&Connection) -> Result<T, Fault> + Send,
    S: FnOnce(&T, &Recent) + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        self.outcome.insert((self.work)(connection)).is_ok()
    }

    fn on_disk(&self) -> OnDisk {
        self.on_disk
    }

    fn lost(&mut self, why: rusqlite::Error) {
        // An operation that failed by itself has the better reason.
        if !matches!(self.outcome, Some(Err(_))) {
            self.outcome = Some(Err(why.into()));
        }
    }

    fn settle(&mut self, recent: &Recent) {
        if let (Some(Ok(outcome)), Some(settle)) = (&self.outcome, self.settle.take()) {
            settle(outcome, recent);
        }
    }

    fn answer(self: Box<Self>, folder: &Path) {
        let outcome = self.outcome.unwrap_or_else(|| Err(transaction_lost().into()));
        // A caller that went away does not want to know.
        let _ = self.reply.send(outcome.map_err(|fault| fault.told(self.doing, folder)));
    }
}

fn work(connection: &Connection, folder: &Path, recent: &Recent, queue: &mpsc::Receiver<Box<dyn Task>>) {
    let mut behind = false;
    while let Some(first) = next(connection, queue, &mut behind) {
        let mut tasks = vec![first];
        tasks.extend(queue.try_iter().take(BATCH - 1));
        recent.begin();
        commit_all(connection, &mut tasks, &mut behind);
        tasks.iter_mut().for_each(|task| task.settle(recent));
        recent.end();
        for task in tasks {
            task.answer(folder);
        }
    }
}

/// What comes next, `None` at the end; when nothing comes, what is not on the disk yet is put there meanwhile.
fn next(
    connection: &Connection,
    queue: &mpsc::Receiver<Box<dyn Task>>,
    behind: &mut bool,
) -> Option<Box<dyn Task>> {
    if *behind {
        match queue.recv_timeout(SOON) {
            Ok(task) => return Some(task),
            Err(RecvTimeoutError::Timeout) => catch_up(connection, behind),
            Err(RecvTimeoutError::Disconnected) => {
                catch_up(connection, behind);
                return None;
            }
        }
    }
    queue.recv().ok()
}

/// Put all of the log on the disk: a synchronised commit takes with it what was written before.
///
/// It has to change something: of a row that stays as it is SQLite writes nothing, and then waits for nothing.
fn catch_up(connection: &Connection, behind: &mut bool) {
    let sql = "INSERT INTO meta VALUES ('caught-up', 0) ON CONFLICT DO UPDATE SET value = 1 - value";
    match synchronise(connection, OnDisk::First).and_then(|()| step(connection, sql)) {
        Ok(()) => *behind = false,
        Err(error) => tracing::warn!(%error, "the latest steps of jobs are not on the disk yet"),
    }
}

fn synchronise(connection: &Connection, on_disk: OnDisk) -> rusqlite::Result<()> {
    step(
        connection,
        match on_disk {
            OnDisk::First => "PRAGMA synchronous = FULL",
            OnDisk::Soon => "PRAGMA synchronous = NORMAL",
        },
    )
}

/// All together; when the transaction is lost, each by itself, so that one that is too large fails alone. `behind` = some
/// of what was done is not on the disk.
fn commit_all(connection: &Connection, tasks: &mut [Box<dyn Task>], behind: &mut bool) {
    let Err(error) = commit(connection, tasks, behind) else { return };
    if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
        // The log can't grow. What of it can go into the database makes room in it: enough to end and remove jobs. It
        // is as full as before when this fails.
        let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }
    for task in tasks {
        if let Err(error) = commit(connection, slice::from_mut(task), behind) {
            task.lost(error);
        }
    }
}

fn commit(connection: &Connection, tasks: &mut [Box<dyn Task>], behind: &mut bool) -> rusqlite::Result<()> {
    let first = tasks.iter().any(|task| task.on_disk() == OnDisk::First);
    let on_disk = if first { OnDisk::First } else { OnDisk::Soon };
    match try_commit(connection, tasks, on_disk) {
        // What changed nothing waited for nothing: the disk is as far behind as before.
        Ok(changed) => *behind = if changed { on_disk == OnDisk::Soon } else { *behind },
        Err(error) => {
            if !connection.is_autocommit() {
                step(connection, "ROLLBACK")?;
            }
            return Err(error);
        }
    }
    Ok(())
}

/// An operation that fails takes back only what it did. Tells whether anything was changed.
fn try_commit(
    connection: &Connection,
    tasks: &mut [Box<dyn Task>],
    on_disk: OnDisk,
) -> rusqlite::Result<bool> {
    synchronise(connection, on_disk)?;
    step(connection, "BEGIN IMMEDIATE")?;
    let mut changed = false;
    for task in tasks {
        step(connection, "SAVEPOINT task")?;
        let before = connection.total_changes();
        let keep = task.run(connection);
        changed |= keep && connection.total_changes() > before;
        // On a full disk SQLite may end the whole transaction.
        if connection.is_autocommit() {
            return Err(transaction_lost());
        }
        if !keep {
            step(connection, "ROLLBACK TO task")?;
        }
        step(connection, "RELEASE task")?;
    }
    step(connection, "COMMIT")?;
    Ok(changed)
}

fn step(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

fn transaction_lost() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_ABORT_ROLLBACK), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Asked = (Box<dyn Task>, oneshot::Receiver<Result<(), StoreError>>);

    fn operation(work: impl FnMut(&Connection) -> Result<(), Fault> + Send + 'static) -> Asked {
        operation_on(OnDisk::First, work)
    }

    fn operation_on(
        on_disk: OnDisk,
        work: impl FnMut(&Connection) -> Result<(), Fault> + Send + 'static,
    ) -> Asked {
        let (reply, answer) = oneshot::channel();
        let settle = Some(|_: &(), _: &Recent| {});
        (Box::new(Operation { doing: "testing", on_disk, work, settle, outcome: None, reply }), answer)
    }

    fn add(number: i64) -> impl FnMut(&Connection) -> Result<(), Fault> + Send {
        move |connection| {
            connection.execute("INSERT INTO numbers VALUES (?1)", [number])?;
            Ok(())
        }
    }

    fn run(batch: Vec<Asked>) -> (Vec<bool>, Vec<i64>) {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE numbers (number INTEGER UNIQUE)").unwrap();
        let (mut tasks, answers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        commit_all(&connection, &mut tasks, &mut false);
        for task in tasks {
            task.answer(Path::new("/"));
        }
        let mut statement = connection.prepare("SELECT number FROM numbers ORDER BY number").unwrap();
        let numbers = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        (answers.into_iter().map(|mut answer| answer.try_recv().unwrap().is_ok()).collect(), numbers)
    }

    #[test]
    fn one_that_fails_takes_back_only_its_own() {
        let (ok, numbers) = run(vec![
            operation(add(1)),
            operation(|connection| {
                add(2)(connection)?;
                add(1)(connection)
            }),
            operation(add(3)),
        ]);
        assert_eq!((ok, numbers), (vec![true, false, true], vec![1, 3]));
    }

    /// As SQLite does it on a full disk: the whole transaction is gone, with what others did before in it.
    #[test]
    fn one_that_loses_the_transaction_fails_alone() {
        let (ok, numbers) = run(vec![
            operation(add(1)),
            operation(|connection| {
                connection.execute_batch("INSERT INTO numbers VALUES (2); ROLLBACK")?;
                Err(transaction_lost().into())
            }),
            operation(add(3)),
        ]);
        assert_eq!((ok, numbers), (vec![true, false, true], vec![1, 3]));
    }

    #[test]
    fn what_was_put_off_reaches_the_disk_though_nothing_else_changes() {
        let folder = tempfile::tempdir().unwrap();
        let connection = super::super::open(&folder.path().join(super::super::FILE), u32::MAX - 1).unwrap();
        connection.execute_batch("CREATE TABLE numbers (number INTEGER UNIQUE)").unwrap();
        let mut behind = false;
        let mut put = |on_disk, number| {
            let work = move |connection: &Connection| {
                connection.execute("INSERT OR IGNORE INTO numbers VALUES (?1)", [number])?;
                Ok(())
            };
            commit_all(&connection, &mut [operation_on(on_disk, work).0], &mut behind);
            behind
        };
        assert!(put(OnDisk::Soon, 1));
        assert!(put(OnDisk::First, 1), "nothing was written, so nothing waited for the disk");
        assert!(!put(OnDisk::First, 2));
        assert!(!put(OnDisk::Soon, 2), "what changes nothing is not behind");
        assert!(put(OnDisk::Soon, 3));
        // SQLite waits for the disk when it adds to its log, and only then.
        let log = folder.path().join(format!("{}-wal", super::super::FILE));
        for _ in 0..3 {
            let before = std::fs::metadata(&log).unwrap().len();
            let mut behind = true;
            catch_up(&connection, &mut behind);
            assert!(!behind && std::fs::metadata(&log).unwrap().len() > before);
        }
    }
}
