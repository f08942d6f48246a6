//! What befalls pods that nobody deleted.

use serde_json::json;

use crate::{cluster::Cluster, config::NAMESPACE, error::Error, run};

impl Cluster {
    /// Evict a pod, as whoever empties a node does.
    pub fn evict(&self, pod: &str) -> Result<(), Error> {
        let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction");
        let metadata = json!({"name": pod, "namespace": NAMESPACE});
        let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata});
        let mut kubectl = self.kubectl_command();
        kubectl.args(["create", "--raw", &path, "--filename", "-"]);
        run::output(&mut kubectl, Some(eviction.to_string().as_bytes())).map(drop)
    }

    /// Kill the first process of a pod's container, and all others in it with it: what the kernel does on machines where memory
    /// ends for a container as a whole. The container ends with 137.
    pub fn kill_container(&self, pod: &str, container: &str) -> Result<(), Error> {
        let object = self.get(&format!("pod/{pod}"))?.unwrap_or_default();
        let mut states = object["status"]["containerStatuses"].as_array().into_iter().flatten();
        let state = states.find(|state| state["name"] == container);
        let id = state.and_then(|state| state["containerID"].as_str()?.strip_prefix("containerd://"));
        let what = "the id of a container that runs";
        let id = id.ok_or_else(|| Error::Unreadable { what, text: format!("{pod}/{container}") })?;
        run::output(self.ctr().args(["tasks", "kill", "--signal", "SIGKILL", id]), None).map(drop)
    }
}
