//! The server under measurement.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::{Bench, folder::Folder, proc};

/// A running server; killed with its jobs when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// From its start to the first 200.
    pub(crate) start: Duration,
    folder: Option<Folder>,
    child: Child,
}

impl Server {
    /// Start one and wait for its first answer; `cpus` = cores for jobs, `None` = those of the machine.
    pub(crate) fn start(bench: &Bench, folder: Folder, cpus: Option<f64>) -> anyhow::Result<Self> {
        let config = folder.configure(cpus)?;
        Self::start_with(bench, folder, &config)
    }

    /// The same with a configuration file.
    pub(crate) fn start_with(bench: &Bench, folder: Folder, config: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(&bench.rutter);
        command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(config);
        command.arg("--data").arg(folder.data()).arg("--processes").arg(folder.processes());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(folder.log())?);
        let begin = Instant::now();
        let child = command.spawn().with_context(|| format!("could not start {}", bench.rutter.display()))?;
        let address = ([127, 0, 0, 1], 0).into();
        let mut server = Self { address, start: Duration::ZERO, folder: Some(folder), child };
        server.address = server.announced()?;
        server.first_answer()?;
        server.start = begin.elapsed();
        Ok(server)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> anyhow::Result<&Folder> {
        self.folder.as_ref().context("the server was stopped")
    }

    /// End it and its jobs, and keep the data.
    pub(crate) fn stop(mut self) -> anyhow::Result<Folder> {
        self.kill();
        self.folder.take().context("the server was stopped before")
    }

    fn announced(&mut self) -> anyhow::Result<SocketAddr> {
        let log = self.folder()?.log();
        loop {
            let text = fs::read_to_string(&log)?;
            let rest = text.split_once("listening on http://").map(|(_, rest)| rest);
            if let Some((address, _)) = rest.and_then(|rest| rest.split_once('/')) {
                return Ok(address.parse()?);
            }
            if self.child.try_wait()?.is_some() {
                bail!("the server did not start:\n{text}");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn first_answer(&self) -> anyhow::Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        write!(stream, "GET /processes HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if !answer.starts_with("HTTP/1.1 200") {
            bail!("the first answer was {answer}");
        }
        Ok(())
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Jobs outlive their server by design; these must not outlive the measurement.
        let Some(folder) = &self.folder else { return };
        for pid in proc::of_folder(folder.path()) {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
