//! `rutter serve`: reads the configuration, opens the installation, and runs everything until it is asked to stop.

use std::{
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Args;
use jiff::SignedDuration;
use rutter_core::{
    archive,
    clock::{Clock, SystemClock},
    engine::{Engine, Settings},
    id::InstanceId,
    logs::Logs,
    plan::{Needs, PlanDefaults},
    process::{Registry, UnitKinds},
    reconcile::{self, Ingredients, Reconciler},
    results::Objects,
    retention,
    store::StoreError,
};
use rutter_server::AgentsListener;
use rutter_store::SqliteStore;
use rutter_types::agent::{FetchPolicy, Limits};
use serde_json::{Map, Value, json};
use tokio::{net::TcpListener, sync::watch};

use crate::{
    config::{Auth, Config, ExecutorKind, OnExceed},
    files::{self, Raised},
    log_bucket, low_port,
    place::{self, Place},
    pygeoapi,
};

/// Folder for packages made from a file of pygeoapi, in the data folder.
const CONVERTED: &str = "pygeoapi";
/// How long a start waits for the address and the lock of a server that was killed.
const HANDOVER: Duration = Duration::from_secs(2);
const HANDOVER_PAUSE: Duration = Duration::from_millis(20);

/// Arguments of `rutter serve`; they beat the environment, which beats the file.
#[derive(Args, Debug, Default)]
pub(crate) struct ServeArgs {
    /// Configuration file; ./rutter.yaml or /etc/rutter/rutter.yaml when it exists.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Address and port [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<String>,
    /// Folder of everything that must stay [default: ./rutter-data].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// pygeoapi's configuration file, whose processes and settings are taken [env: PYGEOAPI_CONFIG].
    #[arg(long, value_name = "FILE")]
    pub(crate) pygeoapi: Option<PathBuf>,
    /// Folder of application packages [default: ./processes]; may be given several times.
    #[arg(long, value_name = "DIR")]
    pub(crate) processes: Vec<PathBuf>,
}

/// Run the server.
pub(crate) fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let config = configuration(args)?;
    crate::logging::start(&config.log)?;
    runtime()?.block_on(async {
        if let Some(theirs) = &config.pygeoapi {
            pygeoapi::tell(theirs);
        }
        let server = Server::open(&config).await?;
        let address = server.address;
        tracing::info!("listening on http://{address}/");
        server.run(stop_signal()).await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// The runtime that servers run in.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("another TLS provider was installed before"))?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("could not start the runtime")
}

pub(crate) fn configuration(args: ServeArgs) -> anyhow::Result<Config> {
    let file = args.config.or_else(crate::config::usual_file);
    let mut flags = Map::new();
    if let Some(listen) = args.listen {
        flags.insert("server".into(), json!({ "listen": listen }));
    }
    if let Some(data) = args.data {
        flags.insert("data".into(), json!(std::path::absolute(data)?));
    }
    if !args.processes.is_empty() {
        let folders = args.processes.iter().map(std::path::absolute).collect::<Result<Vec<_>, _>>()?;
        flags.insert("processes".into(), json!(folders));
    }
    let flags = Value::Object(flags);
    let Some(theirs) = pygeoapi::file(args.pygeoapi) else {
        return Ok(crate::config::load(file.as_deref(), std::env::vars(), flags)?);
    };
    let taken = pygeoapi::read(&theirs)?;
    let settings = pygeoapi::settings(&taken);
    let mut config = crate::config::load_upon(settings, file.as_deref(), std::env::vars(), flags)?;
    config.pygeoapi = Some(pygeoapi::taken(theirs, taken));
    Ok(config)
}

/// Resolves when somebody asks the server to stop.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("no signals can be received; stop the server with SIGKILL, which loses nothing");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// An opened installation, ready to serve.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    listener: TcpListener,
    agents: AgentsListener,
    engine: Engine,
    reconciler: Reconciler,
    registry: Arc<Registry>,
    config: rutter_server::ServerConfig,
    data: PathBuf,
}

impl Server {
    /// Open data folder, store, packages and sockets. Nothing runs yet.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Self> {
        check_access(config)?;
        let files = files::raise();
        let data = std::path::absolute(config.data.clone().unwrap_or_else(|| "rutter-data".into()))?;
        make_folder(&data)?;
        for folder in ["objects", "logs", "attempts"] {
            make_folder(&data.join(folder))?;
        }
        let listener = listen(&config.server.listen).await?;
        let address = listener.local_addr()?;
        if let Some(text) = config.server.blind_links(address) {
            tracing::warn!("{text}");
        }
        let store = Arc::new(open_store(&data).await?);
        let objects = Objects::in_folder(&data.join("objects"))?;
        let containers = place::containers(config);
        let runs = place::runs(config, &containers);
        let settings = settings(config, address.ip().is_loopback(), runs.kinds);
        let keys_from = settings.keys_from(SystemClock.now());
        let instance = archive::open_as(store.as_ref(), &objects, keys_from, new_instance(config)).await?;
        let mut folders = package_folders(config)?;
        if let Some(theirs) = &config.pygeoapi {
            let folder = data.join(CONVERTED);
            pygeoapi::write(&folder, &theirs.processes)?;
            folders.push(folder);
        }
        let registry = Arc::new(Registry::load(folders, runs));
        let place = Place::open(config, &data, files, instance, containers.ok()).await?;
        archive::settle(store.as_ref(), &objects, &place.name, place.former.as_deref()).await?;
        let records = place.executor.records().await.context("kubernetes.recordsOnJobs")?;
        let found = archive::take_up(store.as_ref(), &records).await?;
        if found > 0 {
            tracing::info!(jobs = found, "jobs were taken up from what stands on their Jobs in the cluster");
        }
        let mut logs = Logs::new(&data.join("logs"), objects.clone());
        if let Some(copies) = log_bucket::open(config)? {
            logs = logs.copied_to(copies);
        }
        let ingredients = Ingredients {
            instance,
            store,
            executor: place.executor,
            objects,
            logs,
            clock: Arc::new(SystemClock),
            registry: registry.clone(),
            settings,
        };
        let (engine, reconciler) = reconcile::assemble(ingredients);
        engine.take_up_removals().await?;
        let config = server_config(config, address, files)?;
        Ok(Self { address, listener, agents: place.agents, engine, reconciler, registry, config, data })
    }

    /// Serve until `stop` resolves; requests in progress are finished, running commands go on.
    pub(crate) async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
        // Requests that wait for a job need all the rest until they are answered: so that stops after them.
        let (stopping, serving_stops) = watch::channel(false);
        let (ending, stopped) = watch::channel(false);
        let mut background = tokio::task::JoinSet::new();
        background.spawn(self.reconciler.run(stopped.clone()));
        background.spawn(self.registry.clone().watch());
        let data = self.data.clone();
        background.spawn(retention::run(self.engine.clone(), move || disk_share(&data), stopped.clone()));
        let state = rutter_server::AppState::new(self.engine, self.registry, self.config);
        background.spawn(rutter_server::callbacks::run(state.clone(), stopped.clone()));
        background.spawn(serve_agents(self.agents, state.clone(), stopped));
        let serving = tokio::spawn(rutter_server::serve(self.listener, state, serving_stops));
        stop.await;
        tracing::info!("stopping: requests are finished, running commands go on without the server");
        let _ = stopping.send(true);
        serving.await?;
        let _ = ending.send(true);
        background.shutdown().await;
        Ok(())
    }
}

