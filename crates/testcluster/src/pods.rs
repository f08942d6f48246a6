//! What befalls pods that nobody deleted.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{cluster::Cluster, config::NAMESPACE, error::Error, run};

/// The kubelet tells what it does within seconds.
const LIMIT: Duration = Duration::from_secs(60);

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
        // The container may run, and be heard, before the kubelet has said so.
        let object = self.wait_for_object(&format!("pod/{pod}"), LIMIT, |pod| {
            pod.is_null() || id_of(pod, container).is_some()
        })?;
        let what = "the id of a container that runs";
        let id = id_of(&object, container);
        let id = id.ok_or_else(|| Error::Unreadable { what, text: format!("{pod}/{container}") })?;
        run::output(self.ctr().args(["tasks", "kill", "--signal", "SIGKILL", id]), None).map(drop)
    }
}

fn id_of<'a>(pod: &'a Value, container: &str) -> Option<&'a str> {
    let mut states = pod["status"]["containerStatuses"].as_array()?.iter();
    states.find(|state| state["name"] == container)?["containerID"].as_str()?.strip_prefix("containerd://")
}
