//! Removing folders, one after the other, away from everything else: a work folder may hold a million files.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
};

/// Beginning of the name of a folder that is on its way out.
pub(crate) const GONE: &str = ".gone-";

/// Removes folders in a thread of its own, which ends with it.
#[derive(Debug)]
pub(crate) struct Remover(mpsc::Sender<PathBuf>);

impl Remover {
    pub(crate) fn start() -> io::Result<Self> {
        let (sender, folders) = mpsc::channel::<PathBuf>();
        thread::Builder::new().name("folder-remover".to_owned()).spawn(move || {
            for folder in folders {
                if let Err(error) = remove(&folder) {
                    tracing::warn!(folder = %folder.display(), %error, "could not remove a folder; it is tried again at the next start");
                }
            }
        })?;
        Ok(Self(sender))
    }

    /// Take a folder out of sight at once and remove it later. One that is not there is gone already.
    pub(crate) fn remove(&self, folder: &Path) -> io::Result<()> {
        let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else { return Ok(()) };
        let gone = parent.join(free_name(parent, &name.to_string_lossy()));
        match fs::rename(folder, &gone) {
            Ok(()) => self.finish(gone),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Remove what an earlier run took out of sight.
    pub(crate) fn finish(&self, gone: PathBuf) {
        let _ = self.0.send(gone);
    }
}

/// The same launch may be given up and made again before its first folder is removed.
fn free_name(parent: &Path, name: &str) -> String {
    let numbered = |number: u32| format!("{GONE}{name}.{number}");
    (0..u32::MAX).map(numbered).find(|name| !parent.join(name).exists()).unwrap_or_else(|| numbered(0))
}

/// Remove a tree, folders without write permission included.
fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(folder);
            fs::remove_dir_all(folder)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// A program may have made folders that even we may not change; best effort.
fn open_up(folder: &Path) {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o700));
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        folders.extend(entries.flatten().filter(is_folder).map(|entry| entry.path()));
    }
}