/// Invariant of access: what the world reaches is guarded, or somebody wrote that it need not be.
fn check_access(config: &Config) -> anyhow::Result<()> {
    let address: SocketAddr = config.server.listen.parse()?;
    if !address.ip().is_loopback() && config.server.auth.is_none() {
        bail!(
            "server.listen: {address} can be reached from other machines and nobody is authenticated; set \
             server.auth.tokenFile, or write `auth: none` if everybody who reaches it may run programs here"
        );
    }
    Ok(())
}

async fn listen(address: &str) -> anyhow::Result<TcpListener> {
    let bound = handed_over(
        async || low_port::listen(address).await,
        |error: &std::io::Error| error.kind() == std::io::ErrorKind::AddrInUse,
    );
    bound.await.map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::PermissionDenied if low_port::is_low(address) => {
                "allow the capability NET_BIND_SERVICE, lower the machine's net.ipv4.ip_unprivileged_port_start"
            }
            _ => "stop what uses it",
        };
        let what = format!("server.listen: could not listen on {address}; {remedy}, or name another with --listen");
        anyhow::Error::new(error).context(what)
    })
}

pub(crate) async fn open_store(data: &Path) -> anyhow::Result<SqliteStore> {
    let opened = handed_over(
        async || SqliteStore::open(data),
        |error: &StoreError| matches!(error, StoreError::Taken { .. }),
    );
    Ok(opened.await?)
}

