//! Defaults that are files: `{href: data/dem.tif}`, below the package's folder.

use std::path::{Component, Path, PathBuf};

use super::{
    Input,
    walk::{Report, Spot, shorten},
};

/// A reference in place of a value.
#[derive(Debug)]
pub(super) struct Reference<'a> {
    href: &'a str,
}

impl<'a> Reference<'a> {
    /// Whether a default is a reference: an object with `href` that is no value of the input itself.
    pub(super) fn read(report: &mut Report<'_>, spot: &Spot<'a>, input: &Input) -> Option<Self> {
        let href = spot.get("href")?;
        let is_value = input.schema.accepts(&spot.node.to_value());
        if is_value && !input.is_file {
            return None;
        }
        report.object(spot, &["href", "type", "rel", "title", "hreflang"]);
        let href = report.text(&href)?;
        Some(Self { href })
    }
}

/// Whether what it names can be had. A file that is missing is remembered in `files`: it may come later.
pub(super) fn check(
    report: &mut Report<'_>,
    spot: &Spot<'_>,
    reference: Reference<'_>,
    folder: Option<&Path>,
    files: &mut Vec<PathBuf>,
) -> bool {
    let href = reference.href;
    if let Ok(url) = url::Url::parse(href) {
        let right = matches!(url.scheme(), "http" | "https");
        if !right {
            let message = format!("{:?} is no http or https URL and no path", shorten(href));
            report.fault(spot, message, "write a path relative to the package's folder, or a URL");
        }
        return right;
    }
    let Some(folder) = folder else {
        let message = format!("the file {:?} needs a folder, and this package has none", shorten(href));
        report.fault(spot, message, "write a URL, or put the package into a folder of its own");
        return false;
    };
    match find(folder, href) {
        Ok(_) => true,
        Err(reason) => {
            if matches!(reason, FileFault::Missing(_)) {
                files.push(folder.join(href));
            }
            report.fault(spot, format!("the file {:?} {reason}", shorten(href)), reason.remedy());
            false
        }
    }
}

/// Why a file of the package can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileFault {
    #[error("lies outside of the package's folder")]
    Outside,
    #[error("can't be read: {0}")]
    Missing(std::io::ErrorKind),
    #[error("is no file")]
    NoFile,
}

impl FileFault {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Outside => "write a path relative to the package's folder, without `..`",
            Self::Missing(_) => "put it there, or correct the path: it is relative to the package's folder",
            Self::NoFile => "name a file",
        }
    }
}

/// The file of a relative path, if it stays in the folder through every link.
pub(super) fn find(folder: &Path, href: &str) -> Result<PathBuf, FileFault> {
    let relative = Path::new(href);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !plain || href.contains('\0') {
        return Err(FileFault::Outside);
    }
    let missing = |error: std::io::Error| FileFault::Missing(error.kind());
    let folder = folder.canonicalize().map_err(missing)?;
    let file = folder.join(relative).canonicalize().map_err(missing)?;
    if !file.starts_with(&folder) {
        return Err(FileFault::Outside);
    }
    if !file.is_file() {
        return Err(FileFault::NoFile);
    }
    Ok(file)
}
