//! What the cluster has of a job.

use serde_json::Value;

use crate::bed;

pub(crate) fn jobs_of(job: &str) -> Vec<Value> {
    objects_of("jobs", job)
}

pub(crate) fn pods_of(job: &str) -> Vec<Value> {
    objects_of("pods", job)
}

pub(crate) fn name_of(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

fn objects_of(kind: &str, job: &str) -> Vec<Value> {
    among(&bed::get(&[kind]), job)
}

/// Those of a job: they carry its id in their names.
pub(crate) fn among(all: &Value, job: &str) -> Vec<Value> {
    let id = job.rsplit('/').next().unwrap_or_default();
    let items = all["items"].as_array().cloned().unwrap_or_default();
    items.into_iter().filter(|item| name_of(item).contains(id)).collect()
}
