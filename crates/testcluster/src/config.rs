//! The files that the components of a cluster read.

use std::process::Command;

use serde_json::{Value, json};

use crate::{
    error::Error,
    layout::{ADDRESS, Layout},
    run,
};

/// The Kubernetes namespace that kubeconfigs name as the default.
pub(crate) const NAMESPACE: &str = "rutter";
const ADMIN: &str = "admin";

/// Write all of them.
pub(crate) fn write(layout: &Layout, users: &[(String, Vec<String>)]) -> Result<(), Error> {
    service_account_keys(layout)?;
    layout.write("tokens.csv", tokens(users))?;
    layout.write("kubeconfig", kubeconfig(layout, ADMIN).to_string())?;
    for (user, _) in users {
        layout.write(&format!("kubeconfig-{user}"), kubeconfig(layout, user).to_string())?;
    }
    layout.write("containerd.toml", containerd(layout))?;
    layout.write("cni/10-bridge.conflist", network().to_string())?;
    // Pods that ask for the node's name servers must not get those of the machine under test.
    layout.write("resolv.conf", "nameserver 10.0.0.10\n")?;
    layout.write("kubelet.json", kubelet(layout).to_string())
}

fn service_account_keys(layout: &Layout) -> Result<(), Error> {
    let (key, public) = (layout.path("sa.key"), layout.path("sa.pub"));
    let size = "rsa_keygen_bits:2048";
    let mut private = Command::new("openssl");
    private.args(["genpkey", "-algorithm", "RSA", "-pkeyopt", size, "-out"]).arg(&key);
    run::output(&mut private, None)?;
    let mut public_half = Command::new("openssl");
    public_half.args(["pkey", "-pubout", "-in"]).arg(&key).arg("-out").arg(&public);
    run::output(&mut public_half, None)?;
    Ok(())
}

fn tokens(users: &[(String, Vec<String>)]) -> String {
    let mut lines = format!("{},{ADMIN},{ADMIN},\"system:masters\"\n", token(ADMIN));
    for (user, groups) in users {
        lines += &format!("{},{user},{user},\"{}\"\n", token(user), groups.join(","));
    }
    lines
}

/// No secret: the API server is reached by this machine's root alone.
fn token(user: &str) -> String {
    format!("token-of-{user}")
}

fn kubeconfig(layout: &Layout, user: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {
            "server": format!("https://{ADDRESS}:6443"),
            "certificate-authority": layout.path("cert/apiserver.crt"),
        }}],
        "users": [{"name": user, "user": {"token": token(user)}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": user, "namespace": NAMESPACE}}],
        "current-context": "test",
    })
}

/// `oom_score` and `restrict_oom_score_adj`: machines under test may lack the right to lower scores, and then no container
/// starts. The disabled plug-ins would make folders on the machine.
fn containerd(layout: &Layout) -> String {
    let cri = "plugins.\"io.containerd.grpc.v1.cri\"";
    format!(
        r#"version = 2
root = "{root}"
state = "{state}"
oom_score = 0
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
address = "{socket}"

[{cri}]
restrict_oom_score_adj = true
sandbox_image = "{PAUSE}"

[{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[{cri}.containerd.runtimes.runc.options]
SystemdCgroup = false

[{cri}.cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{cni}"
"#,
        root = layout.text("containerd/root"),
        state = layout.text("containerd/state"),
        socket = layout.text(CONTAINERD_SOCKET),
        cni = layout.text("cni"),
    )
}

/// The image of a pod's first container, which only waits.
pub(crate) const PAUSE: &str = "localhost/pause:1";
/// Where containerd listens, below the cluster's folder.
pub(crate) const CONTAINERD_SOCKET: &str = "containerd.sock";

fn network() -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [{
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": true,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": "10.244.0.0/24"}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }],
    })
}

/// Beside what makes it run at all: nothing is evicted or collected for want of this machine's disk or memory, and the node
/// tells soon that it lives (its lease must be shorter than the controller's patience, or it flaps).
fn kubelet(layout: &Layout) -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "readOnlyPort": 0,
        "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}},
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", layout.cgroup()),
        "containerRuntimeEndpoint": format!("unix://{}", layout.text(CONTAINERD_SOCKET)),
        "failSwapOn": false,
        "failCgroupV1": false,
        "oomScoreAdj": 0,
        "makeIPTablesUtilChains": false,
        "enforceNodeAllocatable": [],
        "evictionHard": {
            "memory.available": "0%",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
            "imagefs.inodesFree": "0%",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "maxPods": 250,
        "nodeStatusUpdateFrequency": "1s",
        "nodeLeaseDurationSeconds": 4,
        "clusterDNS": ["10.0.0.10"],
        "clusterDomain": "cluster.local",
        "resolvConf": layout.path("resolv.conf"),
    })
}
