//! Pages of the job list, as fast with a million jobs as with a thousand.
//!
//! The jobs of one owner, one process and one status are one stretch of an index, in order of their place. A filter is
//! a few such stretches ("streams"), walked side by side from the newest on until the page is full: nothing is sorted
//! and, without a filter by duration, nothing is read that is not on the page.
//!
//! Durations are in those indexes too, but not in order. Most often the page is full after a few steps; when it is not,
//! few jobs may be in the range, and these are found by the index of durations. Only when many are, all of them older
//! than many that are not, is the walk long (about 50 ms per million steps).

use std::collections::BinaryHeap;

use rusqlite::{CachedStatement, Connection, Rows, params_from_iter, types::Value};
use rutter_core::store::{Cursor, JobFilter, JobPage, Page};
use rutter_types::StatusCode;

use super::{
    change::drift,
    columns::{owner, read_bytes, status_code},
    fault::Fault,
};
use crate::{place, record};

/// How long a filter by duration is tried in one way before the next.
#[derive(Clone, Copy)]
struct Effort {
    /// Jobs looked at in order of place before the index of durations is tried.
    patience: usize,
    /// Most jobs taken from the index of durations, to be put in order of place.
    few: usize,
}

const EFFORT: Effort = Effort { patience: 5_000, few: 50_000 };

