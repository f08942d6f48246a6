//! `cargo xtask test`: everything that must hold, in the order in which it fails fastest.

use std::process::Command;

use anyhow::Context;

use crate::{
    blocks, demo, deployed,
    dist::{self, TestImage},
    lint, python, shell,
};

pub(crate) fn run(full: bool) -> anyhow::Result<()> {
    install()?;
    lint::run()?;
    shell::run(&["cargo", "build", "--package", "rutter"])?;
    let mut tests =
        shell::command(&["cargo", "test", "--workspace", "--no-fail-fast", "--", "--test-threads=4"]);
    let image = dist::test_image()?;
    tell(&mut tests, &image);
    shell::run_command(&mut tests)?;
    python::clients()?;
    blocks::readme().context("a block of README.md does not do what it says")?;
    if rutter_testcluster::usable()? {
        deployed::run(Some(image.archive.clone())).context("docs/kubernetes.md does not do what it says")?;
    }
    if full { slow(&image) } else { Ok(()) }
}

/// Some tests, with all that they need.
pub(crate) fn only(arguments: &[String]) -> anyhow::Result<()> {
    install()?;
    shell::run(&["cargo", "build", "--package", "rutter"])?;
    let mut tests = shell::command(&["cargo", "test"]);
    tell(tests.args(arguments), &dist::test_image()?);
    shell::run_command(&mut tests)
}

/// What the tests are about.
fn tell(tests: &mut Command, image: &TestImage) {
    tests.env("RUTTER_BINARY", shell::target().join("debug/rutter"));
    tests.env("RUTTER_STATIC_AGENT", &image.agent);
    tests.env("RUTTER_IMAGE", &image.archive);
}

/// What is too slow for every change: the flood of a large model, faults around fifty jobs on a cluster, the demo, and the
/// way of docs/kubernetes.md again, with programs built as those that are shipped.
fn slow(image: &TestImage) -> anyhow::Result<()> {
    shell::run(&["cargo", "run", "--release", "--package", "rutter-examples", "--example", "big"])?;
    if rutter_testcluster::usable()? {
        let mut storm = shell::command(&["cargo", "test", "--package", "rutter-e2e", "--test", "storm"]);
        tell(&mut storm, image);
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
    shell::need("gfortran", "gfortran make")?;
    if rutter_testcluster::usable()? {
        // Here, not in the first test that needs it: the first time it takes minutes.
        rutter_testcluster::prepare()?;
    }
    Ok(())
}
