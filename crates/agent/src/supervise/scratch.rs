//! Space on disk: inputs, work and outputs together. Over its own limit the kubelet ends a pod without grace and
//! without its log, so the agent looks itself and ends the command a little earlier.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use crate::folders::Folders;

const PAUSE: Duration = Duration::from_secs(1);
/// A look may cost this part of the time between two looks.
const COST: u32 = 20;
/// Entries that one look counts; a tree with more is taken to be at least as large as what was counted.
const MOST_ENTRIES: usize = 500_000;

/// Bytes at which the command is ended: 95 % of the limit.
pub(crate) fn threshold(limit: u64) -> u64 {
    limit - limit / 20
}

/// Looks again and again; returns when the threshold is passed, never without a limit.
pub(crate) async fn passed(limit: Option<u64>, folders: Folders) {
    let Some(limit) = limit else { return std::future::pending().await };
    let mut pause = PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        let started = Instant::now();
        let look = folders.clone();
        // A large tree on a slow disk must not hold up anything else.
        let size = tokio::task::spawn_blocking(move || size(&look)).await.unwrap_or(0);
        if size > threshold(limit) {
            return;
        }
        pause = PAUSE.max(started.elapsed() * COST);
    }
}

/// Bytes that the attempt takes on disk; holes in files take none.
pub(crate) fn size(folders: &Folders) -> u64 {
    let mut left = MOST_ENTRIES;
    [&folders.inputs, &folders.work, &folders.outputs, &folders.stdout]
        .map(|path| of(path, &mut left))
        .iter()
        .sum()
}

fn of(path: &Path, left: &mut usize) -> u64 {
    let mut bytes = 0;
    let mut look: Vec<PathBuf> = vec![path.to_owned()];
    while let Some(path) = look.pop() {
        let Ok(entry) = std::fs::symlink_metadata(&path) else { continue };
        bytes += entry.blocks() * 512;
        if !entry.is_dir() {
            continue;
        }
        for child in std::fs::read_dir(&path).into_iter().flatten().flatten() {
            if *left == 0 {
                return bytes;
            }
            *left -= 1;
            look.push(child.path());
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_everything_below_and_follows_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders::create(&folder.path().join("a")).unwrap();
        std::fs::create_dir(folders.work.join("deep")).unwrap();
        std::fs::write(folders.work.join("deep/x"), vec![1; 100_000]).unwrap();
        std::fs::write(folders.outputs.join("y"), vec![1; 50_000]).unwrap();
        std::fs::write(folder.path().join("outside"), vec![1; 10_000_000]).unwrap();
        std::os::unix::fs::symlink(folder.path(), folders.work.join("link")).unwrap();
        let size = size(&folders);
        assert!((150_000..2_000_000).contains(&size), "{size}");
    }
}
