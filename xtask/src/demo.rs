//! `cargo xtask demo`: build, then `rutter demo`.

use crate::shell;

pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    shell::run(&["cargo", "build", "--release", "--package", "rutter"])?;
    let program = shell::target().join("release/rutter");
    shell::run_command(std::process::Command::new(program).arg("demo").args(args).current_dir(shell::root()))
}
