//! A real registry of images inside a cluster's network, where nodes and servers fetch from it (Debian's docker-registry).
//!
//! Images are laid down in its storage as it keeps them itself: nothing has to be pushed.

use std::{
    fs::{self, File},
    io,
    path::PathBuf,
    process::{Child, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::{
    cluster::Cluster,
    error::{Error, io as failed},
    image::Image,
    layout::hex,
    run,
};

const LIMIT: Duration = Duration::from_secs(30);

/// A running registry. Dropped, it ends.
#[derive(Debug)]
pub struct Registry {
    port: u16,
    folder: TempDir,
    child: Option<Child>,
}

impl Cluster {
    /// Start a registry; with `users` (lines of an htpasswd file, bcrypt) it wants a name and a password.
    pub fn registry(&self, users: &str) -> Result<Registry, Error> {
        static PORT: AtomicU16 = AtomicU16::new(5000);
        let folder = tempfile::tempdir().map_err(failed("make a folder for a registry"))?;
        let port = PORT.fetch_add(1, Ordering::Relaxed);
        let mut config = json!({
            "version": 0.1,
            "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": folder.path().join("storage")}},
            "http": {"addr": format!("127.0.0.1:{port}")},
        });
        if !users.is_empty() {
            config["auth"] = json!({"htpasswd": {"realm": "test", "path": folder.path().join("users")}});
        }
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text);
        write("users", users)
            .and_then(|()| write("config.yml", &config.to_string()))
            .map_err(failed("write the configuration of a registry"))?;
        let mut registry = Registry { port, folder, child: None };
        registry.start(self)?;
        Ok(registry)
    }
}

impl Registry {
    /// What names of its images begin with.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Start it again, and wait until it answers.
    pub fn start(&mut self, cluster: &Cluster) -> Result<(), Error> {
        let mut command = cluster.command("docker-registry");
        command.arg("serve").arg(self.folder.path().join("config.yml"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().map_err(failed("start docker-registry"))?);
        let address = ([127, 0, 0, 1], self.port).into();
        run::wait_until("the registry answers", LIMIT, || cluster.connect(address).map(|_| true))
    }

    /// End it; what it has stays.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Have an image in Docker's format under a name like `team/flood:1`. Gives the whole name.
    pub fn put(&self, image: &Image, name: &str) -> Result<String, Error> {
        let manifest = self.manifest(image, name, &DOCKER)?;
        self.named(name, &manifest)
    }

    /// Have an image in OCI's format in an index of two, of which the first is for other machines.
    pub fn put_index(&self, image: &Image, name: &str) -> Result<String, Error> {
        let text = self.manifest(image, name, &OCI)?.to_string();
        self.keep_manifest(name, &text).map_err(failed("write a manifest"))?;
        let ours = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let entry = |digest: String, architecture: &str| {
            json!({"mediaType": OCI.manifest, "digest": digest, "size": text.len(),
                "platform": {"os": "linux", "architecture": architecture}})
        };
        let foreign = entry(format!("sha256:{}", "0".repeat(64)), "s390x");
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [foreign, entry(sha256(text.as_bytes()), ours)],
        });
        self.named(name, &index)
    }

    fn manifest(&self, image: &Image, name: &str, types: &Types) -> Result<Value, Error> {
        let (mut layer, digest, config) = image.parts()?;
        let written = (|| {
            let size = layer.metadata()?.len();
            self.keep_blob(name, &digest, |file| io::copy(&mut layer, file).map(drop))?;
            self.keep_blob(name, &hex(&Sha256::digest(&config)), |file| {
                io::Write::write_all(file, config.as_bytes())
            })?;
            Ok(size)
        })();
        let size = written.map_err(failed("write an image"))?;
        Ok(json!({
            "schemaVersion": 2,
            "mediaType": types.manifest,
            "config": {"mediaType": types.config, "size": config.len(), "digest": sha256(config.as_bytes())},
            "layers": [{"mediaType": types.layer, "size": size, "digest": format!("sha256:{digest}")}],
        }))
    }

    fn named(&self, name: &str, manifest: &Value) -> Result<String, Error> {
        let (repository, tag) = name.rsplit_once(':').unwrap_or((name, "latest"));
        let written = self.keep_manifest(name, &manifest.to_string()).and_then(|hex| {
            let tag = format!("{repository}/_manifests/tags/{tag}");
            self.link(&format!("{tag}/current"), &hex)?;
            self.link(&format!("{tag}/index/sha256/{hex}"), &hex)
        });
        written.map_err(failed("write a manifest"))?;
        Ok(format!("{}/{name}", self.host()))
    }

    fn keep_manifest(&self, name: &str, text: &str) -> io::Result<String> {
        let repository = name.split(':').next().unwrap_or(name);
        let hex = hex(&Sha256::digest(text));
        self.keep_blob(name, &hex, |file| io::Write::write_all(file, text.as_bytes()))?;
        self.link(&format!("{repository}/_manifests/revisions/sha256/{hex}"), &hex)?;
        Ok(hex)
    }

    fn keep_blob(
        &self,
        name: &str,
        hex: &str,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        let repository = name.split(':').next().unwrap_or(name);
        let folder = self.storage().join(format!("blobs/sha256/{}/{hex}", &hex[..2]));
        fs::create_dir_all(&folder)?;
        write(&mut File::create(folder.join("data"))?)?;
        self.link(&format!("{repository}/_layers/sha256/{hex}"), hex)
    }

    fn link(&self, at: &str, hex: &str) -> io::Result<()> {
        let folder = self.storage().join("repositories").join(at);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("link"), format!("sha256:{hex}"))
    }

    fn storage(&self) -> PathBuf {
        self.folder.path().join("storage/docker/registry/v2")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Media types of one format.
struct Types {
    manifest: &'static str,
    config: &'static str,
    layer: &'static str,
}

const DOCKER: Types = Types {
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    layer: "application/vnd.docker.image.rootfs.diff.tar",
};

const OCI: Types = Types {
    manifest: "application/vnd.oci.image.manifest.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    layer: "application/vnd.oci.image.layer.v1.tar",
};

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}
