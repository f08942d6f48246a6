//! Copies of logs in a bucket of a real S3 server.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod aftermath;

use std::{
    fs,
    net::TcpListener,
    process::{Command, Stdio},
    sync::Arc,
};

use aftermath::refusal;

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use rutter_e2e::{Package, Server, ServerBuilder, binary, shell, wait_until};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use serde_json::json;
use tempfile::TempDir;

/// Opens the store, for the key `KEY`.
const SECRET: &str = "never-to-be-told";

/// A store with the bucket `logs`.
struct Store {
    folder: TempDir,
    url: String,
}

impl Store {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("logs")).unwrap();
        let mut service = S3ServiceBuilder::new(FileSystem::new(folder.path()).unwrap());
        service.set_auth(SimpleAuth::from_single("KEY", SECRET));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let http = Arc::new(Builder::new(TokioExecutor::new()));
                while let Ok((stream, _)) = listener.accept().await {
                    let (http, service) = (http.clone(), service.clone());
                    tokio::spawn(async move {
                        let _ = http.serve_connection(TokioIo::new(stream), service).await;
                    });
                }
            });
        });
        Self { folder, url }
    }

    /// Names and contents below a prefix of the bucket.
    fn copies(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let entries =
            fs::read_dir(self.folder.path().join("logs").join(prefix)).into_iter().flatten().flatten();
        let read = |entry: fs::DirEntry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            Some((name, fs::read(entry.path()).ok()?))
        };
        let mut found: Vec<_> = entries.filter_map(read).filter(|(name, _)| !name.starts_with('.')).collect();
        found.sort();
        found
    }
}

fn talks() -> Package {
    let talks =
        "i=0; while [ $i -lt $0 ]; do i=$((i + 1)); printf '%099d\\n' $i; done; echo the end >&2; exit $1";
    shell("talks", "true")
        .unit(
            "command",
            json!(["sh", "-c", talks.replace("$((", "$$(("), "$(inputs.lines)", "$(inputs.code)"]),
        )
        .input("lines", json!({"schema": {"type": "integer"}}))
        .input("code", json!({"schema": {"type": "integer"}}))
}

fn server(endpoint: &str, secret: &str) -> ServerBuilder {
    let bucket = format!("{{endpoint: {endpoint}, name: logs, prefix: of/jobs/, jobPrefix: job-}}");
    Server::builder()
        .config(&format!("jobs: {{maxDiskPercent: 100, logBucket: {bucket}}}"))
        .variable("AWS_ACCESS_KEY_ID", "KEY")
        .variable("AWS_SECRET_ACCESS_KEY", secret)
        .package(&talks())
}

#[test]
fn every_job_that_is_over_has_a_copy_of_its_log() {
    let store = Store::start();
    let server = server(&store.url, SECRET).start();
    let client = server.client();
    // A long one comes in parts.
    for (lines, code, status) in [(3, 0, "successful"), (2, 5, "failed"), (200_000, 0, "successful")] {
        let job = client.submit("talks", &json!({"lines": lines, "code": code}));
        let ended = client.finish(&job);
        assert_eq!(ended["status"], status, "{ended}");
        let name = format!("_job-{}-logs.txt", job.rsplit('/').next().unwrap());
        let mut copy = Vec::new();
        wait_until("there is a copy", || {
            let found = store.copies("of/jobs").into_iter().find(|(found, _)| found.ends_with(&name));
            found.map(|(_, bytes)| copy = bytes).is_some() && copy.len() >= lines * 100
        });
        let text = String::from_utf8(copy).unwrap();
        let counted = text.lines().filter(|line| line.len() == 99).map(|line| line.parse::<usize>().unwrap());
        assert!(counted.eq(1..=lines), "each line once, as it was printed");
        assert!(text.contains("the end\n"));
        assert_eq!(text.contains("exit code 5"), code == 5, "and how it ended");
    }
}

/// The job is over all the same, and its log is where it was.
#[test]
fn a_bucket_that_refuses_or_is_away_keeps_no_job() {
    let store = Store::start();
    let away = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    for (endpoint, secret) in [(store.url.as_str(), "wrong"), (away.as_str(), SECRET)] {
        let server = server(endpoint, secret).expect_warning("no copy of a job's log").start();
        let client = server.client();
        let job = client.submit("talks", &json!({"lines": 1, "code": 0}));
        assert_eq!(client.finish(&job)["status"], "successful");
        wait_until("it is told", || server.log().contains("no copy of a job's log"));
        let folder = server.data().join("logs").join(job.rsplit('/').next().unwrap());
        wait_until("it is archived", || !folder.exists());
        assert!(client.get(&format!("{job}/logs")).expect(200).text().contains("the end"));
        assert!(!server.log().contains(SECRET), "no key is told");
    }
    assert!(store.copies("of").is_empty());
}

#[test]
fn a_bucket_without_a_key_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rutter.yaml");
    let refused = |endpoint: &str| {
        fs::write(&file, format!("jobs: {{logBucket: {{endpoint: {endpoint}, name: logs}}}}\n")).unwrap();
        let mut serve = Command::new(binary());
        serve.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&file).current_dir(folder.path());
        serve.env_remove("AWS_ACCESS_KEY_ID").stdin(Stdio::null()).stderr(Stdio::piped());
        refusal(&mut serve)
    };
    let text = refused("http://127.0.0.1:9");
    assert!(text.contains("jobs.logBucket") && text.contains("AWS_SECRET_ACCESS_KEY"), "{text}");
    let text = refused("127.0.0.1:9");
    assert!(text.contains("jobs.logBucket.endpoint") && text.contains("https://"), "{text}");
}

/// 52North's five variables, and the same names of objects.
#[test]
fn the_older_managers_variables_name_the_bucket() {
    let store = Store::start();
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join("local.config.yml");
    fs::write(&theirs, "server: {pretty_print: true}\nmetadata: {}\nresources: {}\n").unwrap();
    let with = |missing: &str| {
        let variables = [
            ("ENDPOINT", store.url.as_str()),
            ("KEY", "KEY"),
            ("SECRET", SECRET),
            ("NAME", "logs"),
            ("PATH_PREFIX", "theirs"),
        ];
        let server = Server::builder()
            .config("jobs: {maxDiskPercent: 100}")
            .variable("PYGEOAPI_CONFIG", theirs.to_str().unwrap())
            .package(&talks());
        variables.into_iter().filter(|(name, _)| *name != missing).fold(server, |server, (name, value)| {
            server.variable(&format!("PYGEOAPI_K8S_MANAGER_FINALIZER_BUCKET_{name}"), value)
        })
    };
    let server = with("").start();
    let job = server.client().submit("talks", &json!({"lines": 1, "code": 0}));
    server.client().finish(&job);
    let name = format!("_pygeoapi-job-{}-logs.txt", job.rsplit('/').next().unwrap());
    wait_until("there is a copy", || store.copies("theirs").iter().any(|(found, _)| found.ends_with(&name)));
    let told = "logs are not copied into a bucket: PYGEOAPI_K8S_MANAGER_FINALIZER_BUCKET_NAME is not set";
    let server = with("NAME").expect_warning(told).start();
    assert!(server.log().contains(told));
}
