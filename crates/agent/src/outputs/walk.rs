//! Lists what a program left: bounded in depth and number, and no link is followed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, FileType};

use super::inside::{Entry, Root, Unusable};
use crate::folders::TEMPORARY;

const MOST_ENTRIES: usize = 200_000;
const DEEPEST: usize = 64;

/// The entries of one directory, sorted by name.
pub(super) fn list(root: &Root, folder: &Path) -> Result<Vec<Entry>, Unusable> {
    let failed = |errno: rustix::io::Errno| Unusable(format!("can't be listed: {errno}"));
    let directory = Dir::new(root.open_directory(folder)?).map_err(failed)?;
    let mut entries = Vec::new();
    for entry in directory {
        let entry = entry.map_err(failed)?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let path = folder.join(name);
        let kind = match entry.file_type() {
            FileType::Unknown => root.kind(&path)?,
            known => known,
        };
        entries.push((path, kind));
        if entries.len() > MOST_ENTRIES {
            return Err(too_many());
        }
    }
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(entries)
}

/// Everything below a directory, directories included, in the order of names.
pub(super) fn all(root: &Root, folder: &Path) -> Result<Vec<Entry>, Unusable> {
    let mut found = Vec::new();
    let mut look: Vec<(PathBuf, usize)> = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = look.pop() {
        if depth > DEEPEST {
            return Err(Unusable(format!("lies in folders nested deeper than {DEEPEST}")));
        }
        for (path, kind) in list(root, &folder)? {
            if kind == FileType::Directory && path != Path::new(TEMPORARY) {
                look.push((path.clone(), depth + 1));
            }
            found.push((path, kind));
            if found.len() > MOST_ENTRIES {
                return Err(too_many());
            }
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

fn too_many() -> Unusable {
    Unusable(format!("lies among more than {MOST_ENTRIES} files"))
}