/// Take what one server at a time may have; one that is not free at once may be free soon.
///
/// An agent that a killed server was just starting has copies of its socket and of its lock until it is a program of
/// its own: without patience a start right after a crash would be refused.
async fn handed_over<T, E>(
    mut take: impl AsyncFnMut() -> Result<T, E>,
    is_held: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let until = tokio::time::Instant::now() + HANDOVER;
    loop {
        match take().await {
            Err(error) if is_held(&error) && tokio::time::Instant::now() < until => {
                tokio::time::sleep(HANDOVER_PAUSE).await;
            }
            taken => return taken,
        }
    }
}

fn make_folder(path: &Path) -> anyhow::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(|| {
        let path = path.display();
        format!("data: could not make the folder {path}; name one that may be written with --data or `data`")
    })
}

/// What a new installation is called. Where nothing of it lasts but what stands in the cluster, it must know that as its own
/// after each start.
pub(crate) fn new_instance(config: &Config) -> InstanceId {
    let lasting = config.executor == ExecutorKind::Kubernetes && config.kubernetes.records_on_jobs;
    if !lasting {
        return InstanceId::generate();
    }
    let namespace = config.kubernetes.executor_config(None).namespace;
    let prefix = pygeoapi::job_name_prefix().unwrap_or_default();
    InstanceId::of_name(&format!("{namespace}/{prefix}"))
}

pub(crate) fn package_folders(config: &Config) -> anyhow::Result<Vec<PathBuf>> {
    if config.processes.is_empty() && config.pygeoapi.is_some() {
        return Ok(Vec::new());
    }
    if config.processes.is_empty() {
        return Ok(vec![std::path::absolute("processes")?]);
    }
    Ok(config.processes.clone())
}

async fn serve_agents(
    listener: AgentsListener,
    state: rutter_server::AppState,
    stopped: watch::Receiver<bool>,
) {
    if let Err(error) = rutter_server::serve_agents(listener, state, stopped).await {
        tracing::error!(%error, "agents can't be served: jobs that run go on, and none ends, until the server is started again");
    }
}

