//! Pages of the job list. Every page is flat however many jobs there are: it follows indexes in order of arrival.
//!
//! A filter with several processes or statuses becomes one walk per combination, merged; SQLite would have to sort otherwise.

use rusqlite::{Connection, ToSql, params_from_iter, types::Value};
use rutter_core::{
    job::Job,
    store::{Cursor, JobFilter, JobPage, Page, StoreError},
};
use rutter_types::StatusCode;

use super::{failed, status_code};
use crate::record;

/// How far the machine's clock may have been set back between two jobs, µs: a day. Times of arrival are looked for with it.
const SLACK: i64 = 86_400_000_000;
/// With fewer jobs than that in a range of durations, the index of durations is followed instead of the arrival.
const SPARSE: i64 = 2_000;

/// One walk: conditions and their values.
#[derive(Clone, Default)]
struct Walk {
    conditions: Vec<String>,
    values: Vec<Value>,
    /// Index to follow where the planner would choose another.
    index: &'static str,
}

impl Walk {
    fn and(mut self, condition: &str, value: impl Into<Value>) -> Self {
        self.conditions.push(condition.into());
        self.values.push(value.into());
        self
    }
}

/// Read a page.
pub(super) fn page(connection: &Connection, filter: &JobFilter, page: Page) -> Result<JobPage, StoreError> {
    let Some(base) = base(connection, filter, page)? else { return Ok(JobPage { jobs: Vec::new(), next: None }) };
    let mut found: Vec<(i64, Vec<u8>)> = Vec::new();
    for walk in walks(connection, filter, &base)? {
        found.extend(follow(connection, &walk, page.limit + 1)?);
    }
    found.sort_unstable_by_key(|(seq, _)| std::cmp::Reverse(*seq));
    found.dedup_by_key(|(seq, _)| *seq);
    let more = found.len() > page.limit;
    found.truncate(page.limit);
    let next = found.last().filter(|_| more).map(|(seq, _)| Cursor(*seq));
    let jobs = found.iter().map(|(_, bytes)| record::read_job(bytes)).collect::<Result<Vec<Job>, _>>()?;
    Ok(JobPage { jobs, next })
}

/// What all walks have in common; `None` = nothing can be found.
fn base(connection: &Connection, filter: &JobFilter, page: Page) -> Result<Option<Walk>, StoreError> {
    let mut walk = Walk::default();
    if let Some(after) = page.after {
        walk = walk.and("seq < ?", after.0);
    }
    if let Some(from) = filter.created_from.map(jiff::Timestamp::as_microsecond) {
        let sql = "SELECT seq FROM job WHERE created >= ? ORDER BY created LIMIT 1";
        let Some(first) = one(connection, sql, from.saturating_sub(SLACK))? else { return Ok(None) };
        // Jobs within the slack may have come in any order: start at the first of them.
        let sql = "SELECT min(seq) FROM (SELECT seq FROM job WHERE created >= ? ORDER BY created LIMIT 100)";
        let first = one(connection, sql, from.saturating_sub(SLACK))?.unwrap_or(first);
        walk = walk.and("seq >= ?", first).and("created >= ?", from);
    }
    if let Some(to) = filter.created_to.map(jiff::Timestamp::as_microsecond) {
        let sql = "SELECT max(seq) FROM (SELECT seq FROM job WHERE created <= ? ORDER BY created DESC LIMIT 100)";
        let Some(last) = one(connection, sql, to.saturating_add(SLACK))? else { return Ok(None) };
        walk = walk.and("seq <= ?", last).and("created <= ?", to);
    }
    match &filter.owner {
        None => {}
        Some(None) => walk.conditions.push("owner IS NULL".into()),
        Some(Some(owner)) => walk = walk.and("owner = ?", owner.to_string()),
    }
    Ok(Some(walk))
}

/// One walk per combination of process, status and kind of duration.
fn walks(connection: &Connection, filter: &JobFilter, base: &Walk) -> Result<Vec<Walk>, StoreError> {
    let mut processes: Vec<Option<&String>> = filter.processes.iter().map(Some).collect();
    processes.sort_unstable();
    processes.dedup();
    if processes.is_empty() {
        processes.push(None);
    }
    let mut statuses: Vec<Option<StatusCode>> = filter.statuses.iter().copied().map(Some).collect();
    statuses.sort_unstable();
    statuses.dedup();
    if statuses.is_empty() {
        // Where an index begins with process or owner, the status is its second column: walk it status by status.
        let through_index = filter.owner.is_some() || !filter.processes.is_empty();
        statuses = if through_index { StatusCode::ALL.map(Some).to_vec() } else { vec![None] };
    }
    let mut walks = Vec::new();
    for process in &processes {
        for status in &statuses {
            let mut walk = base.clone();
            if let Some(process) = process {
                walk = walk.and("process = ?", (*process).clone());
            }
            if let Some(status) = status {
                walk = walk.and("status = ?", status_code(*status));
            }
            walks.extend(with_duration(connection, filter, walk, *status)?);
        }
    }
    Ok(walks)
}

