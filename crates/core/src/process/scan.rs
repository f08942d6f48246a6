//! Finds package files in folders and tells whether one has changed.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// A package file that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// As it is reached from the folder that was named.
    pub(super) path: PathBuf,
    /// What changes when the file does.
    pub(super) stamp: Stamp,
}

/// What changes when a file does. The target is part of it: Kubernetes publishes a changed ConfigMap by turning one
/// symbolic link, and leaves times and sizes alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    target: PathBuf,
    modified: (i64, i64),
    changed: (i64, i64),
    size: u64,
    inode: (u64, u64),
}

impl Stamp {
    /// Of the file that a path leads to, through all links.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let target = path.canonicalize()?;
        let meta = fs::metadata(&target)?;
        Ok(Self {
            target,
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
            size: meta.size(),
            inode: (meta.dev(), meta.ino()),
        })
    }
}

/// Package files of a folder in order of their paths: `*.yaml`, `*.yml` and `*.json` in it, and `package.*` in its
/// folders. Names that start with a dot are passed over: editors' files, and `..data` of ConfigMaps.
///
/// # Errors
/// The folder itself can't be read. Files that vanish meanwhile are not there.
pub(super) fn folder(folder: &Path) -> io::Result<Vec<Found>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if is_hidden(&path) {
            continue;
        }
        match fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => paths.extend(package_of(&path)),
            Ok(meta) if meta.is_file() && has_extension(&path) => paths.push(path),
            _ => {}
        }
    }
    paths.sort();
    let mut found = Vec::with_capacity(paths.len());
    for path in paths {
        match Stamp::of(&path) {
            Ok(stamp) => found.push(Found { path, stamp }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The package file of a folder of its own.
pub(super) fn package_of(folder: &Path) -> Option<PathBuf> {
    EXTENSIONS
        .iter()
        .map(|extension| folder.join("package").with_extension(extension))
        .find(|path| path.is_file())
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn has_extension(path: &Path) -> bool {
    path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known))
}
