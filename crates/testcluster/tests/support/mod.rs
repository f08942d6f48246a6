//! What the tests of the cluster share.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(dead_code, reason = "each test file uses a part")]

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rutter_testcluster::{Cluster, Image};
use serde_json::{Value, json};

pub(crate) const TOOLS: &str = "localhost/tools:1";
pub(crate) const LIMIT: Duration = Duration::from_secs(90);
pub(crate) const PORT: u16 = 8080;

static SERIAL: Mutex<()> = Mutex::new(());

/// Clusters are heavy and faults disturb each other: one test at a time. None where there can be no cluster.
pub(crate) fn serial() -> Option<MutexGuard<'static, ()>> {
    let turn = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    rutter_testcluster::usable().unwrap().then_some(turn)
}

pub(crate) fn tools(cluster: &Cluster) {
    cluster.import(&Image::busybox(TOOLS)).unwrap();
}

pub(crate) fn pod(name: &str, script: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "main",
                "image": TOOLS,
                "imagePullPolicy": "Never",
                "command": ["sh", "-c", script],
            }],
        },
    })
}

pub(crate) fn wait_for_phase(cluster: &Cluster, name: &str, phase: &str) -> Value {
    cluster.wait_for_object(&format!("pod/{name}"), LIMIT, |pod| pod["status"]["phase"] == phase).unwrap()
}

pub(crate) fn delete(cluster: &Cluster, name: &str) {
    cluster.kubectl(["delete", "pod", name, "--ignore-not-found", "--wait"]).unwrap();
}

/// What the pod prints when it is through.
pub(crate) fn run_pod(cluster: &Cluster, name: &str, script: &str) -> String {
    cluster.apply(&pod(name, script)).unwrap();
    wait_for_phase(cluster, name, "Succeeded");
    let log = cluster.kubectl(["logs", name]).unwrap();
    delete(cluster, name);
    log
}

pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !done() {
        assert!(begin.elapsed() < LIMIT, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A web server on the node, as the server under test will be.
pub(crate) struct Server(Child);

impl Server {
    pub(crate) fn start(cluster: &Cluster, folder: &Path) -> Self {
        std::fs::write(folder.join("index.html"), "hello from the node").unwrap();
        let at = format!("{}:{PORT}", cluster.address());
        let mut command = cluster.command("busybox");
        command.args(["httpd", "-f", "-p", &at, "-h"]).arg(folder);
        let server = Self(command.stdin(Stdio::null()).spawn().unwrap());
        let address = (cluster.address(), PORT).into();
        until("the server listens", || cluster.connect(address).is_ok());
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Everything on this machine that a cluster could leave: mounts, interfaces, namespaces, folders that no setting moves.
pub(crate) fn machine() -> Vec<String> {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
    // Below the folder for temporary files other tests mount what they like.
    let elsewhere = format!(" {}/", std::env::temp_dir().display());
    let mut found: Vec<String> =
        mounts.lines().filter(|line| !line.contains(&elsewhere)).map(str::to_owned).collect();
    let folders = [
        "/sys/class/net",
        "/run/netns",
        "/run/containerd",
        "/run/containerd/s",
        "/var/lib",
        "/var/lib/cni",
        "/var/lib/kubelet",
        "/var/log",
        "/opt",
        "/etc/cni",
    ];
    for folder in folders {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        found.extend(entries.map(|entry| entry.path().display().to_string()));
    }
    found.sort();
    found
}

/// Control groups of this name.
pub(crate) fn groups(cgroup: &str) -> Vec<std::path::PathBuf> {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
    let points = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let (point, kind) = (fields.nth(1)?, fields.next()?);
        kind.starts_with("cgroup").then(|| Path::new(point).join(cgroup))
    });
    points.filter(|group| group.exists()).collect()
}

/// Processes that have to do with the cluster: inside, or with its folder on their command line.
pub(crate) fn processes(folder: &Path) -> Vec<String> {
    let output = Command::new("ps").args(["-eww", "-o", "args="]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter(|line| line.contains(folder.to_str().unwrap())).map(str::to_owned).collect()
}
