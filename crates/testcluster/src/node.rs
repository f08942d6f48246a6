//! The node as the scheduler sees it: full, richer than it is, or one of two.

use std::{
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{cluster::Cluster, config::PAUSE, error::Error, kubectl::Kubectl, run};

const FILLER: &str = "filler";
/// A third of the time after which a node is lost.
const BEAT: Duration = Duration::from_millis(2500);

/// A node that exists in the API only: pods that are put there stay pending. Dropped, its heart stops, and it is lost 8 s later.
#[derive(Debug)]
pub struct FakeNode {
    name: String,
    stop: Option<Sender<()>>,
    heart: Option<JoinHandle<()>>,
}

impl Cluster {
    /// Ask for all CPU that is left on the node, by a pod of the name `filler`: what asks for any more cannot be scheduled.
    pub fn fill_node(&self) -> Result<(), Error> {
        let left = self.cpu_left()?;
        let requests = json!({"cpu": format!("{left}m")});
        self.apply(&json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": FILLER},
            "spec": {
                "nodeName": "node1",
                "terminationGracePeriodSeconds": 0,
                "containers": [{
                    "name": FILLER,
                    "image": PAUSE,
                    "imagePullPolicy": "Never",
                    "resources": {"requests": requests},
                }],
            },
        }))
    }

    /// Undo [`Cluster::fill_node`].
    pub fn free_node(&self) -> Result<(), Error> {
        self.kubectl(["delete", "pod", FILLER, "--ignore-not-found", "--wait"]).map(drop)
    }

    /// Give the node something to hand out, such as two of `nvidia.com/gpu`.
    pub fn add_extended_resource(&self, name: &str, count: u32) -> Result<(), Error> {
        let count = count.to_string();
        let patch = json!({"status": {"capacity": {name: count}}}).to_string();
        self.kubectl(["patch", "node", "node1", "--subresource=status", "--type=merge", "--patch", &patch])?;
        // The kubelet takes it over from the capacity.
        self.wait_for_object("node/node1", Duration::from_secs(30), |node| {
            node["status"]["allocatable"][name] == count.as_str()
        })
        .map(drop)
    }

    /// A second node, ready and empty, with these labels.
    pub fn add_fake_node(&self, name: &str, labels: &[(&str, &str)]) -> Result<FakeNode, Error> {
        let labels: serde_json::Map<String, Value> =
            labels.iter().map(|&(key, value)| (key.into(), value.into())).collect();
        let metadata = json!({"name": name, "labels": labels});
        self.apply(&json!({"apiVersion": "v1", "kind": "Node", "metadata": metadata}))?;
        let kubectl = self.kubectl_program();
        beat(&kubectl, name, 0)?;
        let room = json!({"cpu": "8", "memory": "16Gi", "pods": "100", "ephemeral-storage": "100Gi"});
        let ready = json!({"type": "Ready", "status": "True", "reason": "KubeletReady"});
        let patch =
            json!({"status": {"capacity": room, "allocatable": room, "conditions": [ready]}}).to_string();
        self.kubectl(["patch", "node", name, "--subresource=status", "--type=merge", "--patch", &patch])?;
        let node = self.start_heart(kubectl, name);
        // New nodes are tainted until the controllers have seen them ready.
        self.wait_for_object(&format!("node/{name}"), Duration::from_secs(30), |node| {
            node["spec"]["taints"].as_array().is_none_or(Vec::is_empty)
        })?;
        Ok(node)
    }

    fn start_heart(&self, kubectl: Kubectl, name: &str) -> FakeNode {
        let (stop, stopped) = channel();
        let node = name.to_owned();
        let heart = thread::spawn(move || {
            for count in 1.. {
                if stopped.recv_timeout(BEAT) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
                // A beat that the API server did not answer is a beat missed.
                let _ = beat(&kubectl, &node, count);
            }
        });
        FakeNode { name: name.into(), stop: Some(stop), heart: Some(heart) }
    }

    fn cpu_left(&self) -> Result<u64, Error> {
        let node = self.get("node/node1")?.unwrap_or_default();
        let room = millicores(&node["status"]["allocatable"]["cpu"])?;
        let text = self.kubectl(["get", "pods", "--all-namespaces", "--output", "json"])?;
        let pods: Value = serde_json::from_str(&text)
            .map_err(|_| Error::Unreadable { what: "the list of pods", text: text.clone() })?;
        let mut taken = 0;
        for pod in pods["items"].as_array().into_iter().flatten() {
            let over = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
            if over || pod["spec"]["nodeName"] != "node1" {
                continue;
            }
            for container in pod["spec"]["containers"].as_array().into_iter().flatten() {
                taken += millicores(&container["resources"]["requests"]["cpu"])?;
            }
        }
        Ok(room.saturating_sub(taken))
    }
}

impl FakeNode {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for FakeNode {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(heart) = self.heart.take() {
            let _ = heart.join();
        }
    }
}

/// Renews the node's lease. Controllers look at whether the time in it grows, not at what time it is.
fn beat(kubectl: &Kubectl, node: &str, count: u32) -> Result<(), Error> {
    let (hours, minutes, seconds) = (count / 3600 % 24, count / 60 % 60, count % 60);
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": node, "namespace": "kube-node-lease"},
        "spec": {
            "holderIdentity": node,
            "leaseDurationSeconds": 4,
            "renewTime": format!("2030-01-01T{hours:02}:{minutes:02}:{seconds:02}.000000Z"),
        },
    });
    let mut apply = kubectl.command();
    apply.args(["apply", "--filename", "-"]);
    run::output(&mut apply, Some(lease.to_string().as_bytes())).map(drop)
}

/// `2`, `0.5` or `250m`; nothing asked for is null.
fn millicores(quantity: &Value) -> Result<u64, Error> {
    let Some(text) = quantity.as_str() else { return Ok(0) };
    let unreadable = || Error::Unreadable { what: "an amount of CPU", text: text.into() };
    if let Some(milli) = text.strip_suffix('m') {
        return milli.parse().map_err(|_| unreadable());
    }
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = format!("{part:0<3}");
    let whole: u64 = whole.parse().map_err(|_| unreadable())?;
    let part: u64 = part.get(..3).and_then(|digits| digits.parse().ok()).ok_or_else(unreadable)?;
    Ok(whole * 1000 + part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_cpu_are_read_as_kubernetes_writes_them() {
        let read = |text: &str| millicores(&json!(text)).ok();
        assert_eq!(
            (read("2"), read("250m"), read("0.5"), read("1.25")),
            (Some(2000), Some(250), Some(500), Some(1250))
        );
        assert_eq!((read("much"), millicores(&Value::Null).ok()), (None, Some(0)));
    }
}
