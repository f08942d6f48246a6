//! `cargo xtask bench`: builds the server as it is shipped and measures it against references in the same run.

use std::process::Command;

use crate::{dist, shell};

/// Where jobs run that are measured.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Where {
    /// On this machine.
    Local,
    /// On the Kubernetes of the tests.
    Kube,
}

/// Build, measure with so many stored jobs, print the table.
pub(crate) fn run(place: Where, jobs: u64) -> anyhow::Result<()> {
    let built = dist::build()?;
    shell::run(&["cargo", "build", "--release", "--package", "rutter-bench"])?;
    let mut bench = Command::new(shell::target().join("release/rutter-bench"));
    bench.arg("--rutter").arg(built.server).arg("--agent").arg(built.agent);
    if place == Where::Kube {
        bench.arg("--kube");
    }
    shell::run_command(bench.args(["--jobs", &jobs.to_string()]).current_dir(shell::root()))
}
