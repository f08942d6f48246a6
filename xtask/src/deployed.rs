//! docs/kubernetes.md, done as written: the image and the manifests as they are shipped, on the Kubernetes of the tests, from
//! nothing to a first job and back to nothing.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use anyhow::Context;
use rutter_testcluster::{Cluster, Image, Options};
use serde_json::json;

use crate::{blocks, dist, shell};

/// What the operator has and this machine does not: a registry. The node has the image by the name it would have there.
const BEFORE: &str = "skopeo() { :; }";

pub(crate) fn run(image: Option<PathBuf>) -> anyhow::Result<()> {
    let archive = image.map_or_else(dist::run, Ok)?;
    let cluster = Cluster::up(Options::new())?;
    let _services = cluster.serve_services()?;
    cluster.import_archive(&archive)?;
    let version = env!("CARGO_PKG_VERSION");
    cluster.tag_image(
        &format!("localhost/rutter:{version}"),
        &format!("registry.example.org/rutter:{version}"),
    )?;
    cluster.import(&Image::busybox("docker.io/library/busybox:1.37"))?;
    volume(&cluster)?;
    let folder = shell::target().join("deployed");
    prepare(&cluster, &folder)?;
    let mut bash = cluster.command("bash");
    let path = std::env::var("PATH").unwrap_or_default();
    bash.env("PATH", format!("{}:{path}", folder.display()));
    blocks::run("docs/kubernetes.md", BEFORE, bash, &folder).with_context(|| state(&cluster))?;
    let left = cluster.kubectl(["get", "namespace,clusterrole", "--output", "name"])?;
    anyhow::ensure!(!left.contains("/rutter"), "after its removal there still is: {left}");
    Ok(cluster.down()?)
}

/// What a storage class would make.
fn volume(cluster: &Cluster) -> anyhow::Result<()> {
    let folder = cluster.folder().join("volume");
    fs::create_dir_all(&folder)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777))?;
    Ok(cluster.apply(&json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "data"},
        "spec": {
            "capacity": {"storage": "20Gi"}, "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": folder},
        },
    }))?)
}

/// A folder with what the blocks use: the checkout's files as far as they may be changed, and `kubectl`.
fn prepare(cluster: &Cluster, folder: &Path) -> anyhow::Result<()> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder.join("target"))?;
    let text = folder.to_str().context("the target folder's name is no UTF-8")?;
    for part in ["deploy", "processes"] {
        let from = shell::root().join(part);
        shell::run(&["cp", "-R", from.to_str().context("the checkout's name is no UTF-8")?, text])?;
    }
    symlink(shell::target().join("package"), folder.join("target/package"))?;
    let command = cluster.kubectl_command();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
    let program = folder.join("kubectl");
    fs::write(&program, format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" ")))?;
    Ok(fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?)
}

/// What an operator would look at.
fn state(cluster: &Cluster) -> String {
    let ask = |words: &str| cluster.kubectl(words.split(' ')).unwrap_or_else(|error| error.to_string());
    let namespace = "--namespace rutter";
    [
        ask(&format!("get all,pvc {namespace}")),
        ask(&format!("describe pods {namespace}")),
        ask(&format!("logs deployment/rutter --tail 30 {namespace}")),
    ]
    .join("\n")
}
