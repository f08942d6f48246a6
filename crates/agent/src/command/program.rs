//! Which file a command's first word means.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::Error;

/// As the C library looks when `PATH` is not set.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A word with a slash is a path, relative to the package's folder (to the working directory without one); any other is
/// looked up in `PATH`.
pub(super) fn find(
    name: &str,
    package: Option<&Path>,
    directory: &Path,
    path: Option<impl AsRef<OsStr>>,
) -> Result<PathBuf, Error> {
    if name.contains('/') {
        return judge(package.unwrap_or(directory).join(name), name);
    }
    let path = path.as_ref().map_or(OsStr::new(DEFAULT_PATH), |path| path.as_ref());
    let mut refused = Error::NoSuchProgram(name.to_owned());
    for folder in std::env::split_paths(path).filter(|_| !name.is_empty()) {
        match judge(directory.join(folder).join(name), name) {
            Ok(found) => return Ok(found),
            Err(error @ Error::NotExecutable(_)) => refused = error,
            Err(_) => {}
        }
    }
    Err(refused)
}

fn judge(path: PathBuf, name: &str) -> Result<PathBuf, Error> {
    match std::fs::metadata(&path) {
        Ok(file) if file.is_file() && access(&path, Access::EXEC_OK).is_ok() => Ok(path),
        Ok(_) => Err(Error::NotExecutable(name.to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Err(Error::NotExecutable(name.to_owned()))
        }
        Err(_) => Err(Error::NoSuchProgram(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn paths_start_at_the_package_and_names_in_path() {
        let folder = tempfile::tempdir().unwrap();
        let (package, bin) = (folder.path().join("package"), folder.path().join("bin"));
        for (place, name, mode) in [(&package, "model", 0o755), (&bin, "tool", 0o755), (&bin, "data", 0o644)]
        {
            std::fs::create_dir_all(place).unwrap();
            std::fs::write(place.join(name), "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(place.join(name), PermissionsExt::from_mode(mode)).unwrap();
        }
        let work = folder.path();
        let look = |name: &str| find(name, Some(&package), work, Some(&bin));
        assert_eq!(look("./model").unwrap(), package.join("./model"));
        assert_eq!(look("tool").unwrap(), bin.join("tool"));
        assert!(matches!(look("model"), Err(Error::NoSuchProgram(_))));
        assert!(matches!(look("data"), Err(Error::NotExecutable(_))));
        assert!(matches!(look("../bin"), Err(Error::NotExecutable(_))));
        assert!(matches!(look(""), Err(Error::NoSuchProgram(_))));
        assert_eq!(find("bin/tool", None, work, None::<&str>).unwrap(), bin.join("tool"));
        assert!(find("sh", None, work, None::<&str>).is_ok());
    }
}
