//! Every filter is fast, and every way to answer it gives the same.

use rusqlite::params_from_iter;

use super::*;
use crate::{
    conformance::{at, failed, sample},
    sqlite::{change, columns::JobRow, migrations},
};

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
    migrations::migrate(&connection, migrations::STEPS).unwrap();
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
        let row = JobRow::new(&job, None).unwrap();
        assert!(change::restore(&connection, &row, None).unwrap());
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
    migrations::migrate(&connection, migrations::STEPS).unwrap();
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
