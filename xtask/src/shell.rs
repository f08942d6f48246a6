//! Runs programs, says which, and fails with what failed.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    // Asked when it runs: several checkouts may share what was built.
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(PathBuf::new, PathBuf::from);
    xtask.parent().map(Path::to_owned).unwrap_or_default()
}

/// A command in the root, by words.
pub(crate) fn command(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(root());
    command
}

/// Run to the end; an error when it fails.
pub(crate) fn run(words: &[&str]) -> anyhow::Result<()> {
    run_command(&mut command(words))
}

/// Run to the end; an error when it fails.
pub(crate) fn run_command(command: &mut Command) -> anyhow::Result<()> {
    println!("+ {command:?}");
    let status = command.status().with_context(|| format!("could not run {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed: {status}");
    }
    Ok(())
}

/// What a program prints.
pub(crate) fn output(words: &[&str]) -> anyhow::Result<String> {
    let output = command(words).output().with_context(|| format!("could not run {words:?}"))?;
    if !output.status.success() {
        bail!("{words:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Whether a program can be started.
pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Install Debian packages when a program is missing; only root can.
pub(crate) fn need(program: &str, package: &str) -> anyhow::Result<()> {
    if has(program) {
        return Ok(());
    }
    println!("{program} is missing: installing the Debian package {package}");
    run(&["apt-get", "update", "-qq"])?;
    run(&[
        &["apt-get", "install", "-y", "-qq", "--no-install-recommends"][..],
        &package.split(' ').collect::<Vec<_>>(),
    ]
    .concat())
    .with_context(|| format!("install {package} yourself: {program} is needed"))
}

/// The folder where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A folder for what tests install, outside the checkout.
pub(crate) fn cache() -> anyhow::Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME is set")?;
    let folder = base.join("rutter");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
