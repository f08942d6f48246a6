//! `cargo xtask bench`: builds the server as it is shipped and measures it against references in the same run.

use std::process::Command;

use crate::{dist, shell};

/// Build, measure with so many stored jobs, print the table.
pub(crate) fn run(jobs: u64) -> anyhow::Result<()> {
    let built = dist::build()?;
    shell::run(&["cargo", "build", "--release", "--package", "rutter-bench"])?;
    let mut bench = Command::new(shell::target().join("release/rutter-bench"));
    bench.arg("--rutter").arg(built.server).arg("--agent").arg(built.agent);
    shell::run_command(bench.args(["--jobs", &jobs.to_string()]).current_dir(shell::root()))
}
