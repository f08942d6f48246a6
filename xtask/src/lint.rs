//! `cargo xtask lint`: formatting, lints, dependency policy, generated files.

use anyhow::Context;

use crate::{schemas, shell};

pub(crate) fn run() -> anyhow::Result<()> {
    shell::run(&["cargo", "fmt", "--all", "--check"]).context("run `cargo fmt --all`")?;
    shell::run(&["cargo", "clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    dependency_policy()?;
    schemas::check()
}

/// Licences, sources and the crates that must not come in (deny.toml); advisories need a network that CI may lack.
fn dependency_policy() -> anyhow::Result<()> {
    let program = shell::cache()?.join("bin/cargo-deny");
    if !program.is_file() {
        let root = shell::cache()?;
        let root = root.to_str().context("the cache folder's name is no UTF-8")?;
        shell::run(&["cargo", "install", "--quiet", "--locked", "--root", root, "cargo-deny@0.20.2"])?;
    }
    shell::run_command(
        std::process::Command::new(program)
            .args(["--all-features", "check", "bans", "licenses", "sources"])
            .current_dir(shell::root()),
    )
}
