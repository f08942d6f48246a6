//! Programs from Debian packages.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{error::Error, run};

/// A program or file, and the package that holds it.
const NEEDED: [(&str, &str); 10] = [
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("runc", "runc"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    ("iptables", "iptables"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("openssl", "openssl"),
    ("docker-registry", "docker-registry"),
    ("busybox", "busybox-static"),
];

/// Install the packages of what is missing.
pub(super) fn install() -> Result<(), Error> {
    let missing: Vec<_> = NEEDED.iter().copied().filter(|(program, _)| find(program).is_none()).collect();
    let Some(&(program, package)) = missing.first() else { return Ok(()) };
    if find("apt-get").is_none() {
        return Err(Error::Missing { program, package });
    }
    let packages: Vec<&str> = missing.iter().map(|&(_, package)| package).collect();
    eprintln!("installing the Debian packages {}", packages.join(" "));
    run::output(&mut apt(&["update", "-qq"]), None)?;
    run::output(apt(&["install", "-y", "-qq", "--no-install-recommends"]).args(packages), None)?;
    Ok(())
}

/// The static busybox of this machine.
pub(crate) fn busybox() -> Result<PathBuf, Error> {
    find("busybox").ok_or(Error::Missing { program: "busybox", package: "busybox-static" })
}

fn apt(words: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(["-o", "DPkg::Lock::Timeout=300"]).args(words).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Joined to an absolute path, a folder of PATH is dropped.
    let mut found = std::env::split_paths(&path).map(|folder| folder.join(program));
    found.find(|path| path.is_file() && (program != "busybox" || is_static(path)))
}

/// Debian has a busybox that needs the C library, too: of no use in an image that holds nothing else.
fn is_static(path: &Path) -> bool {
    let program = fs::read(path).unwrap_or_default();
    let interpreter = b"/ld-";
    !program[..program.len().min(4096)].windows(interpreter.len()).any(|bytes| bytes == interpreter)
}
