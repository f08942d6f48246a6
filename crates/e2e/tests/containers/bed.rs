//! Podman with storage of its own, and servers that use it.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use rustix::process::{Resource, getrlimit};
use rutter_e2e::{Package, Server, ServerBuilder, static_agent};
use rutter_testcluster::Image;
use tempfile::TempDir;

/// Image of the tests' programs: a shell and the usual tools.
pub(crate) const TOOLS: &str = "localhost/tools:1";

/// Podman with nothing but the tests' images.
pub(crate) struct Podman {
    folder: TempDir,
}

impl Podman {
    /// With [`TOOLS`].
    pub(crate) fn new() -> Self {
        let podman = Self { folder: tempfile::Builder::new().prefix("rutter-podman").tempdir().unwrap() };
        podman.write("containers.conf", &containers_conf());
        let root = podman.folder.path().display();
        podman.write(
            "storage.conf",
            &format!(
                "[storage]\ndriver = \"overlay\"\ngraphroot = \"{root}/images\"\nrunroot = \"{root}/run\"\n"
            ),
        );
        podman.write("registries.conf", "");
        podman.load(&Image::busybox(TOOLS).workdir("/tmp"));
        podman
    }

    /// What the registry at an address is asked without TLS.
    pub(crate) fn trust(&self, registry: &str) {
        self.write("registries.conf", &format!("[[registry]]\nlocation = \"{registry}\"\ninsecure = true\n"));
    }

    /// Take up an image.
    pub(crate) fn load(&self, image: &Image) {
        let archive = image.archive().unwrap();
        self.run(&["load", "--quiet", "--input", archive.path().to_str().unwrap()]);
    }

    /// What it prints; a failure fails the test.
    pub(crate) fn run(&self, words: &[&str]) -> String {
        let output = self.output(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Give the server a secret.
    pub(crate) fn secret(&self, name: &str, key: &str, value: &str) {
        let folder = self.folder.path().join("secrets").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(key), value).unwrap();
    }

    /// Names of all containers, running or not.
    pub(crate) fn containers(&self) -> Vec<String> {
        self.run(&["ps", "--all", "--format", "{{.Names}}"]).lines().map(str::to_owned).collect()
    }

    /// Process id of a container's first process, on this machine.
    pub(crate) fn pid(&self, container: &str) -> i32 {
        self.run(&["container", "inspect", "--format", "{{.State.Pid}}", container]).parse().unwrap()
    }

    /// A server that runs these packages in containers of [`TOOLS`], unless they name another image.
    pub(crate) fn server(&self, packages: &[Package]) -> ServerBuilder {
        let config = format!(
            "local: {{containerEngine: podman, containerAgent: {}, containerNetwork: none, secrets: {}}}\n\
             jobs: {{graceSeconds: 2, maxDiskPercent: 99}}",
            static_agent().display(),
            self.folder.path().join("secrets").display()
        );
        let server =
            self.variables().into_iter().fold(Server::builder().config(&config), |server, (name, path)| {
                server.variable(name, path.to_str().unwrap())
            });
        packages.iter().fold(server, |server, package| server.package(package))
    }

    fn output(&self, words: &[&str]) -> Output {
        Command::new("podman").args(words).envs(self.variables()).output().expect("podman is installed")
    }

    fn variables(&self) -> [(&'static str, PathBuf); 3] {
        let path = |name: &str| self.folder.path().join(name);
        [
            ("CONTAINERS_CONF", path("containers.conf")),
            ("CONTAINERS_STORAGE_CONF", path("storage.conf")),
            ("CONTAINERS_REGISTRIES_CONF", path("registries.conf")),
        ]
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        self.output(&["rm", "--all", "--force", "--time", "0"]);
        // What it keeps mounted for itself would keep the folder from being removed.
        let _ = Command::new("umount").arg(self.folder.path().join("images/overlay")).output();
    }
}

/// As an operator would write it for this machine: no more than it may give, and a runtime that knows its control groups.
fn containers_conf() -> String {
    let most = |resource| getrlimit(resource).maximum.unwrap_or(1 << 20);
    // Podman itself has fewer processes than it was given.
    let (files, processes) = (most(Resource::Nofile), most(Resource::Nproc).min(4096));
    // crun refuses control groups of both versions side by side.
    let is_hybrid = PathBuf::from("/sys/fs/cgroup/unified").exists();
    let runtime = if is_hybrid { "runtime = \"runc\"\n" } else { "" };
    format!(
        "[engine]\n{runtime}events_logger = \"none\"\n[containers]\n\
         default_ulimits = [\"nofile={files}:{files}\", \"nproc={processes}:{processes}\"]\n"
    )
}
