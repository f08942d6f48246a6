//! A cluster from its start to its end.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{
    component::Component,
    config,
    error::{Error, io},
    holder::{Holder, Parent},
    http,
    image::Image,
    layout::{ADDRESS, Layout},
    options::Options,
    prepare,
    process::Process,
    run,
};

const LIMIT: Duration = Duration::from_secs(60);

/// A running cluster. Dropped, it ends and leaves nothing, unless it was started with [`Options::keep`].
#[derive(Debug)]
pub struct Cluster {
    pub(crate) layout: Layout,
    pub(crate) holder: Holder,
    pub(crate) programs: PathBuf,
    /// Only for one that ends with its handle.
    parent: Option<Parent>,
}

impl Cluster {
    /// Start one: returns when the node is ready and pods can be created. Installs and builds what is missing.
    pub fn up(options: Options) -> Result<Self, Error> {
        let programs = prepare::programs()?;
        let (layout, holder, parent) = Holder::start(options.name.as_deref(), options.keep)?;
        let mut cluster = Self { layout, holder, programs, parent: Some(parent) };
        // From here on an error drops the handle, which ends what was started.
        cluster.begin(&options)?;
        if options.keep {
            cluster.parent = None;
        }
        Ok(cluster)
    }

    /// The running cluster of this name, started by whatever process. Dropping this handle does not end it.
    pub fn find(name: &str) -> Result<Option<Self>, Error> {
        let layout = Layout::named(name)?;
        let Some(holder) = Holder::of(&layout) else { return Ok(None) };
        Ok(Some(Self { layout, holder, programs: prepare::programs()?, parent: None }))
    }

    /// End it; nothing is left: no process, mount, interface, control group or file.
    pub fn down(mut self) -> Result<(), Error> {
        let parent = self.parent.take();
        self.holder.end(&self.layout, parent)
    }

    /// The node's address: what listens on it, started by [`Cluster::command`], is reached by pods.
    pub fn address(&self) -> std::net::Ipv4Addr {
        ADDRESS
    }

    /// The administrator's kubeconfig. Its server is reached from inside the cluster's network only.
    pub fn kubeconfig(&self) -> PathBuf {
        self.layout.path("kubeconfig")
    }

    /// The kubeconfig of a user made by [`Options::user`].
    pub fn kubeconfig_of(&self, user: &str) -> PathBuf {
        self.layout.path(format!("kubeconfig-{user}"))
    }

    /// The Kubernetes namespace that the kubeconfigs name; it exists.
    pub fn namespace(&self) -> &'static str {
        config::NAMESPACE
    }

    /// Everything of the cluster on disk: logs of components in `logs/`, of containers in `var/log/pods/`.
    pub fn folder(&self) -> &Path {
        &self.layout.folder
    }

    /// The control group that all pods of the cluster are in, below every hierarchy's root.
    pub fn cgroup(&self) -> String {
        self.layout.cgroup()
    }

    /// The process whose namespaces are the cluster's, for `nsenter --target`.
    pub fn pid(&self) -> i32 {
        self.holder.pid()
    }

    /// A program of this machine that runs in the cluster's network. All else (folder, environment, user) is the caller's; the
    /// child's number is the program's.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.holder.network().display())).arg("--").arg(program);
        command
    }

    /// Moves the calling thread, and threads that it starts from now on, into the cluster's network for good. For tests: do
    /// it first, then start runtime and clients.
    pub fn enter_network(&self) -> Result<(), Error> {
        let path = self.holder.network();
        let what = || format!("enter the network {}", path.display());
        let network = fs::File::open(&path).map_err(io(what()))?;
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(std::os::fd::AsFd::as_fd(&network), kind)
            .map_err(|error| io(what())(error.into()))
    }

    /// A connection to what listens inside the cluster's network, pods included, for a caller outside.
    pub fn connect(&self, to: SocketAddr) -> Result<TcpStream, Error> {
        let inside = |to| {
            self.enter_network()?;
            TcpStream::connect_timeout(&to, Duration::from_secs(5)).map_err(io(format!("connect to {to}")))
        };
        // A thread of its own: one that entered does not come back. The socket keeps its network.
        let joined = thread::scope(|scope| scope.spawn(|| inside(to)).join());
        joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Make an image known to the node. With `imagePullPolicy: IfNotPresent` or `Never` pods start from it.
    pub fn import(&self, image: &Image) -> Result<(), Error> {
        let archive = image.archive()?;
        self.import_archive(archive.path())
    }

    /// The same from an archive file (of Docker or OCI) that something else wrote.
    pub fn import_archive(&self, path: &Path) -> Result<(), Error> {
        run::output(self.ctr().args(["images", "import"]).arg(path), None).map(drop)
    }

    /// Give an image that the node has a further name.
    pub fn tag_image(&self, name: &str, further: &str) -> Result<(), Error> {
        run::output(self.ctr().args(["images", "tag", name, further]), None).map(drop)
    }

    /// End a component as `kill -9` does, and wait until it is gone. Nothing happens to one that is not running.
    pub fn kill(&self, component: Component) -> Result<(), Error> {
        let Some(process) = self.process(component) else { return Ok(()) };
        self.signal(component, "KILL")?;
        let gone = || Ok(process.gone(&self.holder.proc()));
        run::wait_until(&format!("the end of {}", component.name()), LIMIT, gone)
    }

    /// Start a component that was killed, and wait until it answers.
    pub fn start(&self, component: Component) -> Result<(), Error> {
        self.launch(component)?;
        self.wait_for(component)
    }

    /// [`Cluster::kill`], then [`Cluster::start`].
    pub fn restart(&self, component: Component) -> Result<(), Error> {
        self.kill(component)?;
        self.start(component)
    }

    /// Stop a component in the middle of what it does: connections stay open, nothing is answered.
    pub fn pause(&self, component: Component) -> Result<(), Error> {
        self.signal(component, "STOP")
    }

    /// Let a paused component go on.
    pub fn resume(&self, component: Component) -> Result<(), Error> {
        self.signal(component, "CONT")
    }

    /// Whether the component's process is there.
    pub fn is_running(&self, component: Component) -> bool {
        self.process(component).is_some()
    }

    /// The end of a component's log.
    pub fn log_end(&self, component: Component) -> String {
        self.layout.log_end(component.name())
    }
}