pub(crate) fn settings(config: &Config, loopback: bool, units: UnitKinds) -> Settings {
    let jobs = &config.jobs;
    let references = &config.references;
    Settings {
        plan: PlanDefaults {
            needs: Needs {
                cpu_milli: milli(jobs.default_cpus),
                memory_bytes: gigabytes(jobs.default_memory),
            },
            limits: Limits {
                command_seconds: jobs.default_timeout_seconds,
                grace_seconds: jobs.grace_seconds,
                memory_bytes: None,
                scratch_bytes: None,
                output_bytes: jobs.max_output_bytes,
                log_bytes: jobs.max_log_bytes,
                contact_seconds: place::contact_seconds(config),
            },
            fetch: FetchPolicy {
                max_bytes: references.max_bytes,
                idle_seconds: references.idle_timeout,
                max_redirects: references.max_redirects,
                private_networks: loopback,
                allow: references.allow.clone(),
            },
        },
        units,
        grace: Duration::from_secs(jobs.grace_seconds),
        keep: SignedDuration::from_secs_f64(jobs.keep_days * 86400.0),
        keep_keys: SignedDuration::from_secs_f64(jobs.idempotency_hours * 3600.0),
        keep_tombstones: SignedDuration::from_hours(24 * 90),
        disk_share: jobs.max_disk_percent / 100.0,
    }
}

/// Share of the disk in use, as `df` tells it.
fn disk_share(folder: &Path) -> Option<f64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    let used = disk.f_blocks.saturating_sub(disk.f_bfree);
    let usable = used + disk.f_bavail;
    (usable > 0).then(|| used as f64 / usable as f64)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be positive and small"
)]
pub(crate) fn milli(cores: f64) -> u64 {
    (cores * 1000.0).round().max(1.0) as u64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be positive and small"
)]
pub(crate) fn gigabytes(number: f64) -> u64 {
    (number * 1e9).round() as u64
}

fn server_config(
    config: &Config,
    address: SocketAddr,
    files: Raised,
) -> anyhow::Result<rutter_server::ServerConfig> {
    let server = &config.server;
    let limits = rutter_server::Limits::default();
    let access = match &server.auth {
        None | Some(Auth::None) => rutter_server::Access::Open,
        Some(Auth::TokenFile(path)) => rutter_server::Access::from_token_file(path)
            .with_context(|| format!("server.auth.tokenFile: {}", path.display()))?,
    };
    let theirs = config.pygeoapi.as_ref().and_then(|theirs| theirs.token.as_deref());
    let theirs = theirs.and_then(rutter_server::CallerToken::new);
    let caller_token = server.caller_token_file.as_deref().map(caller_token).transpose()?.or(theirs);
    let public_url = server.public_url.as_deref().map(str::parse).transpose().context("server.publicUrl")?;
    Ok(rutter_server::ServerConfig {
        listen: address,
        public_url,
        trusted_proxies: networks(&server.trusted_proxies)?,
        access,
        caller_token,
        eox_requests: server.eox_requests,
        allowed_origins: server.allowed_origins.clone(),
        title: server.title.clone(),
        description: server.description.clone(),
        language: server.language.clone(),
        pages: rutter_server::Pages {
            usual: server.pages.default_items,
            most: server.pages.max_items,
            refuses: server.pages.on_exceed == OnExceed::Error,
        },
        limits: rutter_server::Limits {
            body_bytes: server.max_body_bytes,
            sync_wait: Duration::from_secs(server.sync_wait_seconds),
            shutdown: Duration::from_secs(server.shutdown_seconds),
            head_timeout: Duration::from_secs(server.idle_seconds),
            send_stall: Duration::from_secs(server.send_stall_seconds),
            connections: limits.connections.min(files::connections(files.now)),
            ..limits
        },
    })
}

fn caller_token(path: &Path) -> anyhow::Result<rutter_server::CallerToken> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("server.callerTokenFile: could not read {}", path.display()))?;
    rutter_server::CallerToken::new(text.trim()).with_context(|| {
        format!("server.callerTokenFile: {} is empty: write the token into it", path.display())
    })
}

/// Networks, or single addresses, as people write them.
fn networks(texts: &[String]) -> anyhow::Result<Vec<ipnet::IpNet>> {
    let network = |text: &String| {
        let address = text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
        address.or_else(|_| text.parse()).with_context(|| {
            format!("server.trustedProxies: {text:?} is no address or network; write one like 10.0.0.0/8")
        })
    };
    texts.iter().map(network).collect()
}
