//! Filters by duration, as ranges of the column `span`.

use rutter_core::store::JobFilter;
use rutter_types::StatusCode;

use crate::{place, sqlite::columns::status_code};

/// A range of durations, µs, both ends included.
pub(super) struct Durations {
    least: i64,
    most: i64,
    now: i64,
}

impl Durations {
    pub(super) fn of(filter: &JobFilter) -> Option<Self> {
        (filter.min_duration.is_some() || filter.max_duration.is_some()).then(|| Self {
            least: filter.min_duration.map_or(i64::MIN, place::micros),
            most: filter.max_duration.map_or(i64::MAX, place::micros),
            now: filter.now.as_microsecond(),
        })
    }

    /// The range of `span` of a status: durations of jobs that are over, starts of running ones.
    pub(super) fn spans(&self, status: StatusCode) -> (i64, i64) {
        match status {
            StatusCode::Running => (self.now.saturating_sub(self.most), self.now.saturating_sub(self.least)),
            _ => (self.least, self.most),
        }
    }
}

/// Jobs of a status by the index of durations.
pub(super) fn spans_sql(status: StatusCode) -> String {
    let code = status_code(status);
    format!(
        "SELECT seq, owner, process FROM job INDEXED BY job_span WHERE status = {code} AND span BETWEEN ?1 AND ?2"
    )
}
