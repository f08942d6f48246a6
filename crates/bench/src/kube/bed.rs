//! The cluster, and servers in its network.

use std::{fs, path::Path};

use anyhow::Context;
use k8s_openapi::api::batch::v1::Job;
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use rcgen::{CertificateParams, KeyPair, SanType};
use rutter_testcluster::{Cluster, Image, Options};
use serde_json::{Value, json};

use crate::{Bench, fill, folder::Folder, server::Server};

const TOOLS: &str = "localhost/tools:1";
const AGENT: &str = "localhost/rutter-agent:1";

/// A cluster with what servers and jobs need.
pub(crate) struct Bed {
    pub(crate) cluster: Cluster,
}

impl Bed {
    pub(crate) fn make(bench: &Bench) -> anyhow::Result<Self> {
        let agent = bench.agent.as_ref().context("--agent is missing: pods run it")?;
        let cluster = Cluster::up(Options::new())?;
        cluster.import(&Image::scratch(AGENT).file("/rutter-agent", agent, 0o755))?;
        cluster.import(&Image::busybox(TOOLS).workdir("/tmp"))?;
        cluster.enter_network()?;
        Ok(Self { cluster })
    }

    /// A server with so many jobs that are over.
    pub(crate) async fn server(&self, bench: &Bench, stored: u64) -> anyhow::Result<Server> {
        let folder = Folder::new()?;
        if stored > 0 {
            fill::fill(&folder.data(), stored).await?;
        }
        for (id, command) in packages() {
            fs::write(folder.processes().join(format!("{id}.json")), package(id, &command).to_string())?;
        }
        let config = self.configure(&folder)?;
        Server::start_with(bench, folder, &config)
    }

    fn configure(&self, folder: &Folder) -> anyhow::Result<std::path::PathBuf> {
        let address = self.cluster.address();
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.subject_alt_names = vec![SanType::IpAddress(address.into())];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text);
        write("agents.pem", &certificate)?;
        write("agents.key", &key.serialize_pem())?;
        let text = |path: &Path| path.display().to_string();
        let at = |name: &str| text(&folder.path().join(name));
        let config = json!({
            "jobs": {"keepDays": 36500, "maxDiskPercent": 100, "defaultCpus": 0.01, "defaultMemory": 0.02},
            "executor": "kubernetes",
            "kubernetes": {
                "kubeconfig": text(&self.cluster.kubeconfig()),
                "namespace": self.cluster.namespace(),
                "agentImage": AGENT,
                "listen": format!("{address}:18443"),
                "serverUrl": format!("https://{address}:18443"),
                "serverAddressIsFixed": true,
                "tls": {"certificate": at("agents.pem"), "key": at("agents.key"), "authority": at("agents.pem")},
            },
        });
        write("rutter.yaml", &config.to_string())?;
        Ok(folder.path().join("rutter.yaml"))
    }

    /// The Jobs of the cluster, as the administrator sees them.
    pub(crate) async fn jobs(&self) -> anyhow::Result<Api<Job>> {
        let file = Kubeconfig::read_from(self.cluster.kubeconfig())?;
        let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        config.default_retry = false;
        Ok(Api::namespaced(Client::try_from(config)?, self.cluster.namespace()))
    }
}

/// Id and command: one that tells when it ends, one that waits to be looked at.
fn packages() -> [(&'static str, Value); 2] {
    [("ends", json!(["cat", "/proc/uptime"])), ("waits", json!(["sleep", "86400"]))]
}

fn package(id: &str, command: &Value) -> Value {
    let output = json!({"schema": {"type": "string", "contentMediaType": "text/plain"}});
    let (outputs, bindings) = if id == "ends" {
        (json!({"time": output}), json!({"outputBindings": {"time": {"stdout": true}}}))
    } else {
        (json!({}), json!({}))
    };
    json!({
        "processDescription": {"process": {
            "id": id, "version": "1.0.0", "title": id, "inputs": {}, "outputs": outputs,
            "jobControlOptions": ["sync-execute", "async-execute", "dismiss"],
        }},
        "executionUnit": [{
            "type": "docker", "image": TOOLS, "command": command, "bindings": bindings,
            "config": {"cpuMin": 0.01, "memoryMin": 0.02, "jobTimeout": 86400},
        }],
    })
}
