//! Section `kubernetes`: the cluster that jobs run on, and how their agents find back.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use rutter_exec_kube::{Access, KubernetesConfig, Secrets, Security};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The executor for Kubernetes; used when `executor` is `kubernetes`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Kubernetes {
    /// Namespace of all Jobs; the server's own when it runs in the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// File with the way to the cluster, relative to this file; in a pod of the cluster its service account when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of that file; its current one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Image that has the agent, such as the server's own.
    pub agent_image: String,
    /// The agent's program in that image.
    pub agent_program: String,
    /// Address and port where agents are listened to; pods must be able to reach it.
    pub listen: String,
    /// URL under which pods reach that address: a name that outlives this server's pod, such as that of a Service.
    pub server_url: String,
    /// Says that an address in `serverUrl` stays the same for as long as jobs run.
    pub server_address_is_fixed: bool,
    /// Whether no pod reaches this server: then images run without the agent, as far as they can. Without effect where there is
    /// a `serverUrl`.
    pub without_agents: bool,
    /// Whether what is known of jobs is kept on their Jobs as well, small results too: for a server whose data folder does not
    /// last. What callers send then stands in the cluster.
    pub records_on_jobs: bool,
    /// Whether Jobs that 52North's or EOX's server left in the namespace are taken over at each start, as by `rutter adopt`.
    pub adopt: bool,
    /// Beginning of the names of those Jobs.
    pub adopt_prefix: String,
    /// Certificate for `serverUrl`; needed when that begins with https.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Service account of pods; it needs no rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// Further service accounts that packages may name.
    pub allowed_service_accounts: Vec<String>,
    /// Secrets of the namespace that packages may name, `*` for anything; all of them when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Vec<String>>,
    /// Whether packages may mount folders of the machines.
    pub allow_host_paths: bool,
    /// What pods may do when the package is silent.
    pub security: Level,
    /// The least protection that a package may ask for.
    pub weakest_security: Level,
    /// User id of programs whose package and image name none; 0 leaves it to the cluster (OpenShift).
    pub user: u32,
    /// Architecture of the agent, as Kubernetes names it.
    pub architecture: String,
    /// Labels that machines must have, unless the package says otherwise.
    pub node_selector: BTreeMap<String, String>,
    /// Secrets for fetching images.
    pub image_pull_secrets: Vec<String>,
    /// How registries are asked for the commands of images whose package names none.
    pub registries: Registries,
    /// Volumes for jobs whose files do not fit onto the machines' own disks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scratch: Option<Scratch>,
    /// Name under which the cluster counts graphics processors.
    pub gpu_resource: String,
    /// Longest wait for a machine and an image, seconds.
    pub pending_seconds: u64,
    /// Longest time for fetching inputs, seconds.
    pub staging_seconds: u64,
    /// Longest time for sending outputs, seconds.
    pub upload_seconds: u64,
    /// How long an agent that can't reach this server goes on, seconds.
    pub contact_seconds: u64,
    /// How long a finished Job stays in the cluster, seconds.
    pub ttl_seconds: u64,
    /// How long a pod may be about to end on a machine that does not answer, seconds.
    pub stuck_seconds: u64,
}

/// Certificate and key for the agents' listener, PEM files relative to the configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Tls {
    /// The certificate, with those that vouch for it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority that agents trust, where it is not a public one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<PathBuf>,
}

/// Volumes for jobs whose files do not fit onto the machines' own disks: one for each pod, gone with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Scratch {
    /// Class of the volumes; the cluster's usual one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class_name: Option<String>,
    /// Jobs whose `storageTempMin` is above so many GB (10^9 bytes) get a volume.
    pub above_gb: u32,
}

/// How registries are asked for the commands of images whose package names none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Registries {
    /// Whether they are asked. Where this server does not reach them, such images run without the agent.
    pub look_up: bool,
    /// Registries that are asked by http, as HOST or HOST:PORT; those of this machine are anyway.
    pub insecure: Vec<String>,
    /// An authority that vouches for registries beside the public ones, PEM file relative to the configuration file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<PathBuf>,
}

impl Default for Registries {
    fn default() -> Self {
        Self { look_up: true, insecure: Vec::new(), authority: None }
    }
}

/// How much a pod may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// As the profile `restricted` of the Pod Security Standards asks.
    Restricted,
    /// No more rights than its user, who may be root.
    Baseline,
    /// Whatever its package says.
    None,
}

impl From<Level> for Security {
    fn from(level: Level) -> Self {
        match level {
            Level::Restricted => Self::Restricted,
            Level::Baseline => Self::Baseline,
            Level::None => Self::None,
        }
    }
}

