//! What the server tells this executor at its start.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, time::Duration};

use url::Url;

use crate::{secrets::Secrets, security::Security};

/// Where and how Jobs are made. Start from [`KubernetesConfig::new`].
#[derive(Clone, Debug)]
pub struct KubernetesConfig {
    /// How the cluster is reached.
    pub access: Access,
    /// Namespace of all Jobs.
    pub namespace: String,
    /// Whether pods reach the server. Otherwise images run without the agent, and what can't is refused; the settings of agents
    /// have no effect.
    pub agents: bool,
    /// Image that has the agent.
    pub agent_image: String,
    /// Path of the agent's program in that image.
    pub agent_program: String,
    /// Where pods reach the server: `https://name:port`.
    pub server_url: String,
    /// Whether `server_url` may have an address instead of a name: it must outlive the server's pod.
    pub server_address_is_fixed: bool,
    /// Further certificate authority of the server, PEM.
    pub server_ca: Option<String>,
    /// Service account of pods; it needs no rights. Absent = the namespace's default.
    pub service_account: Option<String>,
    /// Service accounts that packages may name.
    pub allowed_service_accounts: Vec<String>,
    /// Secrets of the namespace that packages may name. Absent = all.
    pub secrets: Option<Vec<Secrets>>,
    /// Whether packages may mount folders of the machines.
    pub allow_host_paths: bool,
    /// What pods may do when the package is silent.
    pub security: Security,
    /// The most that a package may ask for.
    pub weakest_security: Security,
    /// Whom programs run as when neither package nor template says it. Absent = whom the cluster chooses (OpenShift).
    pub user: Option<i64>,
    /// Architecture of the agent's program, as Kubernetes names it (`kubernetes.io/arch`).
    pub architecture: String,
    /// Labels that machines must have, unless the package says otherwise.
    pub node_selector: BTreeMap<String, String>,
    /// Secrets for fetching images, beside the package's.
    pub image_pull_secrets: Vec<String>,
    /// How commands of images are looked up; absent = not at all.
    pub registries: Option<Registries>,
    /// Volumes for work that does not fit onto the machines' own disks; absent = every job works there.
    pub scratch: Option<Scratch>,
    /// Name under which the cluster counts graphics processors.
    pub gpu_resource: String,
    /// Longest wait for a machine and an image.
    pub pending_budget: Duration,
    /// Longest time for fetching inputs.
    pub staging_budget: Duration,
    /// Longest time for sending outputs.
    pub upload_window: Duration,
    /// How long a finished Job stays in the cluster.
    pub ttl: Duration,
    /// How long a pod may be about to end on a machine that does not answer.
    pub stuck_limit: Duration,
    /// Whether records of jobs are kept on their Jobs, for a server that has nothing durable. Such a Job has what its caller sent.
    pub records: bool,
    /// How many Jobs are created at the same time.
    pub creates_in_flight: usize,
}

/// Volumes that are made for one pod and go with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scratch {
    /// Their class; absent = the cluster's usual one.
    pub storage_class: Option<String>,
    /// Jobs that need more bytes than these get one.
    pub above: u64,
}

/// How registries are asked what images run by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registries {
    /// Registries that are asked by http, as `host` or `host:port`; those of the server's own machine are anyway.
    pub insecure: Vec<String>,
    /// Further certificate authority of registries, PEM.
    pub authority: Option<String>,
}

/// How the cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// By the service account of the server's own pod.
    InCluster,
    /// By a file, as `kubectl` uses it.
    Kubeconfig {
        /// The file; absent = `$KUBECONFIG`, else `~/.kube/config`.
        path: Option<PathBuf>,
        /// The context; absent = the file's current one.
        context: Option<String>,
    },
}

/// A setting that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A setting that must be there is empty.
    #[error("`{setting}` is empty: {remedy}")]
    Empty {
        /// Its name.
        setting: &'static str,
        /// What to write.
        remedy: &'static str,
    },
    /// The server's address for pods is no such thing.
    #[error("`serverUrl` is {url:?}: write https://NAME:PORT, without path and query")]
    NoServerUrl {
        /// What was written.
        url: String,
    },
    /// The server's address for pods may change.
    #[error(
        "`serverUrl` names the address {address}: running jobs must find the server again after it moved, so write a name (of a Service), or say that the address is fixed"
    )]
    Address {
        /// The address.
        address: IpAddr,
    },
    /// The default asks for more than is allowed.
    #[error("`security` is {security} and packages may ask for at most {weakest}: make them agree")]
    Security {
        /// The default.
        security: Security,
        /// The limit.
        weakest: Security,
    },
    /// A name that Kubernetes would refuse.
    #[error("`{setting}` is {name:?}: use lower-case letters, digits and '-'")]
    Name {
        /// The setting.
        setting: &'static str,
        /// What was written.
        name: String,
    },
}