impl Cluster {
    fn begin(&self, options: &Options) -> Result<(), Error> {
        config::write(&self.layout, &options.users)?;
        for component in [Component::Etcd, Component::ApiServer, Component::Containerd] {
            self.launch(component)?;
        }
        self.wait_for(Component::Containerd)?;
        self.import(&Image::pause())?;
        self.wait_for(Component::ApiServer)?;
        for component in [Component::ControllerManager, Component::Scheduler, Component::Kubelet] {
            self.launch(component)?;
        }
        self.kubectl(["create", "namespace", config::NAMESPACE])?;
        // Pods are refused until the controllers have made the namespace's account.
        run::wait_until("the node and the default service account", LIMIT, || {
            self.check(Component::Kubelet)?;
            self.check(Component::ControllerManager)?;
            let path = "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
            let ready = self.kubectl(["get", "node", "node1", "--ignore-not-found", "-o", path])?;
            let account =
                self.kubectl(["get", "serviceaccount", "default", "--ignore-not-found", "-o", "name"])?;
            Ok(ready == "True" && !account.is_empty())
        })
    }

    /// Starts the process and leaves it to the cluster's first process; its number is kept in a file.
    fn launch(&self, component: Component) -> Result<(), Error> {
        let name = component.name();
        let words = component.words(&self.layout, &self.programs.display().to_string());
        fs::create_dir_all(self.layout.path("pids")).map_err(io("make the folder pids"))?;
        let script = r#"log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!"#;
        let mut shell = self.holder.inside("sh");
        shell.args(["-c", script, "sh"]).arg(self.layout.path(format!("logs/{name}.log"))).args(words);
        let printed = run::output(&mut shell, None)?;
        let unreadable = || Error::Unreadable { what: "a process number", text: printed.clone() };
        let pid = printed.trim().parse().map_err(|_| unreadable())?;
        let process = Process::find(&self.holder.proc(), pid)
            .ok_or_else(|| Error::Ended { component: name, log: self.layout.log_end(name) })?;
        self.layout.write(&format!("pids/{name}"), process.to_string())
    }

    fn process(&self, component: Component) -> Option<Process> {
        let text = fs::read_to_string(self.layout.path(format!("pids/{}", component.name()))).ok()?;
        Process::parse(&text).filter(|process| process.alive(&self.holder.proc()))
    }

    fn signal(&self, component: Component, signal: &str) -> Result<(), Error> {
        let Some(process) = self.process(component) else { return Ok(()) };
        let script = format!("kill -{signal} {}", process.pid);
        run::output(self.holder.inside("sh").args(["-c", &script]), None).map(drop)
    }

    fn check(&self, component: Component) -> Result<(), Error> {
        if self.is_running(component) {
            return Ok(());
        }
        Err(Error::Ended { component: component.name(), log: self.log_end(component) })
    }

    fn wait_for(&self, component: Component) -> Result<(), Error> {
        run::wait_until(&format!("an answer of {}", component.name()), LIMIT, || {
            self.check(component)?;
            self.answers(component)
        })
    }

    fn answers(&self, component: Component) -> Result<bool, Error> {
        let healthy = |port: u16, path| {
            http::ask(self.connect(([127, 0, 0, 1], port).into())?, path, None).map(|_| true)
        };
        match component {
            Component::Etcd => healthy(2379, "/health"),
            Component::Kubelet => healthy(10248, "/healthz"),
            Component::ApiServer => self.kubectl(["get", "--raw", "/readyz"]).map(|answer| answer == "ok"),
            Component::Containerd => run::output(self.ctr().arg("version"), None).map(|_| true),
            // They serve nothing.
            Component::ControllerManager | Component::Scheduler => Ok(true),
        }
    }

    pub(crate) fn ctr(&self) -> Command {
        let mut command = self.holder.inside("ctr");
        command.arg("--address").arg(self.layout.path(config::CONTAINERD_SOCKET));
        command.args(["--namespace", "k8s.io"]);
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let Some(parent) = self.parent.take() else { return };
        if let Err(error) = self.holder.end(&self.layout, Some(parent)) {
            eprintln!("the test cluster in {} did not end: {error}", self.layout.folder.display());
        }
    }
}
