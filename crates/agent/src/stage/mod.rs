//! Inputs before the command starts: files are written or fetched, values given by reference are read and validated
//! by the server as if they had stood in the request.

mod fetch;
mod place;
mod value;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt, stream};
use rutter_types::agent::{Source, StageItem, Staged as Fetched, StagedAnswer, StagedItem, WorkOrder};
use rutter_types::{Fault, JsonMap};
use serde_json::Value;

use crate::contact::{self, Contact};
use crate::folders::Folders;
use crate::log::Log;
use crate::supervise::scratch_threshold;
use fetch::Fetcher;

/// Inputs that are fetched at the same time.
const PARALLEL: usize = 4;

/// Everything the command needs of its inputs.
pub(crate) struct Ready {
    /// Paths in the order of the order's `stage`.
    pub(crate) paths: Vec<PathBuf>,
    /// Inputs with every position filled.
    pub(crate) inputs: JsonMap,
}

impl Ready {
    /// What stands at an item's position.
    pub(crate) fn value(&self, item: &StageItem) -> Option<&Value> {
        let value = self.inputs.get(&item.input)?;
        item.index.map_or(Some(value), |index| value.get(index))
    }
}

/// Why the inputs can't be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("inputs could not be fetched")]
    Failed(Vec<Fault>),
    #[error("inputs break the process description")]
    Refused(Vec<Fault>),
    #[error("inputs alone pass the disk space limit")]
    ScratchLimit,
    #[error(transparent)]
    Contact(#[from] contact::Error),
}

/// Why one input can't be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ItemError {
    #[error("'{0}' can't be used as a file name")]
    UnsafeName(String),
    #[error("'{0}' is not inside the package's folder")]
    OutsidePackage(String),
    #[error("the package's file '{path}' can't be read: {source}")]
    PackageFile { path: String, source: io::Error },
    #[error("{0}")]
    Refused(String),
    #[error("is not base64: {0}")]
    NotBase64(#[from] base64::DecodeError),
    #[error(transparent)]
    Fetch(#[from] rutter_fetch::Error),
    #[error("the source answered with status {0}")]
    Status(u16),
    #[error("is larger than {0} bytes, the most for a value")]
    ValueTooLarge(u64),
    #[error("is not JSON: {0}")]
    NotJson(serde_json::Error),
    #[error("is not text in UTF-8")]
    NotText,
    #[error("failed to write the file: {0}")]
    Io(#[from] io::Error),
    #[error("inputs alone pass the disk space limit")]
    ScratchLimit,
    #[error(transparent)]
    Contact(#[from] contact::Error),
}

/// One input, written to its place.
struct Written {
    path: PathBuf,
    size: u64,
    media_type: Option<String>,
}

/// What all items need.
struct Stager<'a> {
    order: &'a WorkOrder,
    folders: &'a Folders,
    contact: &'a Contact,
    fetcher: Fetcher<'a>,
    space: Space,
}

/// Disk space that is left for inputs.
struct Space {
    used: AtomicU64,
    most: u64,
}

impl Space {
    fn take(&self, bytes: usize) -> Result<(), ItemError> {
        let used = self.used.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if used > self.most { Err(ItemError::ScratchLimit) } else { Ok(()) }
    }
}

/// Makes all inputs ready.
pub(crate) async fn stage(
    order: &WorkOrder,
    folders: &Folders,
    contact: &Contact,
    ca: Option<&[u8]>,
    log: &Log,
) -> Result<Ready, Error> {
    let most = order.limits.scratch_bytes.map_or(u64::MAX, scratch_threshold);
    let space = Space { used: AtomicU64::new(0), most };
    let stager = Stager { order, folders, contact, fetcher: Fetcher::new(&order.fetch, ca), space };
    let written = stager.write_all(log).await?;
    let mut inputs = order.inputs.clone();
    let mut fetched = Fetched::default();
    let mut faults = Vec::new();
    for (at, (item, written)) in order.stage.iter().zip(&written).enumerate() {
        match stager.fill(item, written, &mut inputs) {
            Ok(value) if is_fetched(item) => fetched.items.push(StagedItem {
                stage: at,
                size: written.size,
                media_type: written.media_type.clone(),
                value,
            }),
            Ok(_) => {}
            Err(error) => faults.push(fault(item, &error)),
        }
    }
    if !faults.is_empty() {
        return Err(Error::Failed(faults));
    }
    if !fetched.items.is_empty()
        && let StagedAnswer::Refused { faults } = contact.staged(&fetched).await?
    {
        return Err(Error::Refused(faults));
    }
    Ok(Ready { paths: written.into_iter().map(|written| written.path).collect(), inputs })
}

fn is_fetched(item: &StageItem) -> bool {
    matches!(item.source, Source::Url(_) | Source::Result { .. })
}

/// A fault at the place of an input in the request.
fn fault(item: &StageItem, error: &ItemError) -> Fault {
    let mut pointer = format!("/inputs/{}", item.input.replace('~', "~0").replace('/', "~1"));
    if let Some(index) = item.index {
        pointer.push_str(&format!("/{index}"));
    }
    let mut fault = Fault::new(pointer, error.to_string());
    if let Source::Url(url) = &item.source {
        fault.received = Some(url.clone().into());
    }
    fault
}

impl Stager<'_> {
    /// Writes every file; all faults are found, not the first one only.
    async fn write_all(&self, log: &Log) -> Result<Vec<Written>, Error> {
        let jobs = self.order.stage.iter().enumerate();
        let done: Vec<_> = stream::iter(jobs)
            .map(|(at, item)| async move { (at, self.write(at, item).await) })
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        let mut written: Vec<Option<Written>> = self.order.stage.iter().map(|_| None).collect();
        let mut faults = Vec::new();
        for (at, result) in done {
            let item = &self.order.stage[at];
            match result {
                Ok(file) => {
                    if is_fetched(item) {
                        log.say(&format!("input '{}': {} bytes fetched", item.input, file.size));
                    }
                    written[at] = Some(file);
                }
                Err(ItemError::ScratchLimit) => return Err(Error::ScratchLimit),
                Err(ItemError::Contact(error @ (contact::Error::Over | contact::Error::Lost { .. }))) => {
                    return Err(error.into());
                }
                Err(error) => faults.push((at, fault(item, &error))),
            }
        }
        if faults.is_empty() {
            return Ok(written.into_iter().flatten().collect());
        }
        faults.sort_by_key(|(at, _)| *at);
        Err(Error::Failed(faults.into_iter().map(|(_, fault)| fault).collect()))
    }
}
