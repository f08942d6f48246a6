//! Which files an output means.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use rustix::fs::FileType;
use rutter_types::agent::OutputWanted;

use super::inside::{Root, Unusable};
use super::walk;

/// `<id>` or `<id>.<extension>`, where the extension has no further dot if there is such a file: programs put
/// `depth.tif.aux.xml` next to `depth.tif`.
pub(super) fn by_name(
    root: &Root,
    output: &OutputWanted,
    wanted: &[OutputWanted],
) -> Result<Vec<PathBuf>, Unusable> {
    let others: Vec<&[u8]> =
        wanted.iter().filter(|other| other.id != output.id).map(|other| other.id.as_bytes()).collect();
    let mut simple = Vec::new();
    let mut dotted = Vec::new();
    for (path, _) in walk::list(root, Path::new(""))? {
        let name = path.as_os_str().as_bytes();
        let Some(rest) = name.strip_prefix(output.id.as_bytes()) else { continue };
        if others.contains(&name) {
            continue;
        }
        match rest {
            [] => simple.push(path),
            [b'.', extension @ ..] if extension.contains(&b'.') => dotted.push(path),
            [b'.', ..] => simple.push(path),
            _ => {}
        }
    }
    Ok(if simple.is_empty() { dotted } else { simple })
}

/// Files below `out`, else below `work`; directories only where no file matches.
pub(super) fn by_globs(folder: &Path, globs: &[String]) -> Result<(Arc<Root>, Vec<PathBuf>), Unusable> {
    let set = compile(globs)?;
    let mut last = None;
    for place in ["out", "work"] {
        let root = Root::open(folder, place)?;
        let matched: Vec<_> =
            walk::all(&root, Path::new(""))?.into_iter().filter(|(path, _)| set.is_match(path)).collect();
        let (folders, files): (Vec<_>, Vec<_>) =
            matched.into_iter().partition(|(_, kind)| *kind == FileType::Directory);
        let chosen = if files.is_empty() { folders } else { files };
        let paths: Vec<PathBuf> = chosen.into_iter().map(|(path, _)| path).collect();
        let found = !paths.is_empty();
        last = Some((Arc::new(root), paths));
        if found {
            break;
        }
    }
    last.ok_or_else(|| Unusable("has no place".to_owned()))
}

fn compile(globs: &[String]) -> Result<GlobSet, Unusable> {
    let bad = |error: globset::Error| Unusable(format!("has a pattern that can't be used: {error}"));
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        let relative = glob.trim_start_matches("./");
        set.add(GlobBuilder::new(relative).literal_separator(true).build().map_err(bad)?);
    }
    set.build().map_err(bad)
}

#[cfg(test)]
mod tests {
    use rutter_types::agent::Find;

    use super::*;

    fn wanted(id: &str) -> OutputWanted {
        OutputWanted {
            id: id.into(),
            find: Find::Name,
            required: true,
            many: false,
            media_type: None,
            when_failed: false,
        }
    }

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("out")).unwrap();
        std::fs::create_dir_all(folder.path().join("work")).unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        folder
    }

    #[test]
    fn names() {
        let folder =
            tree(&["out/a.tif", "out/a.tif.aux.xml", "out/ab.tif", "out/b", "out/b.c", "out/t.tar.gz"]);
        let root = Root::open(folder.path(), "out").unwrap();
        let all = [wanted("a"), wanted("b"), wanted("b.c"), wanted("t"), wanted("none")];
        let found = |at: usize| by_name(&root, &all[at], &all).unwrap();
        assert_eq!(found(0), [PathBuf::from("a.tif")]);
        assert_eq!(found(1), [PathBuf::from("b")]);
        assert_eq!(found(2), [PathBuf::from("b.c")]);
        assert_eq!(found(3), [PathBuf::from("t.tar.gz")]);
        assert!(found(4).is_empty());
    }

    #[test]
    fn globs() {
        let folder = tree(&["out/a.tif", "out/deep/b.tif", "work/c.csv", "work/a.tif", "work/.tmp/x.log"]);
        let found = |globs: &[&str]| {
            let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
            by_globs(folder.path(), &globs).unwrap().1
        };
        assert_eq!(found(&["*.tif"]), [PathBuf::from("a.tif")]);
        assert_eq!(found(&["./**/*.tif"]), [PathBuf::from("a.tif"), PathBuf::from("deep/b.tif")]);
        assert_eq!(found(&["*.csv"]), [PathBuf::from("c.csv")]);
        assert_eq!(found(&["deep"]), [PathBuf::from("deep")]);
        assert!(found(&["**/*.log"]).is_empty());
        assert!(by_globs(folder.path(), &["[".to_owned()]).is_err());
    }
}
