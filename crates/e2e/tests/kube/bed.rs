//! One cluster for all tests of this file, and servers in its network.

use std::sync::{
    LazyLock, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU16, Ordering},
};

use rcgen::{CertificateParams, KeyPair, SanType};
use rutter_e2e::{IMAGE, Package, Server, ServerBuilder, binary, image, wait_until};
use rutter_testcluster::{Cluster, Image, Options};
use serde_json::Value;

/// Image of the tests' programs: a shell and the usual tools.
pub(crate) const TOOLS: &str = "localhost/tools:1";
/// A user without any rights at first.
pub(crate) const MANAGER: &str = "k8s-job-manager";

static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
    let cluster = Cluster::up(Options::new().user(MANAGER, &[])).expect("a cluster");
    cluster.import_archive(&image()).expect("the server's image");
    cluster.import(&Image::busybox(TOOLS).workdir("/tmp")).expect("the image of programs");
    cluster
});

/// One test at a time: a cluster on two cores has no room for many pods that should start at once.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The cluster, entered by this thread: what it connects to afterwards is inside.
pub(crate) fn cluster() -> &'static Cluster {
    let cluster = &*CLUSTER;
    cluster.enter_network().expect("the cluster's network");
    cluster
}

/// A server that runs packages as Jobs of the cluster, all in one image.
pub(crate) fn server(packages: &[Package]) -> ServerBuilder {
    with(packages, "")
}

/// The same with further lines in the section `kubernetes` of its configuration, indented by two.
pub(crate) fn with(packages: &[Package], further: &str) -> ServerBuilder {
    let in_image: Vec<Package> = packages.iter().map(|package| package.clone().in_image(TOOLS)).collect();
    server_of_images(&in_image, further)
}

/// A server that runs packages as Jobs of the cluster, each in the image that it names; `further` as in [`with`].
pub(crate) fn server_of_images(packages: &[Package], further: &str) -> ServerBuilder {
    static PORT: AtomicU16 = AtomicU16::new(18443);
    let cluster = cluster();
    let (address, port) = (cluster.address(), PORT.fetch_add(1, Ordering::Relaxed));
    let (certificate, key) = identity(address);
    let config = format!(
        "executor: kubernetes
kubernetes:
  kubeconfig: {kubeconfig}
  namespace: {namespace}
  agentImage: {IMAGE}
  listen: {address}:{port}
  serverUrl: https://{address}:{port}
  serverAddressIsFixed: true
  tls: {{certificate: agents.pem, key: agents.key, authority: agents.pem}}
{further}
jobs: {{graceSeconds: 2, defaultCpus: 0.05, defaultMemory: 0.05, maxDiskPercent: 100}}
",
        kubeconfig = cluster.kubeconfig().display(),
        namespace = cluster.namespace(),
    );
    let mut server = Server::builder()
        .by(&cluster.command(binary()))
        .config(&config)
        .file("agents.pem", &certificate)
        .file("agents.key", &key);
    for package in packages {
        server = server.package(package);
    }
    server
}

/// A server that runs packages on this machine; in the same network, so that one test can ask both.
pub(crate) fn local(packages: &[Package]) -> ServerBuilder {
    let server = Server::builder()
        .by(&cluster().command(binary()))
        .config("jobs: {graceSeconds: 2, maxDiskPercent: 100}");
    packages.iter().fold(server, |server, package| server.package(package))
}

fn identity(address: std::net::Ipv4Addr) -> (String, String) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.subject_alt_names = vec![SanType::IpAddress(address.into())];
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// What the API server has, as JSON. One that has too much to do just now is asked again.
pub(crate) fn get(words: &[&str]) -> Value {
    let mut answer = None;
    wait_until("the API server answers", || {
        answer = look(words);
        answer.is_some()
    });
    answer.expect("an answer")
}

/// The same asked once; `None` = it does not answer.
pub(crate) fn look(words: &[&str]) -> Option<Value> {
    let mut all = vec!["get", "-o", "json"];
    all.extend(words);
    let answer = cluster().kubectl(&all).ok()?;
    Some(serde_json::from_str(&answer).expect("JSON"))
}
