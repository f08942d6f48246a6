//! What a cluster stands on: Debian packages, and Kubernetes and etcd built from pinned Go modules into a cache.

mod binaries;
mod packages;

use std::{fs::File, io::Write as _, path::PathBuf};

use crate::{
    error::{Error, io},
    layout,
};

pub(crate) use packages::busybox;

/// Install and build what is missing. The first time on a machine it takes minutes, afterwards none.
pub fn prepare() -> Result<(), Error> {
    programs().map(drop)
}

/// Whether a cluster can be had here. Without root there is none: a line on stderr says so, and under `CI=true` it is an error.
pub fn usable() -> Result<bool, Error> {
    if rustix::process::geteuid().is_root() {
        return Ok(true);
    }
    if std::env::var_os("CI").is_some_and(|ci| ci == "true") {
        return Err(Error::NotRoot);
    }
    // Not `eprintln!`, which a test that passes swallows.
    let line = format!("NOT TESTED: {}\n", Error::NotRoot);
    let _ = std::io::stderr().write_all(line.as_bytes());
    Ok(false)
}

/// The folder of the built programs, after installing and building what is missing.
pub(crate) fn programs() -> Result<PathBuf, Error> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::NotRoot);
    }
    let cache = layout::cache()?.join("kubernetes");
    std::fs::create_dir_all(&cache).map_err(io(format!("make {}", cache.display())))?;
    let path = cache.join("lock");
    let lock = File::create(&path).map_err(io(format!("make {}", path.display())))?;
    // Two test runs on a fresh machine must not install and build twice.
    lock.lock().map_err(io(format!("lock {}", path.display())))?;
    packages::install()?;
    binaries::build(&cache)
}
