//! Files that a program left, opened so that nothing leads out of its folder: no link is followed in any component,
//! and only plain files are read. All its processes have ended, so what was looked at stays what it is.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat, openat2};
use rustix::io::Errno;

/// Why something is no output: a fragment such as `is a symbolic link`.
#[derive(Debug)]
pub(crate) struct Unusable(pub(crate) String);

/// A folder below which things are opened.
#[derive(Debug)]
pub(crate) struct Root(OwnedFd);

impl Root {
    /// Opens `name` in the attempt's folder.
    pub(super) fn open(folder: &Path, name: &str) -> Result<Self, Unusable> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = open(folder.join(name), flags, Mode::empty());
        let reason = |errno: Errno| Unusable(format!("can't be looked for: '{name}' {}", why(errno)));
        opened.map(Self).map_err(reason)
    }

    /// What stands at a path, itself and not what it links to.
    pub(super) fn kind(&self, path: &Path) -> Result<FileType, Unusable> {
        let opened = self.beneath(path, OFlags::PATH);
        let found = opened.and_then(|file| fstat(&file)).map_err(|errno| Unusable(why(errno)))?;
        Ok(FileType::from_raw_mode(found.st_mode))
    }

    pub(super) fn is_directory(&self, path: &Path) -> bool {
        matches!(self.kind(path), Ok(FileType::Directory))
    }

    /// Opens a plain file.
    pub(super) fn open_file(&self, path: &Path) -> Result<File, Unusable> {
        // Looked at before it is opened: opening a device may do something.
        if let Some(reason) = refusal(self.kind(path)?) {
            return Err(Unusable(reason.to_owned()));
        }
        let opened = self.beneath(path, OFlags::RDONLY | OFlags::NONBLOCK);
        let file = File::from(opened.map_err(|errno| Unusable(why(errno)))?);
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        if is_file { Ok(file) } else { Err(Unusable("is no plain file".to_owned())) }
    }

    /// Opens a directory to list it.
    pub(super) fn open_directory(&self, path: &Path) -> Result<OwnedFd, Unusable> {
        self.beneath(path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(|errno| Unusable(why(errno)))
    }

    fn beneath(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match openat2(&self.0, path, flags, Mode::empty(), resolve) {
            // Old kernels and strict sandboxes know no openat2.
            Err(Errno::NOSYS | Errno::PERM) => self.step_by_step(path, flags),
            opened => opened,
        }
    }

    fn step_by_step(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut at = openat(&self.0, ".", folder, Mode::empty())?;
        let mut rest = path.components().filter(|component| *component != Component::CurDir).peekable();
        while let Some(component) = rest.next() {
            let Component::Normal(name) = component else { return Err(Errno::XDEV) };
            if rest.peek().is_none() {
                return openat(&at, name, flags, Mode::empty());
            }
            at = openat(&at, name, folder, Mode::empty())?;
        }
        openat(&at, ".", flags, Mode::empty())
    }
}

fn why(errno: Errno) -> String {
    match errno {
        Errno::LOOP => "is or goes through a symbolic link".to_owned(),
        Errno::NOTDIR => "is no directory".to_owned(),
        Errno::XDEV => "leads out of its folder".to_owned(),
        Errno::ACCESS => "can't be read: permission denied".to_owned(),
        Errno::NOENT => "is missing".to_owned(),
        other => format!("can't be read: {}", io::Error::from(other)),
    }
}

/// Why something of this type is no output.
pub(super) fn refusal(kind: FileType) -> Option<&'static str> {
    match kind {
        FileType::RegularFile | FileType::Directory => None,
        FileType::Symlink => Some("is a symbolic link"),
        FileType::Fifo => Some("is a FIFO"),
        FileType::Socket => Some("is a socket"),
        FileType::BlockDevice | FileType::CharacterDevice => Some("is a device"),
        FileType::Unknown => Some("is no plain file"),
    }
}

/// A path and its type.
pub(super) type Entry = (PathBuf, FileType);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_keep_inside() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("out/deep")).unwrap();
        std::fs::write(folder.path().join("out/deep/x"), "x").unwrap();
        std::fs::write(folder.path().join("secret"), "s").unwrap();
        std::os::unix::fs::symlink("..", folder.path().join("out/up")).unwrap();
        let root = Root::open(folder.path(), "out").unwrap();
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        assert!(root.open_file(Path::new("deep/x")).is_ok());
        assert!(root.step_by_step(Path::new("./deep/x"), flags).is_ok());
        for bad in ["up/secret", "../secret", "/etc/passwd", "deep/../../secret"] {
            assert!(root.open_file(Path::new(bad)).is_err(), "{bad}");
            assert!(root.step_by_step(Path::new(bad), flags).is_err(), "{bad}");
        }
    }
}
