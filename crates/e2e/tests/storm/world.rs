//! A server with jobs that run until they are let go, and what must hold of them whatever happens.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use rutter_e2e::{Client, Server, shell};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    aftermath::{exception, id_of, listed},
    bed,
    objects::name_of,
};

/// How long anything may take on a machine that is busy with other things; nothing waits so long when all is well.
const PATIENCE: Duration = Duration::from_secs(400);

/// What a server complains of while things are broken.
const EXPECTED: [&str; 14] = [
    "the database was lost",
    "can't watch the cluster",
    "the cluster does not answer",
    "could not start; trying again",
    "the executor failed; the pass is repeated",
    "a pass failed; it is repeated",
    "could not read the jobs to archive",
    "could not list what runs",
    "could not note on a Job",
    "could not remove a pod of a lost machine",
    "could not answer an agent",
    "the cluster makes no pod of a job",
    "agent",
    "object store",
];

/// How an environment variable changes a number.
pub(crate) fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

pub(crate) struct World {
    pub(crate) server: Server,
    gates: TempDir,
    jobs: BTreeSet<String>,
    /// Exceptions that a job may end with, because something was done to it.
    may_fail: BTreeMap<String, Vec<&'static str>>,
    /// Last words on jobs that are over.
    ended: BTreeMap<String, Seen>,
    began: Instant,
}

#[derive(Clone, Debug, PartialEq)]
struct Seen {
    status: Value,
    result: String,
}