impl Default for Kubernetes {
    fn default() -> Self {
        Self {
            namespace: None,
            kubeconfig: None,
            context: None,
            agent_image: String::new(),
            agent_program: "/rutter-agent".into(),
            listen: "0.0.0.0:8443".into(),
            server_url: String::new(),
            server_address_is_fixed: false,
            without_agents: false,
            records_on_jobs: false,
            adopt: false,
            adopt_prefix: "pygeoapi-job-".into(),
            tls: None,
            service_account: None,
            allowed_service_accounts: Vec::new(),
            secrets: None,
            allow_host_paths: false,
            security: Level::Restricted,
            weakest_security: Level::Baseline,
            user: 65532,
            architecture: if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }.into(),
            node_selector: BTreeMap::new(),
            image_pull_secrets: Vec::new(),
            registries: Registries::default(),
            scratch: None,
            gpu_resource: "nvidia.com/gpu".into(),
            pending_seconds: 3600,
            staging_seconds: 3600,
            upload_seconds: 3600,
            contact_seconds: 3600,
            ttl_seconds: 600,
            stuck_seconds: 300,
        }
    }
}

/// Where a pod finds the namespace that it is in.
const OWN_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

impl Kubernetes {
    /// What can't be right; each line names the key.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.listen.parse::<SocketAddr>().is_err() {
            faults.push(format!(
                "kubernetes.listen: {:?} is no address with a port; write one like 0.0.0.0:8443",
                self.listen
            ));
        }
        if let Err(error) = self.executor_config(None).validate() {
            faults.push(format!("kubernetes: {error}"));
        }
        for (key, seconds) in [
            ("pending", self.pending_seconds),
            ("staging", self.staging_seconds),
            ("upload", self.upload_seconds),
            ("contact", self.contact_seconds),
        ] {
            if seconds == 0 {
                faults.push(format!(
                    "kubernetes.{key}Seconds: 0 would fail every job; write a number of seconds"
                ));
            }
        }
        let secrets = self.secrets.iter().flatten().map(|written| written.parse::<Secrets>());
        faults.extend(secrets.filter_map(Result::err).map(|error| format!("kubernetes.secrets: {error}")));
        for host in &self.registries.insecure {
            if host.is_empty() || host.contains(['/', '@', ' ']) {
                faults.push(format!(
                    "kubernetes.registries.insecure: {host:?} is no registry; write HOST or HOST:PORT, as in names of images"
                ));
            }
        }
        if self.server_url.starts_with("http:") && self.tls.is_some() {
            faults.push(
                "kubernetes.serverUrl: begins with http and there is a certificate; write https, or remove `tls`".into(),
            );
        }
        if self.server_url.starts_with("https:") && self.tls.is_none() {
            faults.push(
                "kubernetes.tls: agents come by https and there is no certificate; name `certificate` and `key`, \
                 or write an http URL if nobody else reaches that network"
                    .into(),
            );
        }
        faults
    }

    /// Whether pods reach this server.
    pub(crate) fn has_agents(&self) -> bool {
        !self.without_agents || !self.server_url.is_empty()
    }

    /// The same for the executor; `authority` is the PEM text of [`Tls::authority`]. That of [`Registries::authority`] is
    /// to be added.
    pub(crate) fn executor_config(&self, authority: Option<String>) -> KubernetesConfig {
        let seconds = Duration::from_secs;
        let in_cluster = self.kubeconfig.is_none() && std::path::Path::new(OWN_NAMESPACE).exists();
        let own = || std::fs::read_to_string(OWN_NAMESPACE).ok().filter(|_| in_cluster);
        let namespace = self.namespace.clone().or_else(own).unwrap_or_else(|| "default".into());
        KubernetesConfig {
            access: if in_cluster {
                Access::InCluster
            } else {
                Access::Kubeconfig { path: self.kubeconfig.clone(), context: self.context.clone() }
            },
            agents: self.has_agents(),
            records: self.records_on_jobs,
            agent_program: self.agent_program.clone(),
            server_address_is_fixed: self.server_address_is_fixed,
            server_ca: authority,
            service_account: self.service_account.clone(),
            allowed_service_accounts: self.allowed_service_accounts.clone(),
            // Those that are no names were told at the start.
            secrets: self.secrets.as_ref().map(|them| them.iter().filter_map(|it| it.parse().ok()).collect()),
            allow_host_paths: self.allow_host_paths,
            security: self.security.into(),
            weakest_security: self.weakest_security.into(),
            user: (self.user > 0).then_some(i64::from(self.user)),
            architecture: self.architecture.clone(),
            node_selector: self.node_selector.clone(),
            image_pull_secrets: self.image_pull_secrets.clone(),
            registries: self.registries.look_up.then(|| rutter_exec_kube::Registries {
                insecure: self.registries.insecure.clone(),
                authority: None,
            }),
            scratch: self.scratch.as_ref().map(|scratch| rutter_exec_kube::Scratch {
                storage_class: scratch.storage_class_name.clone(),
                above: u64::from(scratch.above_gb) * 1_000_000_000,
            }),
            gpu_resource: self.gpu_resource.clone(),
            pending_budget: seconds(self.pending_seconds),
            staging_budget: seconds(self.staging_seconds),
            upload_window: seconds(self.upload_seconds),
            ttl: seconds(self.ttl_seconds),
            stuck_limit: seconds(self.stuck_seconds),
            ..KubernetesConfig::new(namespace.trim(), &self.agent_image, &self.server_url)
        }
    }
}
