//! A running `rutter serve`.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{Client, Package};

/// How long anything may take before a test gives up; no test waits that long when all is well.
const PATIENCE: Duration = Duration::from_secs(180);

/// The binary under test.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("RUTTER_BINARY") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a test has a file");
    let folder = test.ancestors().nth(2).expect("tests are built below the target folder");
    let path = folder.join("rutter");
    assert!(path.is_file(), "{} is missing: run `cargo build --package rutter`", path.display());
    path
}

/// The agent, built static so that it runs in any image.
pub fn static_agent() -> PathBuf {
    let path = std::env::var_os("RUTTER_STATIC_AGENT").map(PathBuf::from);
    path.filter(|path| path.is_file()).expect("RUTTER_STATIC_AGENT names the agent: run `cargo xtask test`")
}

/// The server's image as an archive; pods of jobs take their agent from it.
pub fn image() -> PathBuf {
    let path = std::env::var_os("RUTTER_IMAGE").map(PathBuf::from);
    path.filter(|path| path.is_file()).expect("RUTTER_IMAGE names the image: run `cargo xtask test`")
}

/// Its name in there.
pub const IMAGE: &str = concat!("localhost/rutter:", env!("CARGO_PKG_VERSION"));

/// Wait until something holds.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "did not come true: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How a server is started.
#[derive(Debug)]
pub struct ServerBuilder {
    folder: TempDir,
    config: String,
    listen: String,
    examples: bool,
    expected: Vec<String>,
    environment: Vec<(String, String)>,
    ulimit: Option<String>,
    by: Vec<OsString>,
}

impl Default for ServerBuilder {
    fn default() -> Self {
        Self {
            folder: tempfile::Builder::new().prefix("rutter-e2e").tempdir().expect("a temporary folder"),
            config: String::new(),
            listen: "127.0.0.1:0".into(),
            examples: false,
            expected: Vec::new(),
            environment: Vec::new(),
            ulimit: None,
            by: Vec::new(),
        }
    }
}

impl ServerBuilder {
    /// Serve a package.
    #[must_use]
    pub fn package(self, package: &Package) -> Self {
        package.write(&self.folder.path().join("processes"));
        self
    }

    /// Serve the shipped packages too.
    #[must_use]
    pub fn examples(mut self) -> Self {
        self.examples = true;
        self
    }

    /// Lines of `rutter.yaml`.
    #[must_use]
    pub fn config(mut self, yaml: &str) -> Self {
        self.config.push_str(yaml);
        self.config.push('\n');
        self
    }

    /// A file beside `rutter.yaml`, or in a folder there.
    #[must_use]
    pub fn file(self, name: &str, text: &str) -> Self {
        let path = self.folder.path().join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).expect("a folder beside the configuration");
        }
        fs::write(path, text).expect("a file beside the configuration");
        self
    }

    /// Listen elsewhere.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        self.listen = address.into();
        self
    }

    /// A variable of the server's environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Start it with a limit of the shell's `ulimit`, such as `-Sn 256`.
    #[must_use]
    pub fn ulimit(mut self, arguments: &str) -> Self {
        self.ulimit = Some(arguments.into());
        self
    }

    /// Start it by a command that turns into [`binary`], such as one that enters a network first.
    #[must_use]
    pub fn by(mut self, command: &Command) -> Self {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        self.by = words.map(ToOwned::to_owned).collect();
        self
    }

    /// A piece of a warning or error that belongs to this test.
    #[must_use]
    pub fn expect_warning(mut self, piece: &str) -> Self {
        self.expected.push(piece.into());
        self
    }

    /// Start it, and wait until it answers.
    pub fn start(self) -> Server {
        let folder = self.folder.path();
        fs::create_dir_all(folder.join("processes")).expect("a folder for packages");
        fs::write(folder.join("rutter.yaml"), &self.config).expect("a configuration file");
        let mut server = Server { builder: self, child: None, url: String::new(), starts: 0 };
        server.start();
        server
    }

    fn program(&self) -> Command {
        if let Some((program, words)) = self.by.split_first() {
            let mut command = Command::new(program);
            command.args(words);
            return command;
        }
        let Some(ulimit) = &self.ulimit else { return Command::new(binary()) };
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("ulimit {ulimit} && exec \"$@\"")).arg("sh").arg(binary());
        shell
    }
}

