//! Statuses of jobs as they are sent, made once per change of a job: clients look at the same job, and at the first page
//! of the list, many times between two changes.

use std::sync::Arc;

use quick_cache::{Weighter, sync::Cache};
use rutter_core::{id::JobId, job::Job};

use crate::{base::Base, cache::Document, error::ApiError};

/// Most memory, in bytes of documents.
const WEIGHT: u64 = 8 << 20;
const OVERHEAD: u64 = 256;
/// Statuses of the usual size that fit.
const JOBS: usize = 4096;

/// Statuses ready to be sent.
#[derive(Debug)]
pub(crate) struct Statuses(Cache<JobId, Arc<Status>, ByLength>);

/// A status ready to be sent.
#[derive(Debug)]
pub(crate) struct Status {
    base: Base,
    revision: u64,
    pub(crate) document: Document,
}

impl Default for Statuses {
    fn default() -> Self {
        Self(Cache::with_weighter(JOBS, WEIGHT, ByLength))
    }
}

impl Statuses {
    /// The status of a stored job, made if it is not there.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) fn get(
        &self,
        base: &Base,
        job: &Job,
        make: impl FnOnce() -> Result<Document, ApiError>,
    ) -> Result<Arc<Status>, ApiError> {
        if let Some(status) = self.0.get(&job.id).filter(|it| it.revision == job.revision && it.base == *base)
        {
            return Ok(status);
        }
        let status = Arc::new(Status { base: base.clone(), revision: job.revision, document: make()? });
        self.0.insert(job.id, status.clone());
        Ok(status)
    }
}

#[derive(Clone, Debug)]
struct ByLength;

impl Weighter<JobId, Arc<Status>> for ByLength {
    fn weight(&self, _: &JobId, status: &Arc<Status>) -> u64 {
        status.document.bytes().len() as u64 + OVERHEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::status::tests::job;

    #[test]
    fn a_status_is_made_anew_for_another_base_and_after_a_change() {
        let statuses = Statuses::default();
        let (one, other) = (Base::new("http://one"), Base::new("http://other"));
        let mut job = job();
        let text = |base: &Base, job: &Job, text: &str| {
            let make = || Ok(Document::new(crate::answer::JSON_TYPE, text.as_bytes().to_vec()));
            let status = statuses.get(base, job, make).unwrap();
            String::from_utf8(status.document.bytes().to_vec()).unwrap()
        };
        assert_eq!(text(&one, &job, "a"), "a");
        assert_eq!(text(&one, &job, "b"), "a");
        assert_eq!(text(&other, &job, "c"), "c");
        job.revision += 1;
        assert_eq!(text(&other, &job, "d"), "d");
        assert_eq!(text(&other, &job, "e"), "d");
    }
}