impl KubernetesConfig {
    /// The usual settings; what is named here has no default.
    pub fn new(namespace: &str, agent_image: &str, server_url: &str) -> Self {
        Self {
            access: Access::InCluster,
            namespace: namespace.to_owned(),
            agents: true,
            agent_image: agent_image.to_owned(),
            agent_program: "/rutter-agent".to_owned(),
            server_url: server_url.to_owned(),
            server_address_is_fixed: false,
            server_ca: None,
            service_account: None,
            allowed_service_accounts: Vec::new(),
            secrets: None,
            allow_host_paths: false,
            security: Security::Restricted,
            weakest_security: Security::Baseline,
            user: Some(65532),
            architecture: "amd64".to_owned(),
            node_selector: BTreeMap::new(),
            image_pull_secrets: Vec::new(),
            registries: Some(Registries::default()),
            scratch: None,
            gpu_resource: "nvidia.com/gpu".to_owned(),
            pending_budget: Duration::from_secs(3600),
            staging_budget: Duration::from_secs(3600),
            upload_window: Duration::from_secs(3600),
            ttl: Duration::from_secs(600),
            stuck_limit: Duration::from_secs(300),
            records: false,
            creates_in_flight: 32,
        }
    }

    /// Whether the settings can be used.
    ///
    /// # Errors
    /// The first that can't.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.agents {
            filled("agentImage", &self.agent_image, "name the image that has the agent")?;
            filled("agentProgram", &self.agent_program, "name the agent's path in its image")?;
        }
        filled("architecture", &self.architecture, "write amd64 or arm64")?;
        filled("gpuResource", &self.gpu_resource, "write for example nvidia.com/gpu")?;
        name("namespace", &self.namespace)?;
        for account in self.service_account.iter().chain(&self.allowed_service_accounts) {
            name("serviceAccount", account)?;
        }
        if let Some(class) = self.scratch.as_ref().and_then(|scratch| scratch.storage_class.as_ref()) {
            name("scratch.storageClassName", class)?;
        }
        if self.security < self.weakest_security {
            let (security, weakest) = (self.security, self.weakest_security);
            return Err(ConfigError::Security { security, weakest });
        }
        if self.agents { self.validate_server_url() } else { Ok(()) }
    }

    fn validate_server_url(&self) -> Result<(), ConfigError> {
        let wrong = || ConfigError::NoServerUrl { url: self.server_url.clone() };
        let url = Url::parse(&self.server_url).map_err(|_| wrong())?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_http = matches!(url.scheme(), "https" | "http");
        if !is_http || !bare || !url.username().is_empty() || url.password().is_some() {
            return Err(wrong());
        }
        let address = match url.host().ok_or_else(wrong)? {
            url::Host::Domain(_) => return Ok(()),
            url::Host::Ipv4(address) => IpAddr::V4(address),
            url::Host::Ipv6(address) => IpAddr::V6(address),
        };
        if self.server_address_is_fixed { Ok(()) } else { Err(ConfigError::Address { address }) }
    }
}

fn filled(setting: &'static str, value: &str, remedy: &'static str) -> Result<(), ConfigError> {
    if value.trim().is_empty() { Err(ConfigError::Empty { setting, remedy }) } else { Ok(()) }
}

/// A DNS label, as namespaces are; service accounts may have dots as well.
fn name(setting: &'static str, name: &str) -> Result<(), ConfigError> {
    let right = !name.is_empty()
        && name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.');
    if right { Ok(()) } else { Err(ConfigError::Name { setting, name: name.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(url: &str) -> Result<(), ConfigError> {
        KubernetesConfig::new("jobs", "rutter:1", url).validate()
    }

    #[test]
    fn pods_find_the_server_by_name() {
        for good in ["https://rutter.ns.svc:8443", "http://rutter:80/"] {
            assert_eq!(url(good), Ok(()), "{good}");
        }
        for bad in
            ["", "rutter:8443", "unix:/run/x", "https://a/b", "https://a?b", "https://u:p@a", "ftp://a"]
        {
            assert!(matches!(url(bad), Err(ConfigError::NoServerUrl { .. })), "{bad}");
        }
        for address in ["https://10.244.0.7:8443", "https://[fd00::1]:8443"] {
            assert!(matches!(url(address), Err(ConfigError::Address { .. })), "{address}");
        }
        let mut config = KubernetesConfig::new("jobs", "rutter:1", "http://10.244.0.1:80");
        config.server_address_is_fixed = true;
        assert_eq!(config.validate(), Ok(()));
        let alone = KubernetesConfig { agents: false, ..KubernetesConfig::new("jobs", "", "") };
        assert_eq!(alone.validate(), Ok(()), "where no agent comes, nothing is said to it");
    }

    #[test]
    fn what_can_not_work_is_refused() {
        let right = || KubernetesConfig::new("jobs", "rutter:1", "https://rutter:443");
        for (change, word) in [
            (
                Box::new(|c: &mut KubernetesConfig| c.namespace = "A b".into()) as Box<dyn Fn(&mut _)>,
                "namespace",
            ),
            (Box::new(|c: &mut KubernetesConfig| c.agent_image = " ".into()), "agentImage"),
            (Box::new(|c: &mut KubernetesConfig| c.security = Security::None), "security"),
            (Box::new(|c: &mut KubernetesConfig| c.service_account = Some("../x".into())), "serviceAccount"),
        ] {
            let mut config = right();
            change(&mut config);
            let told = config.validate().unwrap_err().to_string();
            assert!(told.contains(word), "{told}");
        }
    }
}
