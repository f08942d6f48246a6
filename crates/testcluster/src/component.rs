//! The parts of a cluster, and how each is started.

use std::str::FromStr;

use crate::{
    error::Error,
    layout::{ADDRESS, Layout},
};

/// A part that can be killed and started again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Component {
    /// The store below the API server.
    Etcd,
    /// The API server.
    ApiServer,
    /// The container runtime. Containers outlive it.
    Containerd,
    /// Jobs, garbage collection, node life cycle and all other controllers.
    ControllerManager,
    /// Puts pods on nodes.
    Scheduler,
    /// The node's agent. Containers outlive it; the node is lost 8 s after its end. Its pods are evicted 2 s later, but only
    /// while another node is ready (see [`Cluster::add_fake_node`](crate::Cluster::add_fake_node)).
    Kubelet,
}

impl Component {
    /// All, in the order in which they start.
    pub const ALL: [Self; 6] = [
        Self::Etcd,
        Self::ApiServer,
        Self::Containerd,
        Self::ControllerManager,
        Self::Scheduler,
        Self::Kubelet,
    ];

    /// As it is written on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "apiserver",
            Self::Containerd => "containerd",
            Self::ControllerManager => "controller-manager",
            Self::Scheduler => "scheduler",
            Self::Kubelet => "kubelet",
        }
    }

    /// Program and arguments.
    pub(crate) fn words(self, layout: &Layout, programs: &str) -> Vec<String> {
        let words = match self {
            Self::Etcd => etcd(layout),
            Self::ApiServer => api_server(layout),
            Self::Containerd => format!("containerd --config {}", layout.text("containerd.toml")),
            Self::ControllerManager => controller_manager(layout),
            Self::Scheduler => scheduler(layout),
            Self::Kubelet => kubelet(layout),
        };
        let mut words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        if self != Self::Containerd {
            words[0] = format!("{programs}/{}", words[0]);
        }
        words
    }
}

impl FromStr for Component {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let known = || Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|component| component.name() == name);
        found.ok_or_else(|| Error::NoComponent { name: name.into(), known: known() })
    }
}

fn etcd(layout: &Layout) -> String {
    // The cluster never outlives the machine, so nothing needs to reach the disk.
    format!(
        "etcd --data-dir {} --unsafe-no-fsync --listen-client-urls http://127.0.0.1:2379
         --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380",
        layout.text("etcd")
    )
}

fn api_server(layout: &Layout) -> String {
    format!(
        "kube-apiserver --etcd-servers=http://127.0.0.1:2379 --bind-address={ADDRESS} --secure-port=6443 --cert-dir={}
         --advertise-address={ADDRESS} --endpoint-reconciler-type=none --service-cluster-ip-range=10.0.0.0/24
         --service-account-issuer=https://kubernetes.default.svc --service-account-key-file={}
         --service-account-signing-key-file={} --token-auth-file={} --authorization-mode=RBAC
         --kubelet-preferred-address-types=InternalIP --allow-privileged=true
         --default-not-ready-toleration-seconds=2 --default-unreachable-toleration-seconds=2",
        layout.text("cert"),
        layout.text("sa.pub"),
        layout.text("sa.key"),
        layout.text("tokens.csv"),
    )
}

fn controller_manager(layout: &Layout) -> String {
    // The defaults are for clusters of thousands of nodes: a test would wait for their rate limits and periods.
    format!(
        "kube-controller-manager --kubeconfig={} --leader-elect=false --secure-port=0
         --service-account-private-key-file={} --root-ca-file={} --concurrent-job-syncs=50
         --concurrent-ttl-after-finished-syncs=50 --kube-api-qps=1000 --kube-api-burst=2000
         --node-monitor-period=1s --node-monitor-grace-period=8s",
        layout.text("kubeconfig"),
        layout.text("sa.key"),
        layout.text("cert/apiserver.crt"),
    )
}

fn scheduler(layout: &Layout) -> String {
    format!(
        "kube-scheduler --kubeconfig={} --leader-elect=false --secure-port=0 --kube-api-qps=1000 --kube-api-burst=2000",
        layout.text("kubeconfig")
    )
}

fn kubelet(layout: &Layout) -> String {
    format!(
        "kubelet --config={} --kubeconfig={} --hostname-override=node1 --node-ip={ADDRESS} --root-dir={} --cert-dir={}",
        layout.text("kubelet.json"),
        layout.text("kubeconfig"),
        layout.text("kubelet"),
        layout.text("kubelet/pki"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_component_is_found_by_its_name() {
        for component in Component::ALL {
            assert_eq!(component.name().parse::<Component>().unwrap(), component);
        }
        let error = "kube-proxy".parse::<Component>().unwrap_err().to_string();
        assert!(error.contains("etcd, apiserver, containerd"), "{error}");
    }
}
