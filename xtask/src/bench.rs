//! `cargo xtask bench`: builds the server as it is shipped and measures it against references in the same run.

use crate::shell;

pub(crate) fn run(jobs: u64) -> anyhow::Result<()> {
    shell::run(&["cargo", "build", "--profile", "dist", "--package", "rutter", "--package", "rutter-bench"])?;
    let folder = shell::target().join("dist");
    shell::run_command(
        std::process::Command::new(folder.join("rutter-bench"))
            .arg("--rutter")
            .arg(folder.join("rutter"))
            .arg("--jobs")
            .arg(jobs.to_string())
            .current_dir(shell::root()),
    )
}
