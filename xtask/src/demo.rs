//! `cargo xtask demo`: build, then `rutter demo`.

use crate::shell;

pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    // Not optimised: the first result counts, and tests use what is built here.
    shell::run(&["cargo", "build", "--package", "rutter"])?;
    let program = shell::target().join("debug/rutter");
    shell::run_command(std::process::Command::new(program).arg("demo").args(args).current_dir(shell::root()))
}
