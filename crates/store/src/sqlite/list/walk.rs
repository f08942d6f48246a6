//! Stretches of indexes walked side by side.

use std::collections::BinaryHeap;

use rusqlite::{CachedStatement, Connection, Rows, params_from_iter, types::Value};

use crate::sqlite::fault::Fault;

/// One stretch of an index, from the newest place on.
pub(super) struct Stream {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
    /// Range of `span` still to be checked.
    pub(super) spans: Option<(i64, i64)>,
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
pub(super) fn merge(
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