/// Durations: of jobs that are over they stand in a column, of running ones they follow from the start.
fn with_duration(
    connection: &Connection,
    filter: &JobFilter,
    walk: Walk,
    status: Option<StatusCode>,
) -> Result<Vec<Walk>, StoreError> {
    let (least, most) = (filter.min_duration.map(micros), filter.max_duration.map(micros));
    if least.is_none() && most.is_none() {
        return Ok(vec![walk]);
    }
    let now = filter.now.as_microsecond();
    let mut walks = Vec::new();
    if status.is_none_or(|status| status == StatusCode::Running) {
        let mut running = walk.clone();
        if status.is_none() {
            running = running.and("status = ?", status_code(StatusCode::Running));
        }
        running = running.and("started <= ?", least.map_or(now, |least| now.saturating_sub(least)));
        if let Some(most) = most {
            running = running.and("started >= ?", now.saturating_sub(most));
        }
        walks.push(running);
    }
    if status.is_none_or(StatusCode::is_terminal) {
        let (least, most) = (least.unwrap_or(i64::MIN), most.unwrap_or(i64::MAX));
        let mut over = walk.and("duration >= ?", least).and("duration <= ?", most);
        if sparse(connection, least, most)? {
            over.index = "INDEXED BY job_duration";
        }
        walks.push(over);
    }
    Ok(walks)
}

fn sparse(connection: &Connection, least: i64, most: i64) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM job INDEXED BY job_duration
               WHERE duration >= ?1 AND duration <= ?2 LIMIT ?3)";
    let mut statement = connection.prepare_cached(sql).map_err(|error| failed("listing", error))?;
    let count: i64 = statement
        .query_row([least, most, SPARSE], |row| row.get(0))
        .map_err(|error| failed("listing", error))?;
    Ok(count < SPARSE)
}

fn follow(connection: &Connection, walk: &Walk, limit: usize) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    let sql = sql(walk);
    let mut statement = connection.prepare_cached(&sql).map_err(|error| failed("listing", error))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values: Vec<&dyn ToSql> = walk.values.iter().map(|value| value as &dyn ToSql).chain([&limit as _]).collect();
    statement
        .query_map(params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?)))
        .and_then(Iterator::collect)
        .map_err(|error| failed("listing", error))
}

fn sql(walk: &Walk) -> String {
    let conditions = if walk.conditions.is_empty() { "TRUE".into() } else { walk.conditions.join(" AND ") };
    format!("SELECT seq, record FROM job {} WHERE {conditions} ORDER BY seq DESC LIMIT ?", walk.index)
}

fn one(connection: &Connection, sql: &str, value: i64) -> Result<Option<i64>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(|error| failed("listing", error))?;
    let found = statement.query_map([value], |row| row.get::<_, Option<i64>>(0)).and_then(|mut rows| rows.next().transpose());
    Ok(found.map_err(|error| failed("listing", error))?.flatten())
}

/// Seconds as microseconds, what times are kept in.
#[expect(clippy::cast_possible_truncation, reason = "floats saturate, which is what a bound wants")]
pub(crate) fn micros(seconds: f64) -> i64 {
    (seconds * 1e6).round() as i64
}

#[cfg(test)]
mod tests {
    use rutter_core::id::CallerId;

    use super::*;

    /// Every walk follows an index: no scan of the table in another order, no sorting.
    #[test]
    fn no_filter_needs_a_sort_or_a_scan_of_all() {
        let mut connection = Connection::open_in_memory().unwrap();
        super::super::migrations::migrate(&mut connection).unwrap();
        let owner = || Some(Some("ada".parse::<CallerId>().unwrap()));
        let some = |from: i64| Some(jiff::Timestamp::from_microsecond(from).unwrap());
        let filters = [
            JobFilter::default(),
            JobFilter { owner: owner(), ..JobFilter::default() },
            JobFilter { processes: vec!["a".into(), "b".into()], ..JobFilter::default() },
            JobFilter { statuses: vec![StatusCode::Failed, StatusCode::Running], ..JobFilter::default() },
            JobFilter {
                owner: owner(),
                processes: vec!["a".into()],
                statuses: vec![StatusCode::Failed],
                created_from: some(1),
                created_to: some(2),
                ..JobFilter::default()
            },
        ];
        for filter in filters {
            let base = Walk::default().and("seq < ?", 5);
            for walk in walks(&connection, &filter, &base).unwrap() {
                let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", sql(&walk))).unwrap();
                let count = statement.parameter_count();
                let plan: Vec<String> = statement
                    .query_map(params_from_iter(vec![1i64; count]), |row| row.get(3))
                    .unwrap()
                    .collect::<Result<_, _>>()
                    .unwrap();
                let plan = plan.join("; ");
                assert!(!plan.contains("TEMP B-TREE") && plan.contains("SEARCH"), "{filter:?}: {plan}");
            }
        }
    }
}
