//! Files that need no network: their place below `in`, and their bytes from the order or the package.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
use rustix::io::Errno;
use rutter_types::agent::{Source, StageItem};

use super::{ItemError, Space, Stager, Written};
use crate::contact::{path_of_package_file, path_of_result};
use crate::folders::{is_safe_component, make};

impl Stager<'_> {
    /// Writes the item of that number to its place.
    pub(super) async fn write(&self, at: usize, item: &StageItem) -> Result<Written, ItemError> {
        let path = self.place(item)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let (size, media_type) = match &item.source {
            Source::Text(text) => (self.put(&mut file, text.as_bytes())?, None),
            Source::Base64(text) => (self.put(&mut file, &decode(text)?)?, None),
            Source::Package(relative) => match &self.order.package_folder {
                Some(folder) => (self.copy(&mut file, Path::new(folder), relative)?, None),
                None => (self.download(&path_of_package_file(at), &mut file).await?, None),
            },
            Source::Url(url) => self.fetcher.fetch(url, &mut file, &self.space).await?,
            Source::Result { job, output, index } => {
                (self.download(&path_of_result(job, output, *index), &mut file).await?, None)
            }
        };
        Ok(Written { path, size, media_type })
    }

    fn place(&self, item: &StageItem) -> Result<PathBuf, ItemError> {
        for name in [&item.input, &item.name] {
            if !is_safe_component(name) {
                return Err(ItemError::UnsafeName(name.clone()));
            }
        }
        let mut folder = self.folders.inputs.join(&item.input);
        if let Some(index) = item.index {
            folder.push(index.to_string());
        }
        make(&folder)?;
        Ok(folder.join(&item.name))
    }

    fn put(&self, file: &mut File, bytes: &[u8]) -> Result<u64, ItemError> {
        self.space.take(bytes.len())?;
        file.write_all(bytes)?;
        Ok(bytes.len() as u64)
    }

    /// A copy, so that a program that writes into its inputs does not change the package.
    fn copy(&self, to: &mut File, folder: &Path, relative: &str) -> Result<u64, ItemError> {
        let unreadable = |source| ItemError::PackageFile { path: relative.to_owned(), source };
        let from = beneath(folder, relative).map_err(unreadable)?;
        let from = from.ok_or_else(|| ItemError::OutsidePackage(relative.to_owned()))?;
        if !from.metadata().map_err(unreadable)?.is_file() {
            return Err(unreadable(io::Error::other("it is no plain file")));
        }
        copy_within(from, to, &self.space)
    }
}

/// A file of the package; `None` = outside. Links are the author's business, as long as they stay inside.
fn beneath(folder: &Path, relative: &str) -> io::Result<Option<File>> {
    let directory = open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match openat2(&directory, relative, flags, Mode::empty(), ResolveFlags::BENEATH) {
        Ok(from) => Ok(Some(from.into())),
        Err(Errno::XDEV) => Ok(None),
        Err(Errno::NOSYS | Errno::PERM) => canonical(folder, relative)?.map(File::open).transpose(),
        Err(errno) => Err(errno.into()),
    }
}

/// For kernels without openat2: the package does not change while it is read.
fn canonical(folder: &Path, relative: &str) -> io::Result<Option<PathBuf>> {
    let folder = folder.canonicalize()?;
    let path = folder.join(relative).canonicalize()?;
    Ok(path.starts_with(&folder).then_some(path))
}

fn copy_within(mut from: File, to: &mut File, space: &Space) -> Result<u64, ItemError> {
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0;
    loop {
        let length = from.read(&mut buffer)?;
        if length == 0 {
            return Ok(size);
        }
        space.take(length)?;
        to.write_all(&buffer[..length])?;
        size += length as u64;
    }
}

/// Line breaks are common in base64 that people paste.
fn decode(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    match STANDARD.decode(text) {
        Ok(bytes) => Ok(bytes),
        Err(_) => STANDARD.decode(text.split_ascii_whitespace().collect::<String>()),
    }
}
