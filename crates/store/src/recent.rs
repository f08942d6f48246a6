//! Jobs read or written lately, parsed: whoever looks at a job again and again, or at the first page of the list, costs
//! no reading of records.
//!
//! What stands here is what the database holds. The writer says when a change is on its way and when it is done; what was
//! read meanwhile is not kept, for it may be older than what the writer puts here.

use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use quick_cache::{Weighter, sync::Cache};
use rutter_core::{
    id::{CallerId, JobId},
    job::Job,
    store::{Cursor, JobFilter, JobPage, Page},
};
use rutter_types::StatusCode;

/// Most memory, in bytes of records with what parsing adds.
const WEIGHT: u64 = 12 << 20;
/// A job takes about so many times its record's size, and so much more.
const PARSED: u64 = 2;
const OVERHEAD: u64 = 1024;
/// Pages that are kept, their longest, and the most names that one is asked by: they take little.
const PAGES: usize = 256;
const LONGEST_PAGE: usize = 100;
const MOST_NAMES: usize = 8;
/// Jobs of the usual size that fit.
const JOBS: usize = 4096;

/// Jobs in memory, by place and by identifier.
#[derive(Debug)]
pub(crate) struct Recent {
    jobs: Cache<i64, Kept, ByRecord>,
    places: Cache<JobId, i64>,
    pages: Cache<Asked, (Moment, Arc<Places>)>,
    /// Counts changes; odd while one is on its way.
    changes: RwLock<u64>,
}

/// What a page of the list was asked by. Durations of running jobs change without anybody's doing: a page that was asked by them
/// holds for the second that they were counted at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    owner: Option<Option<CallerId>>,
    processes: Vec<String>,
    statuses: Vec<StatusCode>,
    created: (Option<Timestamp>, Option<Timestamp>),
    /// Bits of the least and of the greatest duration, and when they were counted.
    durations: Option<(Option<u64>, Option<u64>, Timestamp)>,
    page: Page,
}

impl Asked {
    /// `None` = such a page is not kept.
    pub(crate) fn of(filter: &JobFilter, page: Page) -> Option<Self> {
        let bits = |seconds: Option<f64>| seconds.map(f64::to_bits);
        let durations = (bits(filter.min_duration), bits(filter.max_duration), filter.now);
        let timed = filter.min_duration.is_some() || filter.max_duration.is_some();
        let short = page.limit <= LONGEST_PAGE && filter.processes.len() <= MOST_NAMES;
        short.then(|| Self {
            owner: filter.owner.clone(),
            processes: filter.processes.clone(),
            statuses: filter.statuses.clone(),
            created: (filter.created_from, filter.created_to),
            durations: timed.then_some(durations),
            page,
        })
    }
}

/// Which jobs are on a page, and where the next one begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) places: Vec<i64>,
    pub(crate) next: Option<Cursor>,
}

/// A job as it is kept.
#[derive(Clone, Debug)]
struct Kept {
    job: Arc<Job>,
    record: u32,
}

/// When somebody began to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(u64);

/// A job with its place and the size of its record in bytes.
pub(crate) struct Found {
    pub(crate) place: i64,
    pub(crate) job: Arc<Job>,
    pub(crate) record: usize,
}

impl Recent {
    pub(crate) fn new() -> Self {
        Self {
            jobs: Cache::with_weighter(JOBS, WEIGHT, ByRecord),
            places: Cache::new(JOBS),
            pages: Cache::new(PAGES),
            changes: RwLock::new(0),
        }
    }

    /// A job by its identifier.
    pub(crate) fn get(&self, id: JobId) -> Option<Arc<Job>> {
        // A place can be another job's by now.
        self.at(self.places.get(&id)?).filter(|job| job.id == id)
    }

    /// A job by its place.
    pub(crate) fn at(&self, place: i64) -> Option<Arc<Job>> {
        self.jobs.get(&place).map(|kept| kept.job)
    }

    /// Now, unless a change is on its way.
    pub(crate) fn moment(&self) -> Option<Moment> {
        let changes = *self.changes.read().unwrap_or_else(PoisonError::into_inner);
        changes.is_multiple_of(2).then_some(Moment(changes))
    }

    /// Keep what was read from the database since a moment, if nothing changed since.
    pub(crate) fn keep(&self, since: Moment, found: Found) {
        let changes = self.changes.read().unwrap_or_else(PoisonError::into_inner);
        if *changes == since.0 {
            self.put(found);
        }
    }

