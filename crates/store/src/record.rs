//! Stored records: JSON with a version, so that a newer server reads what an older one wrote.

use rutter_core::{job::Job, plan::Plan, store::StoreError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Version of the records below. Old ones stay in `test-data/` and are read by a test.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Versioned<'a, T> {
    v: u32,
    record: &'a T,
}

/// A job as bytes.
pub(crate) fn write_job(job: &Job) -> Result<Vec<u8>, StoreError> {
    write(job, || job.id.to_string())
}

/// A plan as bytes.
pub(crate) fn write_plan(plan: &Plan) -> Result<Vec<u8>, StoreError> {
    write(plan, || format!("of process {}", plan.process))
}

/// A job from bytes.
pub(crate) fn read_job(bytes: &[u8]) -> Result<Job, StoreError> {
    read(bytes)
}

/// A plan from bytes.
pub(crate) fn read_plan(bytes: &[u8]) -> Result<Plan, StoreError> {
    read(bytes)
}

fn write<T: Serialize>(record: &T, id: impl FnOnce() -> String) -> Result<Vec<u8>, StoreError> {
    let versioned = Versioned { v: VERSION, record };
    serde_json::to_vec(&versioned).map_err(|source| StoreError::Record { id: id(), source })
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    #[derive(Deserialize)]
    struct Record<T> {
        v: u32,
        record: T,
    }
    let unreadable = |source| StoreError::Record { id: shown(bytes), source };
    match serde_json::from_slice::<Record<T>>(bytes) {
        Ok(found) if found.v > VERSION => Err(StoreError::TooNew { found: found.v, known: VERSION }),
        Ok(found) => Ok(found.record),
        Err(source) => match serde_json::from_slice::<Version>(bytes) {
            Ok(version) if version.v > VERSION => {
                Err(StoreError::TooNew { found: version.v, known: VERSION })
            }
            _ => Err(unreadable(source)),
        },
    }
}

/// The start of a record, for a message about it.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::sample;

    const JOBS: [&[u8]; 5] = [
        include_bytes!("../test-data/v1/job.json"),
        include_bytes!("../test-data/v1/keyed.json"),
        include_bytes!("../test-data/v1/running.json"),
        include_bytes!("../test-data/v1/successful.json"),
        include_bytes!("../test-data/v1/dismissed.json"),
    ];
    const PLAN: &[u8] = include_bytes!("../test-data/v1/plan.json");

    #[test]
    fn records_of_version_1_are_read() {
        let job = read_job(include_bytes!("../test-data/v1/job.json")).unwrap();
        let plan = read_plan(include_bytes!("../test-data/v1/plan.json")).unwrap();
        assert_eq!(job.process.as_str(), "flood");
        assert_eq!(plan.process, job.process);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (job, plan) = sample("flood");
        assert_eq!(read_job(&write_job(&job).unwrap()).unwrap(), job);
        assert_eq!(read_plan(&write_plan(&plan).unwrap()).unwrap(), plan);
    }

    /// What is written today reads like the files of its version: whoever changes a stored type sees it here.
    #[test]
    fn the_format_of_version_1_stands() {
        let same = |stored: &[u8], written: Vec<u8>| {
            let values: [serde_json::Value; 2] =
                [serde_json::from_slice(stored).unwrap(), serde_json::from_slice(&written).unwrap()];
            assert_eq!(values[0], values[1]);
        };
        for stored in JOBS {
            same(stored, write_job(&read_job(stored).unwrap()).unwrap());
        }
        same(PLAN, write_plan(&read_plan(PLAN).unwrap()).unwrap());
    }

    #[test]
    fn a_newer_record_is_refused_even_when_it_looks_like_ours() {
        let (job, _) = sample("flood");
        let text = String::from_utf8(write_job(&job).unwrap()).unwrap().replacen("\"v\":1", "\"v\":2", 1);
        let error = read_job(text.as_bytes()).unwrap_err();
        assert!(matches!(error, StoreError::TooNew { found: 2, known: 1 }), "{error}");
    }

    #[test]
    fn a_newer_record_is_refused_by_its_version() {
        let error = read_job(br#"{"v": 2, "record": {"other": true}}"#).unwrap_err();
        assert!(matches!(error, StoreError::TooNew { found: 2, known: 1 }), "{error}");
    }
}
