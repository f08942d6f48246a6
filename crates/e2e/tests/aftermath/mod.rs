//! What the tests of durability, restart, rebuild and faults look at afterwards: processes, lines, jobs.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::{
    collections::hash_map::RandomState,
    fs,
    hash::{BuildHasher, Hasher},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal};
use rutter_e2e::{Client, Package, Server, binary};
use serde_json::{Value, json};

/// Identifier of the job at a URL.
pub(crate) fn id_of(job: &str) -> &str {
    job.rsplit('/').next().unwrap_or_default()
}

/// Type of the exception of a failed job, without its prefix.
pub(crate) fn exception(status: &Value) -> &str {
    let kind = status["exception"]["type"].as_str().unwrap_or_default();
    kind.rsplit('/').next().unwrap_or_default()
}

/// Process ids of everything with this text in its environment or, where that can't be read any more, nothing.
pub(crate) fn processes_with(text: &str) -> Vec<i32> {
    let has = |pid: i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.windows(text.len()).any(|window| window == text.as_bytes())
    };
    let entries = fs::read_dir("/proc").expect("a list of processes").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(|&pid| has(pid)).collect()
}

/// Everything that runs for jobs of a server: agents and commands.
pub(crate) fn running_in(server: &Server) -> Vec<i32> {
    processes_with(&server.data().display().to_string())
}

/// The agent of a job.
pub(crate) fn agent_of(server: &Server, job: &str) -> Option<i32> {
    let folder = server.data().join("attempts").join(id_of(job));
    let agents = processes_with(&format!("RUTTER_AGENT_FOLDER={}", folder.display()));
    agents.into_iter().next()
}

/// Processes of a job's command.
pub(crate) fn commands_of(job: &str) -> Vec<i32> {
    processes_with(&format!("RUTTER_JOB_ID={}", id_of(job)))
}

/// `kill -9`.
pub(crate) fn kill(pid: i32) {
    let pid = Pid::from_raw(pid).expect("a process id");
    rustix::process::kill_process(pid, Signal::KILL).expect("the process runs");
}

/// A package whose command notes that it ran, and then does `rest`; without outputs.
pub(crate) fn noting(id: &str, rest: &str) -> Package {
    let line = format!("echo $RUTTER_JOB_ID >> $RUTTER_PACKAGE_DIR/ran; {rest}");
    Package::new(id, json!(["sh", "-c", line]))
}

/// A piece of shell that waits until [`open_gate`] was called with this name.
pub(crate) fn gate(name: &str) -> String {
    format!("until [ -e $RUTTER_PACKAGE_DIR/gate-{name} ]; do sleep 0.02; done")
}

/// Let commands pass a [`gate`].
pub(crate) fn open_gate(server: &Server, name: &str) {
    fs::write(server.folder().join(format!("processes/gate-{name}")), "").expect("a gate");
}

/// Identifiers of jobs whose commands ran, once for each time, in order.
pub(crate) fn ran(server: &Server) -> Vec<String> {
    let text = fs::read_to_string(server.folder().join("processes/ran")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Identifiers of all jobs that a server lists.
pub(crate) fn listed(client: &Client) -> Vec<String> {
    let mut ids = Vec::new();
    let mut next = Some("/jobs?limit=1000".to_owned());
    while let Some(path) = next {
        let page = client.get(&path).expect(200).json();
        let jobs = page["jobs"].as_array().expect("jobs");
        ids.extend(jobs.iter().map(|job| job["jobID"].as_str().expect("jobID").to_owned()));
        let links = page["links"].as_array().expect("links");
        let link = links.iter().find(|link| link["rel"] == json!("next"));
        next = link.map(|link| link["href"].as_str().expect("href").to_owned());
    }
    ids
}

/// `rutter serve` on the files of a server, with another address and data folder where they are given.
pub(crate) fn serve(folder: &Path, listen: &str, data: &Path) -> Command {
    let mut command = Command::new(binary());
    command.arg("serve").arg("--config").arg(folder.join("rutter.yaml"));
    command.arg("--listen").arg(listen).arg("--data").arg(data);
    command.arg("--processes").arg(folder.join("processes"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// What a server that can't start says; it fails the test if it starts after all.
pub(crate) fn refusal(command: &mut Command) -> String {
    let child = command.spawn().expect("the built binary starts");
    let pid = child.id();
    let (sender, ended) = std::sync::mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        let still_runs = ended.recv_timeout(std::time::Duration::from_secs(30)).is_err();
        if still_runs {
            kill(pid.try_into().expect("a process id"));
        }
        still_runs
    });
    let Output { status, stderr, .. } = child.wait_with_output().expect("an ended process");
    let _ = sender.send(());
    let text = String::from_utf8_lossy(&stderr).into_owned();
    assert!(!watchdog.join().expect("a watchdog"), "it started:\n{text}");
    assert_eq!(status.code(), Some(1), "{text}");
    text
}

/// A child that is killed when it is dropped.
pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The URL of a server as `host:port`.
pub(crate) fn address(server: &Server) -> &str {
    server.url().trim_start_matches("http://")
}

/// Random numbers that a printed seed gives again (`RUTTER_TEST_SEED`): the SplitMix64 of Steele, Lea and Flood.
pub(crate) struct Dice(u64);

impl Dice {
    /// Seeded anew, or as told.
    pub(crate) fn new() -> Self {
        let told = std::env::var("RUTTER_TEST_SEED").ok().map(|text| text.parse().expect("a number"));
        let seed = told.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        println!("RUTTER_TEST_SEED={seed}");
        Self(seed)
    }

    /// Below a number.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}
