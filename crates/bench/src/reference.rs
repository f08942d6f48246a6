//! References: what the machine can do at best with the same stack.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;
use axum::{Router, routing::get};
use bytes::Bytes;
use hyper::header::CONTENT_TYPE;
use rusqlite::Connection;

/// A bare axum handler in a process of its own, as the server is; killed when dropped.
pub(crate) struct Bare {
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Bare {
    /// Start one that sends these bytes.
    pub(crate) fn start(body: &[u8]) -> anyhow::Result<Self> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), body)?;
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg("--bare").arg(file.path()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no standard output")?).read_line(&mut line)?;
        let mut bare = Self { address: ([127, 0, 0, 1], 0).into(), child };
        bare.address = line.trim().parse().context("the bare handler did not start")?;
        Ok(bare)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serve the bytes of a file until killed; the address goes to standard output.
pub(crate) fn be_the_bare_handler(file: &Path) -> anyhow::Result<()> {
    let body = Bytes::from(std::fs::read(file)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let send = move || std::future::ready(([(CONTENT_TYPE, "application/json")], body.clone()));
        axum::serve(listener, Router::new().fallback(get(send))).await?;
        Ok(())
    })
}

/// Durable inserts per second of records of that size into a plain table: SQLite, write-ahead log, full
/// synchronisation, `together` per transaction (as many as callers that wait at once can share).
pub(crate) fn durable_inserts(
    folder: &Path,
    record: usize,
    together: usize,
    count: usize,
) -> anyhow::Result<f64> {
    let mut store = Connection::open(folder.join("reference.db"))?;
    store.pragma_update(None, "journal_mode", "WAL")?;
    store.pragma_update(None, "synchronous", "FULL")?;
    store.execute_batch("CREATE TABLE IF NOT EXISTS job (seq INTEGER PRIMARY KEY, record BLOB)")?;
    let bytes = vec![b'x'; record];
    let rounds = count.div_ceil(together);
    let start = Instant::now();
    for _ in 0..rounds {
        let transaction = store.transaction()?;
        for _ in 0..together {
            transaction.prepare_cached("INSERT INTO job (record) VALUES (?1)")?.execute([&bytes])?;
        }
        transaction.commit()?;
    }
    Ok((rounds * together) as f64 / start.elapsed().as_secs_f64())
}

/// How long each fork and exec of a command takes, one after another.
pub(crate) fn fork_exec(command: &[&str], count: usize) -> anyhow::Result<Vec<Duration>> {
    (0..count)
        .map(|_| {
            let start = Instant::now();
            Command::new(command[0]).args(&command[1..]).stdin(Stdio::null()).status()?;
            Ok(start.elapsed())
        })
        .collect()
}

/// How long `count` runs of a command take, `together` at a time.
pub(crate) fn fork_exec_together(
    command: &[&str],
    together: usize,
    count: usize,
) -> anyhow::Result<Duration> {
    let start = Instant::now();
    std::thread::scope(|scope| {
        let share = |worker| count / together + usize::from(worker < count % together);
        let workers: Vec<_> =
            (0..together).map(|worker| scope.spawn(move || fork_exec(command, share(worker)))).collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().map_err(|_| anyhow::anyhow!("a worker of the reference panicked"))?.map(|_| ())
        })
    })?;
    Ok(start.elapsed())
}
