//! Where jobs run, as configured: the executor, the listener of its agents, and what packages may ask of it.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use rutter_core::{
    clock::SystemClock,
    executor::Executor,
    id::InstanceId,
    process::{ExecutionUnit, Refused, Refuses, Runs, UnitKind, UnitKinds},
};
use rutter_exec_kube::{KubernetesConfig, KubernetesExecutor, check_unit};
use rutter_exec_local::{self as exec_local, AgentCommand, Capacity, LocalConfig, LocalExecutor};
use rutter_server::AgentsListener;
use tokio::net::{TcpListener, UnixListener};

use crate::{
    adopt,
    config::{Config, ExecutorKind},
    containers::Found,
    files::Raised,
    serve::{gigabytes, milli},
};

/// Seconds without contact after which an agent of this machine gives up: the server is only restarted, never moved.
const LOCAL_CONTACT: u64 = 24 * 3600;

/// What this machine runs containers with, where that is its task; otherwise why it does not.
pub(crate) type Containers = Result<Found, String>;

/// Look for what runs containers here.
pub(crate) fn containers(config: &Config) -> Containers {
    match config.executor {
        ExecutorKind::Local => crate::containers::find(&config.local),
        ExecutorKind::Kubernetes => Err("the cluster runs them".to_owned()),
    }
}

/// What packages may ask of the configured executor.
pub(crate) fn runs(config: &Config, containers: &Containers) -> Runs {
    match (config.executor, containers) {
        (ExecutorKind::Local, Ok(_)) => Runs::new(UnitKinds::ALL, "local"),
        (ExecutorKind::Local, Err(lacks)) => {
            Runs { lacks: Some(lacks.clone()), ..Runs::new(UnitKind::Command, "local") }
        }
        (ExecutorKind::Kubernetes, _) => {
            let settings = config.kubernetes.executor_config(None);
            Runs { refuses: Some(refuses(settings)), ..Runs::new(UnitKind::Docker, "kubernetes") }
        }
    }
}

fn refuses(settings: KubernetesConfig) -> Refuses {
    Refuses::new(move |process, unit| {
        let ExecutionUnit::Docker(unit) = unit else { return Vec::new() };
        let told = |fault: rutter_exec_kube::UnitFault| {
            let path = format!("executionUnit{}", fault.pointer.replace('/', "."));
            Refused { path, message: fault.message, remedy: fault.remedy }
        };
        check_unit(process, unit, &settings).into_iter().map(told).collect()
    })
}

/// Seconds without contact after which agents give up.
pub(crate) fn contact_seconds(config: &Config) -> u64 {
    match config.executor {
        ExecutorKind::Local => LOCAL_CONTACT,
        ExecutorKind::Kubernetes => config.kubernetes.contact_seconds,
    }
}

/// An executor and the way back from it.
pub(crate) struct Place {
    /// Runs jobs.
    pub(crate) executor: Arc<dyn Executor>,
    /// Where its agents come.
    pub(crate) agents: AgentsListener,
    /// Which place it is: the same text only for the same cluster and namespace.
    pub(crate) name: String,
    /// What it may be called since a start with fewer rights.
    pub(crate) former: Option<String>,
}

impl Place {
    /// Take up the configured executor with what runs there.
    pub(crate) async fn open(
        config: &Config,
        data: &Path,
        files: Raised,
        instance: InstanceId,
        containers: Option<Found>,
    ) -> anyhow::Result<Self> {
        match config.executor {
            ExecutorKind::Local => {
                let containers = containers.map(|found| containers_config(config, data, found, instance));
                local(config, data, files, containers).await
            }
            ExecutorKind::Kubernetes => kubernetes(config, data, instance).await,
        }
    }
}

fn containers_config(
    config: &Config,
    data: &Path,
    found: Found,
    instance: InstanceId,
) -> exec_local::Containers {
    exec_local::Containers {
        engine: found.engine,
        agent: found.agent,
        socket_folder: data.join("containers"),
        network: config.local.container_network.clone(),
        instance: instance.to_string(),
    }
}

async fn local(
    config: &Config,
    data: &Path,
    files: Raised,
    containers: Option<exec_local::Containers>,
) -> anyhow::Result<Place> {
    let socket = data.join("agents.sock");
    let listener = agents_socket(&socket)?;
    if let Some(containers) = &containers {
        let folder = &containers.socket_folder;
        show_to_containers(&socket, folder)
            .with_context(|| format!("data: could not use the folder {}", folder.display()))?;
        tracing::info!(program = %containers.engine.program().display(), "images are run in containers of this machine");
    }
    let executor = LocalExecutor::open(LocalConfig { containers, ..local_config(config, data, files)? })
        .await
        .context("could not take up the local executor")?;
    let agents = AgentsListener::Machine(listener);
    Ok(Place { executor: Arc::new(executor), agents, name: "local".into(), former: None })
}