/// Read a page.
pub(super) fn page(connection: &Connection, filter: &JobFilter, page: Page) -> Result<JobPage, Fault> {
    let _snapshot = connection.unchecked_transaction()?;
    let search = Search::new(filter, page, drift(connection)?);
    let mut places = search.find(connection, page.limit.saturating_add(1), EFFORT)?;
    let more = places.len() > page.limit;
    places.truncate(page.limit);
    let next = places.last().filter(|_| more).map(|&place| Cursor(place));
    let mut statement = connection.prepare_cached("SELECT bytes FROM record WHERE seq = ?1")?;
    let mut jobs = Vec::with_capacity(places.len());
    for place in places {
        let mut rows = statement.query([place])?;
        if let Some(row) = rows.next()? {
            jobs.push(record::read_job(read_bytes(row, 0)?)?);
        }
    }
    Ok(JobPage { jobs, next })
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

/// A range of durations, µs, both ends included.
struct Durations {
    least: i64,
    most: i64,
    now: i64,
}

impl Durations {
    fn of(filter: &JobFilter) -> Option<Self> {
        (filter.min_duration.is_some() || filter.max_duration.is_some()).then(|| Self {
            least: filter.min_duration.map_or(i64::MIN, place::micros),
            most: filter.max_duration.map_or(i64::MAX, place::micros),
            now: filter.now.as_microsecond(),
        })
    }

    /// The range of `span` of a status: durations of jobs that are over, starts of running ones.
    fn spans(&self, status: StatusCode) -> (i64, i64) {
        match status {
            StatusCode::Running => (self.now.saturating_sub(self.most), self.now.saturating_sub(self.least)),
            _ => (self.least, self.most),
        }
    }
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

    /// Places of the first jobs found, newest first.
    fn find(&self, connection: &Connection, most: usize, effort: Effort) -> Result<Vec<i64>, Fault> {
        if self.durations.is_none() {
            return Ok(merge(connection, &self.streams(true), most, usize::MAX)?.unwrap_or_default());
        }
        // The filter by duration is ours in the first round: SQLite would not tell how many jobs it passes over.
        if let Some(found) = merge(connection, &self.streams(false), most, effort.patience)? {
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

fn spans_sql(status: StatusCode) -> String {
    let code = status_code(status);
    format!(
        "SELECT seq, owner, process FROM job INDEXED BY job_span WHERE status = {code} AND span BETWEEN ?1 AND ?2"
    )
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

/// One stretch of an index, from the newest place on.
struct Stream {
    sql: String,
    values: Vec<Value>,
    /// Range of `span` still to be checked.
    spans: Option<(i64, i64)>,
}

/// A stream while it is walked.
struct Walk<'a> {
    rows: Rows<'a>,
    spans: Option<(i64, i64)>,
}

impl Walk<'_> {
    /// Its next place, within so many steps.
    fn next(&mut self, patience: &mut usize) -> Result<Next, Fault> {
        while let Some(row) = self.rows.next()? {
            if *patience == 0 {
                return Ok(Next::OutOfPatience);
            }
            *patience -= 1;
            let place: i64 = row.get(0)?;
            let Some((least, most)) = self.spans else { return Ok(Next::Place(place)) };
            if row.get::<_, Option<i64>>(1)?.is_some_and(|span| (least..=most).contains(&span)) {
                return Ok(Next::Place(place));
            }
        }
        Ok(Next::End)
    }
}

enum Next {
    Place(i64),
    End,
    OutOfPatience,
}

/// The newest places of all streams together; `None` when that takes too many steps.
fn merge(
    connection: &Connection,
    streams: &[Stream],
    most: usize,
    mut patience: usize,
) -> Result<Option<Vec<i64>>, Fault> {
    let prepare = |stream: &Stream| connection.prepare_cached(&stream.sql);
    let mut statements = streams.iter().map(prepare).collect::<Result<Vec<CachedStatement<'_>>, _>>()?;
    let mut walks = Vec::with_capacity(streams.len());
    for (statement, stream) in statements.iter_mut().zip(streams) {
        walks.push(Walk { rows: statement.query(params_from_iter(&stream.values))?, spans: stream.spans });
    }
    let mut heads = BinaryHeap::with_capacity(walks.len());
    let mut found = Vec::new();
    let mut advance: Vec<usize> = (0..walks.len()).collect();
    loop {
        for index in advance.drain(..) {
            match walks[index].next(&mut patience)? {
                Next::Place(place) => heads.push((place, index)),
                Next::End => {}
                Next::OutOfPatience => return Ok(None),
            }
        }
        match heads.pop() {
            Some((place, index)) if found.len() < most => {
                found.push(place);
                advance.push(index);
            }
            _ => return Ok(Some(found)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{at, failed, sample};

    /// Every combination of conditions, and whether one of them is by duration.
    fn searches() -> Vec<JobFilter> {
        let time = |micros| jiff::Timestamp::from_microsecond(micros).unwrap();
        let combination = |bits: u32| {
            let bit = |number: u32| bits & (1 << number) != 0;
            JobFilter {
                owner: bit(0).then(|| Some("ada".parse().unwrap())),
                processes: if bit(1) { vec!["flood".into(), "ship".into()] } else { Vec::new() },
                statuses: if bit(2) { vec![StatusCode::Failed, StatusCode::Running] } else { Vec::new() },
                created_from: bit(3).then(|| time(1)),
                created_to: bit(3).then(|| time(9)),
                min_duration: bit(4).then_some(1.0),
                ..JobFilter::default()
            }
        };
        (0..32).map(combination).collect()
    }

    fn plan_of(connection: &Connection, sql: &str) -> String {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let nothing = vec![1i64; statement.parameter_count()];
        let steps = statement.query_map(params_from_iter(nothing), |row| row.get::<_, String>(3)).unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    }

    /// Jobs of every kind, more of them than the effort below.
    fn filled() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        super::super::migrations::migrate(&connection, super::super::migrations::STEPS).unwrap();
        for number in 0..300_i64 {
            let (mut job, _) = sample(["flood", "ship", "echo"][number as usize % 3]);
            job.owner = (number % 4 > 0).then(|| ["ada", "bob"][number as usize % 2].parse().unwrap());
            job.created = at(number);
            if number % 5 > 0 {
                job = job.attempt_started("a", at(number)).unwrap();
            }
            if number % 5 > 1 {
                job = failed(job, at(number + number * 37 % 91));
            }
            let row = super::super::columns::JobRow::new(&job, None).unwrap();
            assert!(super::super::change::restore(&connection, &row, None).unwrap());
        }
        connection
    }

    #[test]
    fn every_way_to_filter_by_duration_finds_the_same() {
        let connection = filled();
        let mut filters: Vec<JobFilter> =
            searches().into_iter().filter(|filter| filter.min_duration.is_some()).collect();
        for filter in &mut filters {
            filter.now = at(310);
            filter.created_from = filter.created_from.map(|_| at(50));
            filter.created_to = filter.created_to.map(|_| at(250));
            filter.min_duration = Some(20.0);
            filter.max_duration = Some(60.0);
        }
        let mut total = 0;
        for filter in &filters {
            for (most, after) in
                [(7, None), (1_000, None), (5, Some(Cursor(place::first(at(200).as_microsecond()))))]
            {
                let search = Search::new(filter, Page { after, limit: 10 }, 1023);
                let find = |patience, few| search.find(&connection, most, Effort { patience, few }).unwrap();
                let by_place = find(usize::MAX, 0);
                assert_eq!(find(10, usize::MAX), by_place, "by durations: {filter:?}");
                assert_eq!(find(10, 10), by_place, "by place in the end: {filter:?}");
                total += by_place.len();
            }
        }
        assert!(total > 500, "{total}");
    }

    #[test]
    fn every_filter_walks_indexes_in_order_without_a_scan_or_a_sort() {
        let connection = Connection::open_in_memory().unwrap();
        super::super::migrations::migrate(&connection, super::super::migrations::STEPS).unwrap();
        let page = Page { after: Some(Cursor(5)), limit: 10 };
        for filter in searches() {
            for in_sql in [false, true] {
                for stream in Search::new(&filter, page, 1023).streams(in_sql) {
                    let plan = plan_of(&connection, &stream.sql);
                    let by_place = plan == "SEARCH job USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)";
                    let by_index = plan.starts_with("SEARCH job USING COVERING INDEX job_")
                        && plan.ends_with("status=? AND seq>? AND seq<?)");
                    assert!(by_place || by_index, "{filter:?}: {plan}");
                    assert!(!plan.contains("TEMP B-TREE") && !plan.contains("SCAN"), "{filter:?}: {plan}");
                }
            }
        }
        let plan = plan_of(&connection, &spans_sql(StatusCode::Failed));
        assert_eq!(plan, "SEARCH job USING COVERING INDEX job_span (status=? AND span>? AND span<?)");
    }
}
