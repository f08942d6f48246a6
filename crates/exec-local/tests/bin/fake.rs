//! Stands in for the agent, and for a server that is killed, in the tests of this crate.
//!
//! As agent it does what the variable `FAKE_DO` says, word by word, and leaves traces in the folder `FAKE_OUT`.

use std::{
    env, fs,
    io::Write,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{self, Command},
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, flock},
    process::{Signal, getpid, kill_process},
};
use rutter_core::{executor::Executor, id::LaunchName, plan::Plan};
use rutter_exec_local::{AgentCommand, Capacity, LocalConfig, LocalExecutor};
use serde_json::json;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["agent"] => Agent::from_env().run().await,
        ["child"] => deaf_child().await,
        ["server", folder, name, plan] => server(folder, name, plan).await,
        _ => process::exit(2),
    }
}

/// Opens the executor, launches, says so, and waits to be killed.
async fn server(folder: &str, name: &str, plan: &str) {
    let program = env::current_exe().expect("own path");
    let executor = LocalExecutor::open(LocalConfig {
        folder: folder.into(),
        agent: AgentCommand { program, args: vec!["agent".into()] },
        socket: "/nowhere".into(),
        capacity: Capacity { cpu_milli: 2000, memory_bytes: 1 << 30 },
        grace: Duration::ZERO,
        secrets: None,
        program_path: "/usr/bin".into(),
        open_files: None,
        containers: None,
    })
    .await
    .expect("opens");
    let name: LaunchName = name.parse().expect("a launch name");
    let plan: Plan = serde_json::from_str(plan).expect("a plan");
    executor.launch(name, &plan).await.expect("launches");
    println!("launched");
    std::future::pending::<()>().await;
}

/// Ignores SIGTERM until somebody does worse.
async fn deaf_child() {
    let _deaf = signal(SignalKind::terminate()).expect("a signal handler");
    fs::write(env::var("FAKE_PID").expect("FAKE_PID"), process::id().to_string()).expect("writes");
    sleep(Duration::from_secs(120)).await;
}

struct Agent {
    folder: PathBuf,
    out: PathBuf,
    script: String,
    lock: Option<fs::File>,
}

impl Agent {
    fn from_env() -> Self {
        let folder: PathBuf = env::var("RUTTER_AGENT_FOLDER").expect("RUTTER_AGENT_FOLDER").into();
        let out = env::var("FAKE_OUT").expect("FAKE_OUT").into();
        Self { folder, out, script: env::var("FAKE_DO").expect("FAKE_DO"), lock: None }
    }

    async fn run(mut self) {
        for word in self.script.clone().split_ascii_whitespace() {
            let (verb, number) = word.split_once(':').unwrap_or((word, "0"));
            let number: u64 = number.parse().expect("a number");
            match verb {
                "deaf" | "term" => on_term(verb, number as i32),
                "sleep" => sleep(Duration::from_millis(number)).await,
                "hold" => until(&self.out.join("go")).await,
                "child" => self.child().await,
                _ => self.step(verb, number),
            }
        }
    }

    fn step(&mut self, verb: &str, number: u64) {
        match verb {
            "lock" => self.take_lock(),
            "record" => self.record(),
            "line" => self.line(),
            "env" => self.dump_env(),
            "until" if self.attempt() < number => process::exit(1),
            "until" => {}
            "kill" => kill_process(getpid(), Signal::KILL).expect("dies"),
            "report" => {
                let report = json!({"outcome": {"outcome": "exited", "code": number}, "log_bytes": 0,
                    "usage": {"cpu_seconds": 0.0, "peak_memory_bytes": 0, "staging_seconds": 0.0, "command_seconds": 0.0}});
                fs::write(self.folder.join("report.json"), report.to_string()).expect("writes");
            }
            "exit" => process::exit(number as i32),
            _ => process::exit(2),
        }
    }

    fn attempt(&self) -> u64 {
        let name = self.folder.file_name().and_then(|name| name.to_str());
        name.and_then(|name| name.parse().ok()).expect("the number of the attempt")
    }

    fn job(&self) -> String {
        let launch = self.folder.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        let launch: LaunchName = launch.and_then(|name| name.parse().ok()).expect("a launch name");
        launch.job.to_string()
    }

    fn take_lock(&mut self) {
        let lock = fs::File::create(self.folder.join("lock")).expect("the lock file");
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            process::exit(123);
        }
        self.lock = Some(lock);
    }

    fn record(&self) {
        let path = self.folder.join("record.json");
        if path.exists() {
            process::exit(123);
        }
        let stat = fs::read_to_string("/proc/self/stat").expect("stat");
        let after_name = stat.rsplit_once(')').expect("a name").1;
        let start_time: u64 =
            after_name.split_ascii_whitespace().nth(19).and_then(|text| text.parse().ok()).expect("a time");
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("boot id");
        let record = json!({"pid": process::id(), "start_time": start_time, "boot_id": boot.trim(), "job": self.job()});
        fs::write(path.with_extension("new"), record.to_string()).expect("writes");
        fs::rename(path.with_extension("new"), path).expect("renames");
    }

    /// One line per run of the command.
    fn line(&self) {
        let mut options = fs::OpenOptions::new();
        let mut lines = options.append(true).create(true).open(self.out.join("lines")).expect("lines");
        writeln!(lines, "{} {}", self.job(), self.attempt()).expect("writes");
    }

    fn dump_env(&self) {
        let mut names: Vec<_> = env::vars().map(|(name, value)| format!("{name}={value}")).collect();
        names.sort();
        fs::write(self.out.join("env"), names.join("\n")).expect("writes");
    }

    #[expect(clippy::zombie_processes, reason = "the child outlives its agent on purpose")]
    async fn child(&self) {
        let pid_file = self.out.join("child");
        Command::new(env::current_exe().expect("own path"))
            .arg("child")
            .env_clear()
            .env("RUTTER_JOB_ID", self.job())
            .env("FAKE_PID", &pid_file)
            .process_group(0)
            .spawn()
            .expect("a child");
        until(&pid_file).await;
    }
}

fn on_term(verb: &str, code: i32) {
    let mut terms = signal(SignalKind::terminate()).expect("a signal handler");
    let ends = verb == "term";
    tokio::spawn(async move {
        while terms.recv().await.is_some() {
            if ends {
                process::exit(code);
            }
        }
    });
}

async fn until(file: &Path) {
    while !file.exists() {
        sleep(Duration::from_millis(5)).await;
    }
}
