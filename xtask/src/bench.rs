//! `cargo xtask bench`: builds the server as it is shipped and measures it against references in the same run.

use std::process::Command;

use crate::shell;

const PACKAGES: [&str; 3] = ["rutter", "rutter-agent", "rutter-bench"];

/// Build, measure with so many stored jobs, print the table.
pub(crate) fn run(jobs: u64) -> anyhow::Result<()> {
    let mut words = vec!["cargo", "build", "--profile", "dist"];
    words.extend(PACKAGES.iter().flat_map(|package| ["--package", package]));
    shell::run(&words)?;
    let folder = shell::target().join("dist");
    let mut bench = Command::new(folder.join("rutter-bench"));
    bench.arg("--rutter").arg(folder.join("rutter")).arg("--agent").arg(folder.join("rutter-agent"));
    shell::run_command(bench.args(["--jobs", &jobs.to_string()]).current_dir(shell::root()))
}
