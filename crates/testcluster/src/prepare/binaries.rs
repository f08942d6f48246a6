//! Kubernetes and etcd, built from the modules pinned in `go/`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sha2::{Digest as _, Sha256};

use crate::{
    error::{Error, io},
    layout::hex,
    run,
};

/// Must be the version in `go/kubernetes/go.mod`; the programs report it.
const VERSION: &str = "v1.34.4";
const FILES: [&str; 4] = ["kubernetes/go.mod", "kubernetes/go.sum", "etcd/go.mod", "etcd/go.sum"];

/// The folder with the programs; they are built unless they stand there already.
pub(super) fn build(cache: &Path) -> Result<PathBuf, Error> {
    let folder = cache.join(key()?);
    if folder.is_dir() {
        return Ok(folder);
    }
    eprintln!("building Kubernetes {VERSION} and etcd: about ten minutes on two cores, once");
    // Built beside and renamed: a build that was killed leaves nothing that looks finished.
    let new = folder.with_extension("new");
    if new.exists() {
        fs::remove_dir_all(&new).map_err(io(format!("remove {}", new.display())))?;
    }
    fs::create_dir_all(&new).map_err(io(format!("make {}", new.display())))?;
    compile("etcd", "-s -w", &new.join("etcd"), "go.etcd.io/etcd/server/v3")?;
    compile("kubernetes", &flags(), &new.join("."), "tool")?;
    fs::rename(&new, &folder).map_err(io(format!("rename {}", new.display())))?;
    Ok(folder)
}

fn compile(module: &str, ldflags: &str, to: &Path, what: &str) -> Result<(), Error> {
    let mut go = Command::new("go");
    go.args(["build", "-trimpath", "-ldflags", ldflags, "-o"]).arg(to).arg(what);
    go.current_dir(modules().join(module)).env("CGO_ENABLED", "0");
    if Command::new("go").arg("version").stdout(Stdio::null()).status().is_err() {
        return Err(Error::NoGo);
    }
    run::output(&mut go, None).map(drop)
}

/// Without them the version reads v0.0.0-master.
fn flags() -> String {
    let mut parts = VERSION.trim_start_matches('v').split('.');
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let at = "-X k8s.io/component-base/version";
    format!("-s -w {at}.gitVersion={VERSION} {at}.gitMajor={major} {at}.gitMinor={minor}")
}

fn key() -> Result<String, Error> {
    let mut hash = Sha256::new();
    for file in FILES {
        let path = modules().join(file);
        hash.update(fs::read(&path).map_err(io(format!("read {}", path.display())))?);
    }
    Ok(hex(&hash.finalize())[..16].to_owned())
}

fn modules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("go")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reported_version_is_the_pinned_one() {
        let module = fs::read_to_string(modules().join("kubernetes/go.mod")).unwrap();
        assert!(module.contains(&format!("k8s.io/kubernetes {VERSION}")));
        assert!(flags().ends_with("gitMajor=1 -X k8s.io/component-base/version.gitMinor=34"));
    }
}
