//! Several files or a directory as one zip, always the same for the same files: sorted, without times.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::inside::{Root, Unusable, refusal};
use super::walk;

/// Sizes from here need the 64-bit form of an entry.
const LARGE: u64 = u32::MAX as u64;

/// Why something can't be packed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{}", .0.0)]
    Unusable(Unusable),
    #[error("is larger than what is left for outputs")]
    TooLarge,
    #[error("failed to write an archive: {0}")]
    Io(#[from] io::Error),
}

/// Packs files and whole directories into `target`; gives its size. A single directory is packed from its inside.
pub(super) fn pack(root: &Root, paths: &[PathBuf], target: &Path, most: u64) -> Result<u64, Error> {
    let mut zip = ZipWriter::new(BufWriter::new(File::create(target)?));
    let mut left = most;
    match paths {
        [folder] if root.is_directory(folder) => pack_folder(&mut zip, root, folder, folder, &mut left)?,
        _ => {
            for path in paths {
                if root.is_directory(path) {
                    pack_folder(&mut zip, root, path, Path::new(""), &mut left)?;
                } else {
                    pack_file(&mut zip, root, path, path, &mut left)?;
                }
            }
        }
    }
    let file = zip.finish().map_err(io::Error::other)?.into_inner().map_err(|error| error.into_error())?;
    Ok(file.metadata()?.len())
}

type Zip = ZipWriter<BufWriter<File>>;

fn pack_folder(zip: &mut Zip, root: &Root, folder: &Path, base: &Path, left: &mut u64) -> Result<(), Error> {
    for (path, kind) in walk::all(root, folder).map_err(Error::Unusable)? {
        let name = path.strip_prefix(base).unwrap_or(&path);
        if let Some(reason) = refusal(kind) {
            let reason = reason.replacen("is ", "", 1);
            return Err(Error::Unusable(Unusable(format!("holds '{}', {reason}", shown(name)))));
        }
        if kind == FileType::Directory {
            zip.add_directory(shown(name), options(0)).map_err(io::Error::other)?;
        } else {
            pack_file(zip, root, &path, name, left)?;
        }
    }
    Ok(())
}

fn pack_file(zip: &mut Zip, root: &Root, path: &Path, name: &Path, left: &mut u64) -> Result<(), Error> {
    let mut file = root.open_file(path).map_err(Error::Unusable)?;
    let size = file.metadata()?.len();
    *left = left.checked_sub(size).ok_or(Error::TooLarge)?;
    zip.start_file(shown(name), options(size)).map_err(io::Error::other)?;
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        zip.write_all(&buffer[..length])?;
    }
}

fn options(size: u64) -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).large_file(size >= LARGE)
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().chars().map(|c| if c.is_control() { '_' } else { c }).collect()
}