impl World {
    pub(crate) fn new() -> Self {
        let gates = tempfile::Builder::new().prefix("rutter-gates").tempdir().unwrap();
        fs::set_permissions(gates.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // What it writes names the pod: of several attempts only one can be the author.
        let line = "eat() { x=xxxxxxxx; while true; do x=$x$x; done; }
                    echo began in $HOSTNAME
                    until [ -e /gates/$0 ]; do
                        [ ! -e /gates/${HOSTNAME%-*}.eats ] || eat
                        [ ! -e /gates/${HOSTNAME%-*}.feeds ] || { (eat); echo its child was ended; sleep 600; }
                        sleep 1
                    done
                    head -c 300000 /dev/zero > $RUTTER_OUT/data; echo made in $HOSTNAME";
        let bytes = json!({"schema": {"type": "string", "contentEncoding": "binary",
            "contentMediaType": "application/octet-stream"}});
        let work = shell("work", line)
            .unit("command", json!(["sh", "-c", line, "$(inputs.gate)"]))
            .input("gate", json!({"schema": {"type": "string"}}))
            .output("data", bytes)
            .config("cpuMin", json!(0.01))
            .config("memoryMin", json!(0.03))
            .config("memoryMax", json!(0.06))
            .unit(
                "kubernetes",
                json!({
                    "volumes": [{"name": "gates", "hostPath": {"path": gates.path()}}],
                    "volumeMounts": [{"name": "gates", "mountPath": "/gates", "readOnly": true}],
                }),
            );
        let large = shell("large", "true").config("cpuMin", json!(1000));
        let mut server = bed::with(&[work, large], "  allowHostPaths: true\n  stuckSeconds: 1");
        for piece in EXPECTED {
            server = server.expect_warning(piece);
        }
        let (jobs, may_fail, ended) = Default::default();
        Self { server: server.start(), gates, jobs, may_fail, ended, began: Instant::now() }
    }

    pub(crate) fn say(&self, what: &str) {
        println!("{:>4} s: {what}", self.began.elapsed().as_secs());
    }

    pub(crate) fn client(&self) -> Client {
        self.server.client()
    }

    /// Port that agents come to.
    pub(crate) fn agents_port(&self) -> u16 {
        let config = fs::read_to_string(self.server.folder().join("rutter.yaml")).unwrap();
        let line = config.lines().find(|line| line.trim_start().starts_with("serverUrl:")).unwrap();
        line.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Start the server again; a cluster that is not well yet keeps it from starting.
    pub(crate) fn start_server(&mut self) {
        self.server.start();
    }

    /// So many jobs that run until their gate opens.
    pub(crate) fn load(&mut self, count: usize, gate: &str) -> Vec<String> {
        let client = self.client();
        let made: Vec<_> = (0..count).map(|_| client.submit("work", &json!({ "gate": gate }))).collect();
        self.jobs.extend(made.iter().cloned());
        made
    }

    /// So many jobs that no machine is large enough for.
    pub(crate) fn waiting(&mut self, count: usize) -> Vec<String> {
        let client = self.client();
        let made: Vec<_> = (0..count).map(|_| client.submit("large", &json!({}))).collect();
        for job in &made {
            self.eventually(&format!("{job} is launched, and waits"), || {
                client.status(job)["message"].as_str().is_some_and(|text| text.contains("processors"))
            });
        }
        self.jobs.extend(made.iter().cloned());
        made
    }

    /// End the server, remove its database, and start it again.
    pub(crate) fn lose_database(&mut self) {
        self.server.kill();
        let files = fs::read_dir(self.server.data()).unwrap().flatten();
        let files = files.filter(|entry| entry.file_name().to_string_lossy().starts_with("rutter.db"));
        files.for_each(|entry| fs::remove_file(entry.path()).unwrap());
        self.server.start();
    }

    /// Dismiss jobs that have not ended.
    pub(crate) fn dismiss(&mut self, jobs: &[String]) {
        let client = self.client();
        for job in jobs {
            self.eventually(&format!("{job} waits"), || {
                client.status(job)["message"].as_str().is_some_and(|text| text.contains("processors"))
            });
            let status = client.delete(job).expect(200).json();
            assert_eq!(status["status"], "dismissed");
            self.ended.insert(job.clone(), Seen { status: client.status(job), result: String::new() });
        }
    }

    pub(crate) fn open(&self, gate: &str) {
        fs::write(self.gates.path().join(gate), "").unwrap();
    }

    /// Wait until a child of a job's program took all memory, or the job ended for something else that happens.
    pub(crate) fn is_fed(&self, job: &str) {
        let client = self.client();
        self.eventually(&format!("{job} has no memory left"), || {
            client.get(&format!("{job}/logs")).text().contains("its child was ended")
                || client.status(job)["finished"].is_string()
        });
    }

    pub(crate) fn may_fail(&mut self, job: &str, exceptions: &[&'static str]) {
        self.may_fail.entry(job.into()).or_default().extend(exceptions);
    }

    /// The same of all that have not ended.
    pub(crate) fn all_may_fail(&mut self, exception: &'static str) {
        for job in self.jobs.iter().filter(|job| !self.ended.contains_key(*job)) {
            self.may_fail.entry(job.clone()).or_default().push(exception);
        }
    }

    /// Wait until their programs run.
    pub(crate) fn running(&self, jobs: &[String]) {
        let client = self.client();
        for job in jobs {
            self.eventually(&format!("{job} runs"), || {
                client.get(&format!("{job}/logs")).text().contains("began in")
            });
        }
    }

    /// Wait until they are over as they should be.
    pub(crate) fn settle(&mut self, jobs: &[String]) {
        let client = self.client();
        for job in jobs {
            let mut status = Value::Null;
            self.eventually(&format!("the end of {job}"), || {
                status = client.status(job);
                ["successful", "failed", "dismissed"].contains(&status["status"].as_str().unwrap_or_default())
            });
            let seen = self.seen(&client, job, status);
            self.ended.insert(job.clone(), seen);
        }
    }

    fn seen(&self, client: &Client, job: &str, status: Value) -> Seen {
        let log = client.get(&format!("{job}/logs")).expect(200).text();
        if status["status"] == "dismissed" {
            return Seen { status, result: String::new() };
        }
        if status["status"] != "successful" {
            let allowed = self.may_fail.get(job).is_some_and(|kinds| kinds.contains(&exception(&status)));
            assert!(allowed && status["status"] == "failed", "{status}\n{log}");
            return Seen { status, result: String::new() };
        }
        let result = client.get(&format!("{job}/results/out")).expect(200).text();
        let author = result.trim().rsplit(' ').next().unwrap_or_default().to_owned();
        assert!(author.contains(id_of(job)), "{result}");
        assert!(log.contains(&format!("made in {author}")), "the log is complete: {log}");
        assert_eq!(client.get(&format!("{job}/results/data")).expect(200).body.len(), 300_000);
        assert!(status["started"].as_str() <= status["finished"].as_str(), "{status}");
        Seen { status, result }
    }

    /// What must hold at the end: every job is there, as it ended, and nothing of them hangs in the cluster.
    pub(crate) fn check(&self) {
        let client = self.client();
        let known: BTreeSet<String> = listed(&client).into_iter().collect();
        assert_eq!(
            known,
            self.jobs.iter().map(|job| id_of(job).to_owned()).collect(),
            "none is lost, none invented"
        );
        assert_eq!(self.ended.len(), self.jobs.len());
        for (job, before) in &self.ended {
            let now = self.seen(&client, job, client.status(job));
            assert_eq!(&now, before, "what ended stays so");
        }
        self.eventually("nothing hangs in the cluster", || {
            let items = |kind: &str| bed::get(&[kind])["items"].as_array().cloned().unwrap_or_default();
            let held = items("jobs").iter().filter(|job| !job["metadata"]["finalizers"].is_null()).count();
            let is_over = |pod: &&Value| {
                ["Succeeded", "Failed"].contains(&pod["status"]["phase"].as_str().unwrap_or(""))
            };
            let ours = items("pods").into_iter().filter(|pod| name_of(pod).starts_with("rutter-"));
            held == 0 && ours.filter(|pod| !is_over(&pod)).count() == 0
        });
    }

    fn eventually(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < PATIENCE, "did not come true: {what}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}
