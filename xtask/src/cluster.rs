//! `cargo xtask cluster`: the Kubernetes of the tests, to play with.

use std::{net::Ipv4Addr, os::unix::process::CommandExt as _, process::Command, time::Instant};

use anyhow::Context;
use clap::Subcommand;
use rutter_testcluster::{ADDRESS, Cluster, Component, Options};

const NAME: &str = "play";

#[derive(Subcommand)]
pub(crate) enum Task {
    /// Start a cluster, in place of one that runs; it stays until `down`.
    Up,
    /// Say what runs.
    Status,
    /// End it; nothing is left.
    Down,
    /// kubectl, as administrator.
    #[command(disable_help_flag = true)]
    Kubectl {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run a program of this machine in the cluster's network, such as the server.
    Run {
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Lead a port of 127.0.0.1 to the same port of 127.0.0.1 in the cluster's network, until Ctrl-C.
    Forward { port: u16 },
    /// kill -9 a component: etcd, apiserver, containerd, controller-manager, scheduler or kubelet.
    Kill { component: Component },
    /// Start a component again, after a kill if it still runs.
    Restart { component: Component },
}

pub(crate) fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Up => up(),
        Task::Status => status(),
        Task::Down => down(),
        Task::Kubectl { args } => become_program(running()?.kubectl_command().args(args)),
        Task::Run { words } => become_program(running()?.command(&words[0]).args(&words[1..])),
        Task::Forward { port } => forward(port),
        Task::Kill { component } => Ok(running()?.kill(component)?),
        Task::Restart { component } => Ok(running()?.restart(component)?),
    }
}

/// Signals and the exit code are the program's own.
fn become_program(command: &mut Command) -> anyhow::Result<()> {
    Err(command.exec()).with_context(|| format!("could not run {command:?}"))
}

fn running() -> anyhow::Result<Cluster> {
    Cluster::find(NAME)?.context("no cluster is running: start one with `cargo xtask cluster up`")
}

fn up() -> anyhow::Result<()> {
    rutter_testcluster::prepare()?;
    let begin = Instant::now();
    let cluster = Cluster::up(Options::new().name(NAME).keep())?;
    println!("Kubernetes is up after {:.1} s.", begin.elapsed().as_secs_f64());
    println!("  kubeconfig   {}", cluster.kubeconfig().display());
    println!("  logs         {}", cluster.folder().join("logs").display());
    println!("  kubectl      cargo xtask cluster kubectl get pods");
    println!("  the server   cargo xtask cluster run target/debug/rutter serve (pods reach {ADDRESS})");
    println!("  a browser    cargo xtask cluster forward 8080");
    println!("  enough       cargo xtask cluster down");
    Ok(())
}

fn status() -> anyhow::Result<()> {
    let Some(cluster) = Cluster::find(NAME)? else {
        println!("No cluster is running.");
        return Ok(());
    };
    println!("Running in {}, kubeconfig {}", cluster.folder().display(), cluster.kubeconfig().display());
    for component in Component::ALL {
        let state = if cluster.is_running(component) { "runs" } else { "is down" };
        println!("  {} {state}", component.name());
    }
    Ok(())
}

fn down() -> anyhow::Result<()> {
    match Cluster::find(NAME)? {
        Some(cluster) => Ok(cluster.down()?),
        None => Ok(()),
    }
}

fn forward(port: u16) -> anyhow::Result<()> {
    let forward = running()?.forward(port, (Ipv4Addr::LOCALHOST, port).into())?;
    println!("http://{}:{port} leads into the cluster's network; Ctrl-C ends it", Ipv4Addr::LOCALHOST);
    loop {
        std::thread::park();
        // The handle is what keeps it going.
        let _ = forward.address();
    }
}
