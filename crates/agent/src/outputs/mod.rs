//! Outputs after the command: found, opened without following anything the program may have put there, sent.

mod archive;
mod find;
mod inside;
mod media;
mod printed;
mod send;
mod walk;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rutter_types::agent::{Find, Outcome, OutputWanted};

use crate::folders::Folders;
use inside::{Root, Unusable};
pub(crate) use printed::wanted as printed;
use rutter_printed::Printed;
pub(crate) use send::{Error as SendError, send};

/// One value of an output, not yet sent.
#[derive(Debug)]
pub(crate) struct Item {
    output: String,
    index: usize,
    name: String,
    media_type: String,
    size: u64,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// A file that the program left.
    Inside(Arc<Root>, PathBuf),
    /// A file that the agent made.
    Own(PathBuf),
}

/// Why outputs can't be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("outputs are missing: {0:?}")]
    Missing(Vec<String>),
    #[error("output '{output}' {reason}")]
    Unusable { output: String, reason: String },
    #[error("output '{output}' passes the limit of all outputs")]
    TooLarge { output: String },
    #[error("outputs were looked for in what the command printed: {0:?}")]
    Printed(Outcome),
    #[error("failed to read outputs: {0}")]
    Io(#[from] io::Error),
}

/// Finds all outputs; `print` = what the command printed, where one is looked for in it. Blocks: directories are packed here.
pub(crate) fn collect(
    wanted: &[OutputWanted],
    folders: &Folders,
    print: Option<Printed>,
    limit: u64,
) -> Result<Vec<Item>, Error> {
    let mut collector = Collector { folders, wanted, left: limit, items: Vec::new() };
    if let Some(print) = print {
        collector.printed(print)?;
    }
    let mut missing = Vec::new();
    for output in wanted {
        if !collector.one(output)? && output.required {
            missing.push(output.id.clone());
        }
    }
    if missing.is_empty() { Ok(collector.items) } else { Err(Error::Missing(missing)) }
}

struct Collector<'a> {
    folders: &'a Folders,
    wanted: &'a [OutputWanted],
    left: u64,
    items: Vec<Item>,
}

impl Collector<'_> {
    /// Finds one output; false when nothing is there.
    fn one(&mut self, output: &OutputWanted) -> Result<bool, Error> {
        let unusable = |Unusable(reason)| Error::Unusable { output: output.id.clone(), reason };
        let (root, mut paths) = match &output.find {
            Find::Stdout => return self.stdout(output),
            Find::Printed => return Ok(self.items.iter().any(|item| item.output == output.id)),
            Find::Name => {
                let root = Arc::new(Root::open(&self.folders.root, "out").map_err(unusable)?);
                let paths = find::by_name(&root, output, self.wanted).map_err(unusable)?;
                (root, paths)
            }
            Find::Glob(globs) => find::by_globs(&self.folders.root, globs).map_err(unusable)?,
        };
        paths.sort();
        let single_file = matches!(paths.as_slice(), [path] if !root.is_directory(path));
        if paths.is_empty() {
            return Ok(false);
        }
        if single_file || output.many {
            for path in paths {
                self.value(output, &root, path)?;
            }
        } else {
            self.packed(output, &root, &paths)?;
        }
        Ok(true)
    }

    fn value(&mut self, output: &OutputWanted, root: &Arc<Root>, path: PathBuf) -> Result<(), Error> {
        if root.is_directory(&path) {
            return self.packed(output, root, &[path]);
        }
        let opened = root.open_file(&path);
        let file =
            opened.map_err(|Unusable(reason)| Error::Unusable { output: output.id.clone(), reason })?;
        let size = file.metadata()?.len();
        let name = media::clean_name(&path, &output.id);
        let media_type =
            media::of_name(&name).or(output.media_type.as_deref()).unwrap_or(media::UNKNOWN).to_owned();
        self.add(output, name, media_type, size, Source::Inside(Arc::clone(root), path))
    }

    fn packed(&mut self, output: &OutputWanted, root: &Root, paths: &[PathBuf]) -> Result<(), Error> {
        let target = self.folders.root.join(format!("packed-{}.zip", self.items.len()));
        let size = archive::pack(root, paths, &target, self.left).map_err(|error| match error {
            archive::Error::Unusable(Unusable(reason)) => {
                Error::Unusable { output: output.id.clone(), reason }
            }
            archive::Error::TooLarge => Error::TooLarge { output: output.id.clone() },
            archive::Error::Io(error) => Error::Io(error),
        })?;
        let stem = match paths {
            [path] => media::clean_name(path, &output.id),
            _ => output.id.clone(),
        };
        self.add(output, format!("{stem}.zip"), media::ZIP.to_owned(), size, Source::Own(target))
    }

    fn stdout(&mut self, output: &OutputWanted) -> Result<bool, Error> {
        let Ok(file) = std::fs::symlink_metadata(&self.folders.stdout) else { return Ok(false) };
        let media_type = output.media_type.clone().unwrap_or_else(|| "text/plain".to_owned());
        let name = media::with_extension(&output.id, &media_type);
        self.add(output, name, media_type, file.len(), Source::Own(self.folders.stdout.clone()))?;
        Ok(true)
    }

    fn add(
        &mut self,
        output: &OutputWanted,
        name: String,
        media_type: String,
        size: u64,
        source: Source,
    ) -> Result<(), Error> {
        let too_large = || Error::TooLarge { output: output.id.clone() };
        self.left = self.left.checked_sub(size).ok_or_else(too_large)?;
        let index = self.items.iter().filter(|item| item.output == output.id).count();
        self.items.push(Item { output: output.id.clone(), index, name, media_type, size, source });
        Ok(())
    }
}