    /// A page that was read at this moment or since, if nothing changed and all its jobs are here.
    pub(crate) fn page(&self, now: Moment, asked: &Asked) -> Option<JobPage> {
        let (since, found) = self.pages.get(asked)?;
        if since != now {
            return None;
        }
        let jobs: Option<Vec<_>> = found.places.iter().map(|place| self.at(*place)).collect();
        // Jobs may have changed while they were picked up.
        jobs.filter(|_| self.moment() == Some(now)).map(|jobs| JobPage { jobs, next: found.next })
    }

    /// Keep which jobs a page had that was read since a moment; it counts only as long as nothing changes.
    pub(crate) fn keep_page(&self, since: Moment, asked: Asked, found: Places) {
        self.pages.insert(asked, (since, Arc::new(found)));
    }

    /// A change is on its way.
    pub(crate) fn begin(&self) {
        *self.changes.write().unwrap_or_else(PoisonError::into_inner) |= 1;
    }

    /// The change is in the database, or was taken back.
    pub(crate) fn end(&self) {
        *self.changes.write().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    /// A job as it was written; for the writer, while its change is on its way.
    pub(crate) fn put(&self, found: Found) {
        let record = u32::try_from(found.record).unwrap_or(u32::MAX);
        self.places.insert(found.job.id, found.place);
        self.jobs.insert(found.place, Kept { job: found.job, record });
    }

    /// A job is being changed or removed; for the writer, before anybody can see that in the database.
    pub(crate) fn forget(&self, place: i64) {
        self.jobs.remove(&place);
    }
}

#[derive(Clone, Debug)]
struct ByRecord;

impl Weighter<i64, Kept> for ByRecord {
    fn weight(&self, _: &i64, kept: &Kept) -> u64 {
        u64::from(kept.record) * PARSED + OVERHEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::sample;

    fn found(place: i64, record: usize) -> Found {
        Found { place, job: Arc::new(sample("flood").0), record }
    }

    #[test]
    fn what_was_read_before_or_during_a_change_is_not_kept() {
        let recent = Recent::new();
        let before = recent.moment().unwrap();
        recent.begin();
        assert_eq!(recent.moment(), None);
        recent.keep(before, found(1, 1));
        recent.end();
        recent.keep(before, found(2, 1));
        assert!(recent.at(1).is_none() && recent.at(2).is_none());
        recent.keep(recent.moment().unwrap(), found(3, 1));
        assert!(recent.at(3).is_some());
    }

    #[test]
    fn a_page_counts_until_something_changes() {
        let recent = Recent::new();
        let page = Page { after: None, limit: 10 };
        let asked = || Asked::of(&JobFilter::default(), page).unwrap();
        let now = recent.moment().unwrap();
        recent.keep(now, found(7, 1));
        let places = |places: &[i64]| Places { places: places.to_vec(), next: None };
        recent.keep_page(now, asked(), places(&[7]));
        assert_eq!(recent.page(now, &asked()).unwrap().jobs.len(), 1);
        let other = JobFilter { processes: vec!["flood".into()], ..JobFilter::default() };
        assert!(recent.page(now, &Asked::of(&other, page).unwrap()).is_none());
        let timed = |now| JobFilter { min_duration: Some(1.0), now, ..JobFilter::default() };
        let (one, other) = (Timestamp::from_second(1).unwrap(), Timestamp::from_second(2).unwrap());
        assert_ne!(
            Asked::of(&timed(one), page),
            Asked::of(&timed(other), page),
            "time alone changes what it finds"
        );
        recent.begin();
        assert!(recent.page(now, &asked()).is_none(), "a change is on its way");
        recent.end();
        let later = recent.moment().unwrap();
        assert!(recent.page(later, &asked()).is_none());
        recent.keep_page(later, asked(), places(&[7, 8]));
        assert!(recent.page(later, &asked()).is_none(), "one of its jobs is not here");
    }

    #[test]
    fn a_place_that_another_job_took_is_not_the_first_ones() {
        let recent = Recent::new();
        let (first, second) = (found(1, 1), found(1, 1));
        let ids = [first.job.id, second.job.id];
        recent.put(first);
        recent.forget(1);
        assert!(recent.get(ids[0]).is_none());
        recent.put(second);
        assert!(recent.get(ids[0]).is_none());
        assert_eq!(recent.get(ids[1]).unwrap().id, ids[1]);
    }

    #[test]
    fn memory_is_bounded_by_the_size_of_records() {
        let recent = Recent::new();
        (0..1000).for_each(|place| recent.put(found(place, 100_000)));
        assert!(recent.jobs.weight() <= WEIGHT);
        assert!(recent.jobs.len() < 100);
        recent.put(found(5000, 100 << 20));
        assert!(recent.at(5000).is_none(), "one that is larger than all that is kept");
    }
}
