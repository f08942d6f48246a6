//! Pages of the job list, as fast with a million jobs as with a thousand.
//!
//! The jobs of one owner, one process and one status are one stretch of an index, in order of their place. A filter is
//! a few such stretches ("streams"), walked side by side from the newest on until the page is full: nothing is sorted
//! and, without a filter by duration, nothing is read that is not on the page.
//!
//! Durations are in those indexes too, but not in order. Most often the page is full after a few steps; when it is not,
//! few jobs may be in the range, and these are found by the index of durations. Only when many are, all of them older
//! than many that are not, is the walk long (about 50 ms per million steps).

mod durations;
mod walk;

use std::sync::Arc;

use rusqlite::{Connection, types::Value};
use rutter_core::{
    job::Job,
    store::{Cursor, JobFilter, JobPage, Page},
};
use rutter_types::StatusCode;

use self::{
    durations::{Durations, spans_sql},
    walk::{Stream, merge},
};
use super::{
    change::drift,
    columns::{owner, read_bytes, status_code},
    fault::Fault,
    read::found,
};
use crate::{
    place,
    recent::{Asked, Places, Recent},
};

/// How long a filter by duration is tried in one way before the next.
#[derive(Clone, Copy)]
struct Effort {
    /// Jobs looked at in order of place before the index of durations is tried.
    patience: usize,
    /// Most jobs taken from the index of durations, to be put in order of place.
    few: usize,
}

/// Longest page, and most stretches, that are read where the caller is.
const AT_ONCE: usize = 100;

const EFFORT: Effort = Effort { patience: 5_000, few: 50_000 };

/// Read a page, with whatever effort it takes.
pub(super) fn page(
    connection: &Connection,
    recent: &Recent,
    filter: &JobFilter,
    page: Page,
) -> Result<JobPage, Fault> {
    read(connection, recent, filter, page, |search, most| search.find(connection, most, EFFORT).map(Some))
        .map(Option::unwrap_or_default)
}

/// Read a page if that is a matter of microseconds.
pub(super) fn page_at_once(
    connection: &Connection,
    recent: &Recent,
    filter: &JobFilter,
    page: Page,
) -> Result<Option<JobPage>, Fault> {
    let few = page.limit <= AT_ONCE && filter.processes.len() * filter.statuses.len().max(1) <= AT_ONCE;
    let find = |search: &Search, most| search.find_soon(connection, most, EFFORT.patience);
    if few { read(connection, recent, filter, page, find) } else { Ok(None) }
}

fn read(
    connection: &Connection,
    recent: &Recent,
    filter: &JobFilter,
    page: Page,
    find: impl FnOnce(&Search, usize) -> Result<Option<Vec<i64>>, Fault>,
) -> Result<Option<JobPage>, Fault> {
    let began = recent.moment();
    let asked = Asked::of(filter, page);
    if let (Some(now), Some(asked)) = (began, &asked)
        && let Some(known) = recent.page(now, asked)
    {
        return Ok(Some(known));
    }
    let _snapshot = connection.unchecked_transaction()?;
    let search = Search::new(filter, page, drift(connection)?);
    let Some(mut places) = find(&search, page.limit.saturating_add(1))? else { return Ok(None) };
    let more = places.len() > page.limit;
    places.truncate(page.limit);
    let next = places.last().filter(|_| more).map(|&place| Cursor(place));
    if let (Some(began), Some(asked)) = (began, asked) {
        recent.keep_page(began, asked, Places { places: places.clone(), next });
    }
    let known = |place: &i64| recent.at(*place);
    // What is kept in memory may be newer than what the filter saw: then the page is read from what it saw.
    let kept: Vec<Option<Arc<Job>>> = places.iter().map(known).collect();
    let kept = if began.is_some() && recent.moment() == began { kept } else { vec![None; places.len()] };
    let mut statement = connection.prepare_cached("SELECT bytes FROM record WHERE seq = ?1")?;
    let mut jobs = Vec::with_capacity(places.len());
    for (place, kept) in places.into_iter().zip(kept) {
        if let Some(job) = kept {
            jobs.push(job);
            continue;
        }
        let mut rows = statement.query([place])?;
        let Some(row) = rows.next()? else { continue };
        let found = found(place, read_bytes(row, 0)?)?;
        jobs.push(found.job.clone());
        if let Some(began) = began {
            recent.keep(began, found);
        }
    }
    Ok(Some(JobPage { jobs, next }))
}

/// What is looked for.
struct Search {
    owner: Option<String>,
    /// `[None]` = any.
    processes: Vec<Option<String>>,
    /// `[None]` = any, where no other condition is.
    statuses: Vec<Option<StatusCode>>,
    /// First and last place.
    places: (i64, i64),
    /// First and last time of creation, µs, when places alone do not tell it.
    created: Option<(i64, i64)>,
    durations: Option<Durations>,
}

impl Search {
    fn new(filter: &JobFilter, page: Page, drift: i64) -> Self {
        let mut processes: Vec<Option<String>> = filter.processes.iter().cloned().map(Some).collect();
        processes.sort_unstable();
        processes.dedup();
        if processes.is_empty() {
            processes.push(None);
        }
        let durations = Durations::of(filter);
        let created = (
            filter.created_from.map_or(i64::MIN, place::not_before),
            filter.created_to.map_or(i64::MAX, place::not_after),
        );
        let bounded = filter.created_from.is_some() || filter.created_to.is_some();
        let first = if created.0 == i64::MIN { i64::MIN } else { place::first(created.0) };
        let last =
            if created.1 == i64::MAX { i64::MAX } else { place::first(created.1).saturating_add(drift) };
        let before = page.after.map_or(i64::MAX, |cursor| cursor.0.saturating_sub(1));
        let any = filter.owner.is_none() && filter.processes.is_empty() && durations.is_none();
        Self {
            owner: filter.owner.as_ref().map(|caller| owner(caller.as_ref())),
            processes,
            statuses: statuses(filter, any, durations.is_some()),
            places: (first, last.min(before)),
            created: (bounded && drift >= place::SLOTS).then_some(created),
            durations,
        }
    }