async fn kubernetes(config: &Config, data: &Path, instance: InstanceId) -> anyhow::Result<Place> {
    let section = &config.kubernetes;
    let read = |path: &PathBuf, key: &str| {
        std::fs::read(path).with_context(|| {
            format!("kubernetes.{key}: could not read {}; name a file that is there", path.display())
        })
    };
    let text = |path: Option<&PathBuf>, key: &str| {
        let bytes = path.map(|path| read(path, key)).transpose()?;
        bytes.map(String::from_utf8).transpose().with_context(|| format!("kubernetes.{key} is no text"))
    };
    let tls = match &section.tls {
        None => None,
        Some(tls) => {
            let certificate = read(&tls.certificate, "tls.certificate")?;
            let identity = rutter_server::identity(&certificate, &read(&tls.key, "tls.key")?);
            Some(identity.with_context(|| format!("kubernetes.tls: {}", tls.certificate.display()))?)
        }
    };
    let authority = section.tls.as_ref().and_then(|tls| tls.authority.as_ref());
    let authority = text(authority, "tls.authority")?;
    let listener = TcpListener::bind(&section.listen).await.with_context(|| {
        format!(
            "kubernetes.listen: could not listen on {}; stop what uses it, or name another",
            section.listen
        )
    })?;
    let mut settings = section.executor_config(authority);
    if let Some(registries) = &mut settings.registries {
        registries.authority = text(section.registries.authority.as_ref(), "registries.authority")?;
    }
    let namespace = settings.namespace.clone();
    if section.adopt {
        adopt::at_start(config, &settings, instance, data).await?;
    }
    let executor = KubernetesExecutor::open(settings, instance, Arc::new(SystemClock))
        .await
        .with_context(|| format!("kubernetes: could not take up namespace {namespace}"))?;
    let name = format!("kubernetes {}", executor.place());
    let former = Some(format!("kubernetes {}", executor.place_by_name()));
    Ok(Place { executor: Arc::new(executor), agents: AgentsListener::Network(listener, tls), name, former })
}

fn agents_socket(path: &Path) -> anyhow::Result<UnixListener> {
    // The store's lock says that no other server uses this folder: what is left is from a killed one.
    let _ = std::fs::remove_file(path);
    UnixListener::bind(path).with_context(|| {
        format!("data: could not listen on {}; Unix sockets need a path of at most 107 bytes", path.display())
    })
}

/// The same socket under a second name, in a folder that is mounted into containers, whose users are others. On this machine
/// nobody else reaches it: the folder of the data is the server's.
fn show_to_containers(socket: &Path, folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    std::fs::set_permissions(socket, Permissions::from_mode(0o666))?;
    let shown = folder.join("agents.sock");
    match std::fs::remove_file(&shown) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => std::fs::hard_link(socket, shown),
    }
}

fn local_config(config: &Config, data: &Path, files: Raised) -> anyhow::Result<LocalConfig> {
    let program = std::env::current_exe().context("could not find this program's own file")?;
    let program_path = program.parent().map(Path::to_owned).unwrap_or_default();
    Ok(LocalConfig {
        folder: data.join("attempts"),
        agent: agent_beside(&program).unwrap_or(AgentCommand { program, args: vec!["agent".into()] }),
        socket: data.join("agents.sock"),
        capacity: capacity(config),
        grace: Duration::from_secs(config.jobs.grace_seconds),
        secrets: config.local.secrets.clone(),
        program_path,
        open_files: files.before,
        containers: None,
    })
}

/// The agent's own program, if it lies beside this one and is of the same build: it starts in a quarter of the time and
/// takes a third of the memory.
fn agent_beside(own: &Path) -> Option<AgentCommand> {
    let program = own.with_file_name("rutter-agent");
    let told = Command::new(&program).arg("--version").stdin(Stdio::null()).output().ok()?;
    let same = told.stdout == format!("rutter-agent {}\n", rutter_agent::BUILD).as_bytes();
    if !same {
        tracing::warn!(program = %program.display(), "not used as the agent: it is of another build than this program");
    }
    same.then_some(AgentCommand { program, args: Vec::new() })
}

/// What jobs may use of this machine; the server itself and the rest of the system keep a tenth of the memory.
pub(crate) fn capacity(config: &Config) -> Capacity {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let info = rustix::system::sysinfo();
    let machine = info.totalram as u64 * u64::from(info.mem_unit);
    Capacity {
        cpu_milli: config.local.cpus.map_or(cores as u64 * 1000, milli),
        memory_bytes: config.local.memory.map_or(machine / 10 * 9, gigabytes),
    }
}
