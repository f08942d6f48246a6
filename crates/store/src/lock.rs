//! One server per data directory (invariant 9): an advisory lock held for life, gone with the process however it ends.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    path::Path,
};

use rustix::fs::{FlockOperation, flock};
use rutter_core::store::StoreError;

/// The lock of a data directory.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// File systems on which neither locks nor SQLite's shared memory can be relied on, by the magic numbers of statfs(2).
const NETWORK: [(u64, &str); 10] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB2"),
    (0x00C3_6400, "Ceph"),
    (0x0BD0_0BD0, "Lustre"),
    (0x5346_414F, "AFS"),
    (0x0102_1997, "9p"),
    (0x4750_4653, "GPFS"),
    (0x786F_4256, "a folder shared by VirtualBox"),
];
/// Through FUSE a local disk as well as one far away may be reached.
const FUSE: u64 = 0x6573_5546;

impl Lock {
    /// Take the lock of a folder.
    pub(crate) fn take(folder: &Path) -> Result<Self, StoreError> {
        refuse_network(folder)?;
        let path = folder.join("lock");
        let open = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = open.map_err(|source| engine("opening its lock", source))?;
        if let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(engine("locking its folder", error.into()));
            }
            let mut text = String::new();
            // Whoever has the lock may be writing its pid just now; then none is named.
            let _ = file.read_to_string(&mut text);
            let pid = text.trim().parse().unwrap_or(0);
            return Err(StoreError::Taken { path: folder.display().to_string(), pid });
        }
        let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(|source| engine("writing its lock", source))?;
        Ok(Self { _file: file })
    }
}

fn refuse_network(folder: &Path) -> Result<(), StoreError> {
    let Ok(found) = rustix::fs::statfs(folder) else { return Ok(()) };
    #[expect(clippy::cast_sign_loss, reason = "a magic number, as wide as the kernel makes it")]
    let magic = found.f_type as u64 & 0xFFFF_FFFF;
    if magic == FUSE {
        tracing::warn!(
            path = %folder.display(),
            "the data directory is on a FUSE file system: if what is behind it is not a local disk, jobs can get lost"
        );
    }
    match network(magic) {
        Some(kind) => Err(StoreError::NetworkFileSystem { path: folder.display().to_string(), kind }),
        None => Ok(()),
    }
}

fn network(magic: u64) -> Option<&'static str> {
    NETWORK.iter().find(|(known, _)| *known == magic).map(|(_, kind)| *kind)
}

pub(crate) fn engine(doing: &'static str, source: std::io::Error) -> StoreError {
    match source.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Engine { doing, source: Box::new(source) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Magic numbers of statfs(2): NFS, CIFS, SMB2, 9p are far away; ext4, XFS, Btrfs, overlay, tmpfs are not.
    #[test]
    fn network_file_systems_are_known() {
        assert!(
            [0x6969, 0xFF53_4D42, 0xFE53_4D42, 0x0102_1997].into_iter().all(|magic| network(magic).is_some())
        );
        let local = [0xEF53, 0x5846_5342, 0x9123_683E, 0x794C_7630, 0x0102_1994, FUSE];
        assert!(local.into_iter().all(|magic| network(magic).is_none()));
    }
}
