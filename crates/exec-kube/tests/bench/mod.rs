//! One real cluster for all tests of this file, and an executor for each.

use std::{
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use rutter_core::{
    clock::SystemClock,
    executor::{Executor, LaunchEnd, Observation},
    id::{InstanceId, JobId, LaunchName},
    plan::{Needs, Plan, PlannedUnit},
    process::{Contract, EnvEntry, EnvValue},
};
use rutter_exec_kube::{Access, KubernetesConfig, KubernetesExecutor, job_name};
use rutter_store::conformance::sample;
use rutter_testcluster::{Cluster, Image, Options, usable};
use rutter_types::agent::Limits;
use serde_json::Value;
use tokio::sync::{Mutex, mpsc};

/// Generous: other things run on the machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(180);
/// Image of a program with a shell.
pub(crate) const TOOLS: &str = "localhost/rutter-tools:1";

/// A user who may do what the rights of a server allow, and nothing else.
pub(crate) const SERVER: &str = "rutter";

/// Stands in for the agent: it is installed in the same way, and does what the variable DO says.
const AGENT: &str = "#!/bin/sh
case $1 in
install)
  cp /rutter-agent $2/bin/rutter-agent && chmod 0755 $2/bin/rutter-agent
  for folder in in out work; do mkdir -p $2/attempt/$folder && chmod 1777 $2/attempt/$folder; done ;;
run) eval \"$DO\" ;;
esac
";

/// The cluster; it ends with this process. `None` = this machine can't have one, which was said.
pub(crate) fn cluster() -> Option<&'static Cluster> {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    if !usable().unwrap() {
        return None;
    }
    Some(SHARED.get_or_init(|| {
        let cluster = Cluster::up(Options::new().user(SERVER, &["system:serviceaccounts"])).unwrap();
        let tools = Image::busybox(TOOLS).bytes("/rutter-agent", AGENT, 0o755);
        cluster.import(&tools).unwrap();
        cluster
    }))
}

/// Those that break the cluster are alone in it.
static TURNS: RwLock<()> = RwLock::new(());

/// Runs a test in the cluster's network, beside others.
pub(crate) fn with<F: Future<Output = ()>>(test: impl FnOnce(&'static Cluster) -> F) {
    let Some(cluster) = cluster() else { return };
    let _turn = TURNS.read().unwrap_or_else(PoisonError::into_inner);
    run(cluster, test);
}

/// Runs a test in the cluster's network, which no other uses meanwhile.
pub(crate) fn alone<F: Future<Output = ()>>(test: impl FnOnce(&'static Cluster) -> F) {
    let Some(cluster) = cluster() else { return };
    let _turn = TURNS.write().unwrap_or_else(PoisonError::into_inner);
    run(cluster, test);
}

fn run<F: Future<Output = ()>>(cluster: &'static Cluster, test: impl FnOnce(&'static Cluster) -> F) {
    cluster.enter_network().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test(cluster));
}

/// An executor of an instance of its own.
pub(crate) struct Bench {
    pub(crate) cluster: &'static Cluster,
    pub(crate) executor: KubernetesExecutor,
    changes: Mutex<mpsc::UnboundedReceiver<LaunchName>>,
}

pub(crate) fn config(cluster: &Cluster) -> KubernetesConfig {
    KubernetesConfig {
        access: Access::Kubeconfig { path: Some(cluster.kubeconfig()), context: None },
        server_address_is_fixed: true,
        ..KubernetesConfig::new(cluster.namespace(), TOOLS, &format!("http://{}:1", cluster.address()))
    }
}

impl Bench {
    pub(crate) async fn new(cluster: &'static Cluster) -> Self {
        Self::with(cluster, config(cluster)).await
    }

    pub(crate) async fn with(cluster: &'static Cluster, config: KubernetesConfig) -> Self {
        let instance = InstanceId::generate();
        let executor = KubernetesExecutor::open(config, instance, Arc::new(SystemClock)).await.unwrap();
        let changes = Mutex::new(executor.changes().unwrap());
        Self { cluster, executor, changes }
    }

    pub(crate) async fn launch(&self, plan: &Plan) -> LaunchName {
        let name = LaunchName { job: JobId::generate(), launch: 1 };
        self.executor.launch(name, plan).await.unwrap();
        name
    }

    /// Looks whenever a change is told, until the launch is as wanted. Nothing is asked on a timer: what is not told is
    /// not found.
    pub(crate) async fn until(&self, name: LaunchName, wanted: impl Fn(&Observation) -> bool) -> Observation {
        let mut changes = self.changes.lock().await;
        let wait = async {
            loop {
                if let Some(seen) = self.executor.observe(name).await.unwrap()
                    && wanted(&seen)
                {
                    return seen;
                }
                while changes.recv().await.unwrap() != name {}
            }
        };
        match tokio::time::timeout(LIMIT, wait).await {
            Ok(seen) => seen,
            Err(_) => panic!("{:?}\n{}", self.executor.observe(name).await, self.pods(name)),
        }
    }

    pub(crate) async fn running(&self, name: LaunchName) {
        self.until(name, |seen| *seen == Observation::Running).await;
    }

    pub(crate) async fn waits(&self, name: LaunchName, wanted: &str) {
        let told = |seen: &Observation| matches!(seen, Observation::Pending { reason: Some(reason) } if reason == wanted);
        self.until(name, told).await;
    }

    pub(crate) async fn end(&self, name: LaunchName) -> LaunchEnd {
        match self.until(name, |seen| matches!(seen, Observation::Ended { .. })).await {
            Observation::Ended { end } => end,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn pods(&self, name: LaunchName) -> Value {
        let selector = format!("--selector=batch.kubernetes.io/job-name={}", job_name(name));
        let text = self.cluster.kubectl(["get", "pods", &selector, "--output", "json"]).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["items"].take()
    }

    pub(crate) fn job(&self, name: LaunchName) -> Option<Value> {
        self.cluster.get(&format!("job/{}", job_name(name))).unwrap()
    }

    /// Wait for something that the cluster does after the executor asked for it.
    pub(crate) async fn eventually(&self, what: &str, done: impl Fn() -> bool) {
        let wait = async {
            while !done() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::time::timeout(LIMIT, wait).await.unwrap_or_else(|_| panic!("{what}"));
    }
}

/// A plan whose agent does this.
pub(crate) fn plan(what: &str) -> Plan {
    let (_, plan) = sample("test");
    Plan {
        unit: PlannedUnit::Docker {
            image: TOOLS.to_owned(),
            cpu_limit_milli: None,
            gpus: 0,
            kubernetes: None,
        },
        contract: Contract::Rutter,
        env: vec![EnvEntry { name: "DO".to_owned(), value: EnvValue::Text(what.to_owned()) }],
        needs: Needs { cpu_milli: 10, memory_bytes: 16_000_000 },
        limits: Limits { command_seconds: 3600, grace_seconds: 2, ..plan.limits },
        ..plan
    }
}

/// A plan for another image, with what a package says to the cluster.
pub(crate) fn plan_of(image: &str, kubernetes: Option<Value>) -> Plan {
    let mut plan = plan("exit 0");
    plan.unit = PlannedUnit::Docker { image: image.to_owned(), cpu_limit_milli: None, gpus: 0, kubernetes };
    plan
}