/// A running server; killed, with its jobs, when dropped.
#[derive(Debug)]
pub struct Server {
    builder: ServerBuilder,
    child: Option<Child>,
    url: String,
    starts: u32,
}

impl Server {
    /// How to start one.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// Folder of everything: `processes/`, `data/`, `rutter.yaml`, logs.
    pub fn folder(&self) -> &Path {
        self.builder.folder.path()
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// Its URL, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A client of it.
    pub fn client(&self) -> Client {
        Client::new(&self.url)
    }

    /// Whether it was started and not ended by the test.
    pub fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Resident memory, bytes.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
        let kilobytes: u64 = line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
        kilobytes * 1024
    }

    /// How many files and connections it has open.
    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).map_or(0, Iterator::count)
    }

    /// Everything it logged since the first start.
    pub fn log(&self) -> String {
        (1..=self.starts).map(|n| fs::read_to_string(self.log_path(n)).unwrap_or_default()).collect()
    }

    /// End it as a crash would: `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a running server can be killed");
            child.wait().expect("a killed server ends");
        }
    }

    /// Ask it to stop, and wait until it did.
    pub fn stop(&mut self) -> std::process::ExitStatus {
        let mut child = self.child.take().expect("a running server");
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a running server");
        child.wait().expect("a stopped server ends")
    }

    /// Run another command of the binary to its end, with the configuration, data and environment of this server.
    pub fn also(&self, arguments: &[&str]) -> Output {
        let mut command = self.builder.program();
        command.args(arguments).arg("--config").arg(self.folder().join("rutter.yaml"));
        command.arg("--data").arg(self.data());
        command.envs(self.builder.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).output().expect("the built binary starts")
    }

    /// Start it again, on the same port and data.
    pub fn start(&mut self) {
        self.starts += 1;
        let log = fs::File::create(self.log_path(self.starts)).expect("a log file");
        let listen = match self.url.strip_prefix("http://") {
            Some(address) => address.to_owned(),
            None => self.builder.listen.clone(),
        };
        let mut command = self.builder.program();
        command.arg("serve").arg("--config").arg(self.folder().join("rutter.yaml"));
        command.arg("--listen").arg(listen).arg("--data").arg(self.data());
        command.arg("--processes").arg(self.folder().join("processes"));
        if self.builder.examples {
            command.arg("--processes").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../processes"));
        }
        command.envs(self.builder.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().expect("the built binary starts"));
        let mut url = None;
        wait_until("the server says where it listens", || {
            url = self.announced();
            url.is_some() || self.ended()
        });
        self.url = url.unwrap_or_else(|| panic!("the server did not start:\n{}", self.log()));
    }

    fn announced(&self) -> Option<String> {
        let log = fs::read_to_string(self.log_path(self.starts)).ok()?;
        let rest = &log[log.find("listening on ")? + "listening on ".len()..];
        let end = rest.find("/\n").or_else(|| rest.find("/\""))?;
        Some(rest[..end].into())
    }

    fn ended(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| child.try_wait().is_ok_and(|status| status.is_some()))
    }

    fn log_path(&self, start: u32) -> PathBuf {
        self.folder().join(format!("server-{start}.log"))
    }

    fn unexpected_lines(&self) -> Vec<String> {
        let bad = |line: &&str| {
            (line.contains(" WARN ") || line.contains(" ERROR ") || line.contains("panicked"))
                && !self.builder.expected.iter().any(|piece| line.contains(piece))
        };
        self.log().lines().filter(bad).map(str::to_owned).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        end_agents(self.folder());
        if std::thread::panicking() {
            eprintln!("log of the server:\n{}", self.log());
            return;
        }
        let lines = self.unexpected_lines();
        assert!(lines.is_empty(), "unexpected lines in the server's log:\n{}", lines.join("\n"));
    }
}

/// Jobs outlive their server by design; those of a test must not outlive the test.
fn end_agents(folder: &Path) {
    let needle = folder.as_os_str().as_encoded_bytes();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let ours = environment.windows(needle.len()).any(|window| window == needle);
        if ours && let Some(pid) = rustix::process::Pid::from_raw(pid) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}
