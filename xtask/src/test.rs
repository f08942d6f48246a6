//! `cargo xtask test`: everything that must hold, in the order in which it fails fastest.

use std::{path::Path, process::Command};

use anyhow::Context;

use crate::{blocks, demo, deployed, dist, lint, python, shell};

pub(crate) fn run(full: bool) -> anyhow::Result<()> {
    install()?;
    lint::run()?;
    shell::run(&["cargo", "build", "--package", "rutter"])?;
    let mut tests =
        shell::command(&["cargo", "test", "--workspace", "--no-fail-fast", "--", "--test-threads=4"]);
    let agent = dist::program("rutter-agent", "dev")?;
    tell(&mut tests, &agent);
    shell::run_command(&mut tests)?;
    python::clients()?;
    blocks::readme().context("a block of README.md does not do what it says")?;
    if full { slow(&agent) } else { Ok(()) }
}

/// What the tests are about.
fn tell(tests: &mut Command, agent: &Path) {
    tests.env("RUTTER_BINARY", shell::target().join("debug/rutter"));
    tests.env("RUTTER_STATIC_AGENT", agent);
}

/// What is too slow for every change: the flood of a large model, faults around fifty jobs on a cluster, the demo, and the
/// way of docs/kubernetes.md with the programs as they are shipped.
fn slow(agent: &Path) -> anyhow::Result<()> {
    shell::run(&["cargo", "run", "--release", "--package", "rutter-examples", "--example", "big"])?;
    if rutter_testcluster::usable()? {
        let mut storm = shell::command(&["cargo", "test", "--package", "rutter-e2e", "--test", "storm"]);
        tell(&mut storm, agent);
        shell::run_command(&mut storm)?;
    }
    demo::run(&["--once".into(), "--listen".into(), "127.0.0.1:0".into()])?;
    deployed::run(None)
}

/// What tests start: a proxy, a browser, Python's virtual environments, a container engine, Kubernetes.
fn install() -> anyhow::Result<()> {
    shell::need("nginx", "nginx-light")?;
    shell::need("curl", "curl")?;
    shell::need("python3", "python3 python3-venv")?;
    shell::need("podman", "podman runc")?;
    if rutter_testcluster::usable()? {
        // Here, not in the first test that needs it: the first time it takes minutes.
        rutter_testcluster::prepare()?;
    }
    Ok(())
}