    /// Places of the first jobs found, newest first; `None` when it takes more steps.
    fn find_soon(
        &self,
        connection: &Connection,
        most: usize,
        patience: usize,
    ) -> Result<Option<Vec<i64>>, Fault> {
        // A filter by duration is ours here: SQLite would not tell how many jobs it passes over.
        let in_sql = self.durations.is_none();
        merge(connection, &self.streams(in_sql), most, if in_sql { usize::MAX } else { patience })
    }

    /// The same, however many steps it takes.
    fn find(&self, connection: &Connection, most: usize, effort: Effort) -> Result<Vec<i64>, Fault> {
        if let Some(found) = self.find_soon(connection, most, effort.patience)? {
            return Ok(found);
        }
        if let Some(found) = self.among_few(connection, most, effort.few)? {
            return Ok(found);
        }
        Ok(merge(connection, &self.streams(true), most, usize::MAX)?.unwrap_or_default())
    }

    /// `in_sql` = the range of durations stands in the statement.
    fn streams(&self, in_sql: bool) -> Vec<Stream> {
        let mut streams = Vec::new();
        for (turn, process) in self.processes.iter().enumerate() {
            for &status in &self.statuses {
                let spans = status.and_then(|status| Some(self.durations.as_ref()?.spans(status)));
                streams.push(self.stream(turn, process.as_deref(), status, spans, in_sql));
            }
        }
        streams
    }

    fn stream(
        &self,
        turn: usize,
        process: Option<&str>,
        status: Option<StatusCode>,
        spans: Option<(i64, i64)>,
        in_sql: bool,
    ) -> Stream {
        let mut conditions = Conditions::default();
        if let Some(owner) = &self.owner {
            conditions.and("owner = ?", [owner.clone().into()]);
        }
        if let Some(process) = process {
            conditions.and("process = ?", [process.to_owned().into()]);
        }
        if let Some(status) = status {
            conditions.and(&format!("status = {}", status_code(status)), []);
        }
        conditions.and("seq BETWEEN ? AND ?", [self.places.0.into(), self.places.1.into()]);
        if let Some((from, to)) = self.created {
            conditions.and("created BETWEEN ? AND ?", [from.into(), to.into()]);
        }
        if let Some((least, most)) = spans.filter(|_| in_sql) {
            conditions.and("span BETWEEN ? AND ?", [least.into(), most.into()]);
        }
        let index = match (&self.owner, process, status) {
            (_, _, None) => "",
            (None, None, _) => "INDEXED BY job_status",
            (None, Some(_), _) => "INDEXED BY job_process",
            (Some(_), None, _) => "INDEXED BY job_owner",
            (Some(_), Some(_), _) => "INDEXED BY job_owner_process",
        };
        // Streams walk side by side, each with a statement of its own: the number lets each find its own in the cache.
        let sql = format!(
            "/* {turn} */ SELECT seq, span FROM job {index} WHERE {} ORDER BY seq DESC",
            conditions.texts.join(" AND ")
        );
        Stream { sql, values: conditions.values, spans: spans.filter(|_| !in_sql) }
    }

    /// By the index of durations; `None` when there are too many in the range.
    fn among_few(&self, connection: &Connection, most: usize, few: usize) -> Result<Option<Vec<i64>>, Fault> {
        let Some(durations) = self.durations.as_ref().filter(|_| self.created.is_none()) else {
            return Ok(None);
        };
        let mut found = Vec::new();
        let mut seen = 0;
        for &status in self.statuses.iter().flatten() {
            let mut statement = connection.prepare_cached(&spans_sql(status))?;
            let mut rows = statement.query(<[i64; 2]>::from(durations.spans(status)))?;
            while let Some(row) = rows.next()? {
                seen += 1;
                if seen > few {
                    return Ok(None);
                }
                let place: i64 = row.get(0)?;
                let text = |column| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
                if (self.places.0..=self.places.1).contains(&place) && self.wants(text(1)?, text(2)?) {
                    found.push(place);
                }
            }
        }
        found.sort_unstable_by(|one, other| other.cmp(one));
        found.truncate(most);
        Ok(Some(found))
    }

    fn wants(&self, owner: &str, process: &str) -> bool {
        self.owner.as_ref().is_none_or(|wanted| wanted == owner)
            && self.processes.iter().any(|wanted| wanted.as_deref().is_none_or(|wanted| wanted == process))
    }
}

/// Statuses to walk one by one; all at once when nothing else is asked for.
fn statuses(filter: &JobFilter, any: bool, with_durations: bool) -> Vec<Option<StatusCode>> {
    if any && filter.statuses.is_empty() {
        return vec![None];
    }
    let asked = |status: &StatusCode| filter.statuses.is_empty() || filter.statuses.contains(status);
    // A job that was only accepted has no duration.
    let has = |status: &StatusCode| !(with_durations && *status == StatusCode::Accepted);
    StatusCode::ALL.into_iter().filter(asked).filter(has).map(Some).collect()
}

#[derive(Default)]
struct Conditions {
    texts: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    fn and<const N: usize>(&mut self, text: &str, values: [Value; N]) {
        self.texts.push(text.to_owned());
        self.values.extend(values);
    }
}

#[cfg(test)]
mod tests;
