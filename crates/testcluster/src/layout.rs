//! Where a cluster keeps what: one folder below the cache, and a control group named after it.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use crate::error::{Error, io};

/// The node's address, the same in every cluster: pods reach what listens here or on all addresses.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 1);

/// The folder of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) folder: PathBuf,
}

impl Layout {
    /// The layout for a name; nothing is made yet.
    pub(crate) fn named(name: &str) -> Result<Self, Error> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > 30 || !name.chars().all(allowed) {
            return Err(Error::Name { name: name.into() });
        }
        Ok(Self { folder: base()?.join(name) })
    }

    /// All clusters of this user, running or left behind.
    pub(crate) fn all() -> Result<Vec<Self>, Error> {
        let base = base()?;
        let entries = fs::read_dir(&base).map_err(io(format!("read {}", base.display())))?;
        let folders = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
        Ok(folders.map(|folder| Self { folder }).collect())
    }

    /// The control group: named after the folder, so that two users' clusters of one name are two.
    pub(crate) fn cgroup(&self) -> String {
        format!("rutter-{}", &hex(&Sha256::digest(self.folder.as_os_str().as_encoded_bytes()))[..12])
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.join(name)
    }

    /// For command lines and configuration files.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<(), Error> {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(io(format!("make {}", parent.display())))?;
        }
        fs::write(&path, content).map_err(io(format!("write {}", path.display())))
    }

    /// The end of a component's log.
    pub(crate) fn log_end(&self, component: &str) -> String {
        let text = fs::read(self.path(format!("logs/{component}.log"))).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

/// `~/.cache/rutter`, or what XDG_CACHE_HOME says.
pub(crate) fn cache() -> Result<PathBuf, Error> {
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).ok_or(Error::NoCache)?;
    Ok(base.join("rutter"))
}

/// The folder of all clusters.
pub(crate) fn base() -> Result<PathBuf, Error> {
    let base = cache()?.join("clusters");
    fs::create_dir_all(&base).map_err(io(format!("make {}", base.display())))?;
    Ok(base)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
