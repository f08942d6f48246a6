//! The folders and files of one attempt, all below the folder that the executor gives.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Name of the folder for temporary files inside the work directory; outputs are not looked for in it.
pub(crate) const TEMPORARY: &str = ".tmp";

/// Where things of an attempt are.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    pub(crate) root: PathBuf,
    pub(crate) inputs: PathBuf,
    pub(crate) outputs: PathBuf,
    pub(crate) work: PathBuf,
    pub(crate) temporary: PathBuf,
    pub(crate) progress: PathBuf,
    pub(crate) failure: PathBuf,
    pub(crate) inputs_file: PathBuf,
    pub(crate) stdout: PathBuf,
    pub(crate) printed: PathBuf,
}

impl Folders {
    /// Makes them, readable by this user only.
    pub(crate) fn create(root: &Path) -> io::Result<Self> {
        let folders = Self {
            root: root.to_owned(),
            inputs: root.join("in"),
            outputs: root.join("out"),
            work: root.join("work"),
            temporary: root.join("work").join(TEMPORARY),
            progress: root.join("progress"),
            failure: root.join("failure"),
            inputs_file: root.join("inputs.json"),
            stdout: root.join("stdout"),
            printed: root.join("printed"),
        };
        for folder in [&folders.inputs, &folders.outputs, &folders.work, &folders.temporary] {
            make(folder)?;
        }
        std::fs::write(&folders.progress, b"")?;
        Ok(folders)
    }
}

/// Makes a folder and those above it, mode 0700; one that is there is taken as it is.
pub(crate) fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Whether a text may be used as one component of a path.
pub(crate) fn is_safe_component(name: &str) -> bool {
    let bad = |c: char| c == '/' || c.is_control();
    !name.is_empty() && name.len() <= 255 && name != "." && name != ".." && !name.contains(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components() {
        for bad in ["", ".", "..", "a/b", "a\0", "a\nb", &"x".repeat(256)] {
            assert!(!is_safe_component(bad), "{bad:?}");
        }
        for good in ["a", "...", "dem 1.tif", "ü", "..a", "-rf"] {
            assert!(is_safe_component(good), "{good:?}");
        }
    }
}
