//! Records of jobs on their Jobs, for servers without anything durable of their own: the manifests of the older managers give
//! them no volume. What was launched, and how it ended, is then read from the cluster.
//!
//! A record is the same document that is kept as an object elsewhere (`order.json`, `final.json`), compressed: an object of the
//! cluster may have annotations of 256 KiB in all. That a job is successful is told only when its record is there.

use std::{
    io::{Read, Write},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use k8s_openapi::api::batch::v1::Job;
use kube::api::{ListParams, Patch, PatchParams};
use rutter_core::{
    executor::{ExecutorError, Results},
    id::LaunchName,
};
use serde_json::{Value, json};

use crate::{
    adopted, fault,
    names::{is_adopted, launch_of},
    shared::Shared,
};

/// Annotation: the job as it was launched.
pub(crate) const ORDER: &str = "rutter.dev/order";
/// Annotation: the job as it ended.
pub(crate) const FINAL: &str = "rutter.dev/final";
/// Annotation: that [`FINAL`] is there, for those who do not carry it around.
pub(crate) const ENDED: &str = "rutter.dev/final-kept";
/// Longest annotation; both together and the rest must fit into [`ALL`].
pub(crate) const LONGEST: usize = 120 * 1024;
/// Most bytes of all annotations of an object, but for some that others may add.
const ALL: usize = 252 * 1024;
/// Longest record that is read.
const LONGEST_RECORD: u64 = 16 * 1024 * 1024;
/// How often a Job is tried that others change meanwhile: the cluster does, when it ends.
const TRIES: u32 = 8;
/// Pause after the first of these tries; the next are twice as long each.
const PAUSE: Duration = Duration::from_millis(20);
const KEEPING: &str = "keep the record of a job in the cluster";
/// Jobs of one answer.
const PAGE: u32 = 100;

/// A record as it stands in an annotation; `None` = it is longer than `most`.
pub(crate) fn packed(record: &[u8], most: usize) -> Option<String> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail.
    encoder.write_all(record).ok()?;
    let text = STANDARD.encode(encoder.finish().ok()?);
    (text.len() <= most).then_some(text)
}

fn unpacked(text: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(text).ok()?;
    let mut record = Vec::new();
    GzDecoder::new(bytes.as_slice()).take(LONGEST_RECORD).read_to_end(&mut record).ok()?;
    Some(record)
}

/// Note on a launch's Job how it ended, or, before anybody is told, how it is about to: then somebody else's word may still
/// come first, and takes the place of this one.
pub(crate) async fn keep(
    shared: &Shared,
    name: LaunchName,
    record: &(dyn Fn(Results) -> Vec<u8> + Send + Sync),
    is_over: bool,
) -> Result<(), ExecutorError> {
    for attempt in 0..TRIES {
        let Some(job) = shared.job(name).await? else { return Ok(()) };
        if annotations(&job).any(|(name, _)| name == ENDED) {
            return Ok(());
        }
        let Some(patch) = note(&job, name, record, is_over) else { return Ok(()) };
        let patched =
            shared.jobs.patch(&shared.name_of(name), &PatchParams::default(), &Patch::Merge(patch)).await;
        match patched {
            Err(error) if fault::is_gone(&error) => return Ok(()),
            Err(error) if fault::is_conflict(&error) => tokio::time::sleep(PAUSE * 2_u32.pow(attempt)).await,
            patched => return patched.map(|_| ()).map_err(fault::unavailable(KEEPING)),
        }
    }
    let busy = std::io::Error::new(std::io::ErrorKind::ResourceBusy, "the Job changes all the time");
    Err(fault::other(KEEPING)(busy))
}

/// Of the Job as it was read: what somebody wrote meanwhile is not overwritten. `None` = nothing need be noted.
fn note(
    job: &Job,
    name: LaunchName,
    record: &(dyn Fn(Results) -> Vec<u8> + Send + Sync),
    is_over: bool,
) -> Option<Value> {
    let room = room(job);
    let version = &job.metadata.resource_version;
    let text = packed(&record(Results::Small), room);
    if !is_over {
        return text
            .map(|text| json!({"metadata": {"resourceVersion": version, "annotations": {FINAL: text}}}));
    }
    if text.is_none() && is_adopted(job) && adopted::told(job).result.is_some() {
        // What its maker noted on it says as much: the next start reads that.
        return None;
    }
    let text = text.or_else(|| {
        tracing::warn!(job.id = %name.job, "its results are too large to be kept in the cluster: they are lost with this server");
        packed(&record(Results::Left), room)
    });
    let annotations = json!({FINAL: text, ENDED: "true", ORDER: null});
    Some(json!({"metadata": {"resourceVersion": version, "annotations": annotations}}))
}

fn annotations(job: &Job) -> impl Iterator<Item = (&String, &String)> {
    job.metadata.annotations.iter().flatten()
}

/// How long a record may be: others may have noted much on an adopted Job.
fn room(job: &Job) -> usize {
    let others = annotations(job).filter(|(name, _)| *name != FINAL && *name != ORDER);
    let taken: usize = others.map(|(name, text)| name.len() + text.len()).sum();
    LONGEST.min(ALL.saturating_sub(taken))
}

/// All records on Jobs of this instance: of each job the last one.
pub(crate) async fn all(shared: &Shared) -> Result<Vec<Vec<u8>>, ExecutorError> {
    let mut records = Vec::new();
    let selected = format!("{}={}", crate::names::INSTANCE, shared.instance);
    let mut page = ListParams::default().labels(&selected).limit(PAGE);
    loop {
        let listed = shared.jobs.list(&page).await;
        let found = listed.map_err(fault::unavailable("read the records of jobs in the cluster"))?;
        let ours = found.items.iter().filter(|job| launch_of(job, shared.instance).is_some());
        records.extend(ours.filter_map(record_of));
        match found.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page.continue_token = Some(token),
            None => return Ok(records),
        }
    }
}

fn record_of(job: &Job) -> Option<Vec<u8>> {
    let annotations = job.metadata.annotations.as_ref()?;
    let text = annotations.get(FINAL).or_else(|| annotations.get(ORDER))?;
    let record = unpacked(text);
    if record.is_none() {
        let name = job.metadata.name.as_deref().unwrap_or_default();
        tracing::error!(name, "the record on a Job can't be read: its job is left out");
    }
    record
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn a_record_comes_back_and_one_too_long_is_none() {
        let record = br#"{"version":1,"job":{"id":"x"}}"#;
        assert_eq!(unpacked(&packed(record, LONGEST).unwrap()).unwrap(), record);
        let noise: Vec<u8> = (0_u32..6_000).flat_map(|at| Sha256::digest(at.to_le_bytes())).collect();
        assert!(packed(&noise, LONGEST).is_none());
        for garbage in ["", "%", "AAAA"] {
            assert!(unpacked(garbage).is_none_or(|read| read.is_empty()), "{garbage:?}");
        }
    }
}
