//! A data folder, the stand-in for the agent, and ways to wait for what happens.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rutter_core::{
    executor::{Executor, LaunchEnd, Observation},
    id::{JobId, LaunchName},
    plan::{Needs, Plan, PlannedUnit},
    process::{Contract, EnvEntry, EnvValue},
};
use rutter_exec_local::{AgentCommand, Capacity, LocalConfig, LocalExecutor};
use rutter_types::agent::{FetchPolicy, Limits};
use tempfile::TempDir;

const FAKE: &str = env!("CARGO_BIN_EXE_rutter-exec-local-fake");
/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Bench(TempDir);

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("out")).unwrap();
        Self(folder)
    }

    pub(crate) async fn open(&self) -> LocalExecutor {
        self.open_with(|_| {}).await
    }

    pub(crate) async fn open_with(&self, change: impl FnOnce(&mut LocalConfig)) -> LocalExecutor {
        let mut config = LocalConfig {
            folder: self.folder(),
            agent: AgentCommand { program: FAKE.into(), args: vec!["agent".into()] },
            socket: self.0.path().join("agent.sock"),
            capacity: Capacity { cpu_milli: 2000, memory_bytes: 1 << 30 },
            grace: Duration::from_secs(60),
            secrets: Some(self.0.path().join("secrets")),
            program_path: "/first/on/path".into(),
            open_files: None,
            containers: None,
        };
        change(&mut config);
        LocalExecutor::open(config).await.unwrap()
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.0.path().join("data/attempts")
    }

    pub(crate) fn launch(&self, name: LaunchName) -> PathBuf {
        self.folder().join(name.to_string())
    }

    pub(crate) fn out(&self, name: &str) -> PathBuf {
        self.0.path().join("out").join(name)
    }

    pub(crate) fn plan(&self, script: &str) -> Plan {
        self.plan_with(script, 0)
    }

    pub(crate) fn plan_with(&self, script: &str, retries: u32) -> Plan {
        let text = |name: &str, value: &str| EnvEntry {
            name: name.to_owned(),
            value: EnvValue::Text(value.to_owned()),
        };
        let out = self.0.path().join("out");
        Plan {
            process: "fake".parse().unwrap(),
            told_id: "fake".to_owned(),
            unit: PlannedUnit::Command,
            contract: Contract::Rutter,
            env: vec![text("FAKE_DO", script), text("FAKE_OUT", out.to_str().unwrap())],
            inputs: Default::default(),
            stage: vec![],
            command: vec![],
            package_folder: None,
            outputs: vec![],
            needs: Needs { cpu_milli: 1500, memory_bytes: 0 },
            limits: Limits {
                command_seconds: 60,
                grace_seconds: 1,
                memory_bytes: None,
                scratch_bytes: None,
                output_bytes: 0,
                log_bytes: 0,
                contact_seconds: 60,
            },
            retries,
            fetch: FetchPolicy {
                max_bytes: 0,
                idle_seconds: 0,
                max_redirects: 0,
                private_networks: false,
                allow: vec![],
            },
        }
    }

    /// Another plan for a launch that was made already.
    pub(crate) fn rewrite(&self, name: LaunchName, plan: &Plan) {
        let path = self.launch(name).join("launch.json");
        let mut record: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        record["env"] = serde_json::to_value(&plan.env).unwrap();
        fs::write(path, record.to_string()).unwrap();
    }

    /// A server process that launches, and is killed as soon as `when` holds.
    pub(crate) fn server_that_dies(&self, name: LaunchName, plan: &Plan, when: impl Fn() -> bool) {
        let server = self.server(name, plan);
        let start = Instant::now();
        while !when() {
            assert!(start.elapsed() < PATIENCE, "waited too long");
            thread::sleep(Duration::from_millis(2));
        }
        drop(server);
    }

    /// A server process that launches and then does nothing any more, until it is dropped.
    pub(crate) fn server_that_stops(&self, name: LaunchName, plan: &Plan) -> Server {
        let server = self.server(name, plan);
        signal(server.0.id().into(), rustix::process::Signal::STOP);
        server
    }

    fn server(&self, name: LaunchName, plan: &Plan) -> Server {
        fs::create_dir_all(self.folder()).unwrap();
        let mut server = Command::new(FAKE)
            .arg("server")
            .arg(self.folder())
            .arg(name.to_string())
            .arg(serde_json::to_string(plan).unwrap())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "launched\n");
        Server(server)
    }

    /// Let agents that hold go on.
    pub(crate) fn go(&self) {
        fs::write(self.out("go"), "").unwrap();
    }

    /// How often commands ran.
    pub(crate) fn lines(&self) -> usize {
        fs::read_to_string(self.out("lines")).unwrap_or_default().lines().count()
    }

    pub(crate) async fn until_lines(&self, count: usize) {
        until(async || self.lines() == count).await;
    }

    /// Wait until no agent holds the attempt.
    pub(crate) async fn until_free(&self, name: LaunchName, attempt: u32) {
        let lock = fs::File::open(self.launch(name).join(attempt.to_string()).join("lock")).unwrap();
        until(async || rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockShared).is_ok())
            .await;
    }

    /// Wait until no folder of a launch is left.
    pub(crate) async fn until_empty(&self) {
        until(async || fs::read_dir(self.folder()).unwrap().count() == 0).await;
    }

    /// Process id of the child that an agent started.
    pub(crate) fn child(&self) -> i64 {
        fs::read_to_string(self.out("child")).unwrap().parse().unwrap()
    }

    pub(crate) fn token(&self, name: LaunchName, attempt: u32) -> String {
        fs::read_to_string(self.launch(name).join(attempt.to_string()).join("token")).unwrap()
    }

    pub(crate) fn secret(&self, name: &str, key: &str, value: &str) {
        let folder = self.0.path().join("secrets").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(key), value).unwrap();
    }

    pub(crate) fn mode(&self, name: LaunchName, path: &str) -> u32 {
        fs::metadata(self.launch(name).join(path)).unwrap().permissions().mode() & 0o777
    }
}

/// Killed when it is dropped.
pub(crate) struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

pub(crate) fn name() -> LaunchName {
    LaunchName { job: JobId::generate(), launch: 1 }
}

pub(crate) fn exited(code: i32) -> LaunchEnd {
    LaunchEnd::Exited { code }
}

pub(crate) fn lost() -> LaunchEnd {
    LaunchEnd::AgentLost
}

/// Wait until a launch is over.
pub(crate) async fn ended(executor: &LocalExecutor, name: LaunchName) -> LaunchEnd {
    let start = Instant::now();
    loop {
        if let Some(Observation::Ended { end }) = executor.observe(name).await.unwrap() {
            return end;
        }
        assert!(start.elapsed() < PATIENCE, "waited too long");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) async fn is_running(executor: &LocalExecutor, name: LaunchName) -> bool {
    executor.observe(name).await.unwrap() == Some(Observation::Running)
}

pub(crate) async fn until(what: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !what().await {
        assert!(start.elapsed() < PATIENCE, "waited too long");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Whether a process runs; one that ended and was not waited for does not.
pub(crate) fn runs(pid: i64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

pub(crate) fn kill(pid: i64) {
    signal(pid, rustix::process::Signal::KILL);
}

fn signal(pid: i64, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}
