//! What a program prints: as lines of its log, and as what outputs are found in.

use std::{io, path::Path};

use bytes::Bytes;
use jiff::Timestamp;
use rutter_printed::{Printed, Stream, Value};
use rutter_types::agent::{Outcome, WorkOrder};

use crate::executor::{KeptResult, PrintedLine};

/// Longest line of a log; what is longer goes on in the next.
const LINE: usize = 8 * 1024;

/// What a program printed.
#[derive(Debug)]
pub(super) struct Print {
    most_log: u64,
    log: u64,
    /// Bytes printed.
    seen: u64,
    printed: Printed,
}

impl Print {
    /// Keeps in files of `folder` what outputs may be found in.
    pub(super) fn new(folder: &Path, order: &WorkOrder) -> io::Result<Self> {
        let printed = Printed::new(folder, &order.outputs, order.limits.output_bytes)?;
        Ok(Self { most_log: order.limits.log_bytes, log: 0, seen: 0, printed })
    }

    /// Takes a line; gives what of it goes to the log. The same lines always give the same.
    pub(super) fn line(&mut self, line: &PrintedLine) -> io::Result<Bytes> {
        // Which stream it was, nobody tells.
        self.printed.push(Stream::Out, &line.text)?;
        if !line.goes_on {
            self.printed.push(Stream::Out, b"\n")?;
        }
        self.seen += line.text.len() as u64;
        let entry = entry(line.time, &line.text);
        if self.log + entry.len() as u64 > self.most_log {
            return Ok(Bytes::new());
        }
        self.log += entry.len() as u64;
        Ok(entry.into())
    }

    /// As if the program had printed what another system kept of it.
    pub(super) fn with(mut self, kept: &KeptResult) -> io::Result<Self> {
        self.printed.push_found(kept.media_type.as_deref(), kept.text.as_bytes())?;
        Ok(self)
    }

    /// Whether more was read than into another one.
    pub(super) fn is_more_than(&self, other: &Self) -> bool {
        self.seen > other.seen
    }

    /// Bytes of the log.
    pub(super) fn log_bytes(&self) -> u64 {
        self.log
    }

    /// The values of the order's outputs.
    pub(super) fn values(
        self,
        order: &WorkOrder,
        last_word: Option<&str>,
    ) -> io::Result<Result<Vec<Value>, Outcome>> {
        self.printed.values(&order.outputs, last_word)
    }
}

/// As agents write it; a tag with `+` goes on in the next line.
fn entry(time: Timestamp, text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    let mut rest = text.trim_end_matches('\r');
    let mut entry = Vec::new();
    loop {
        let mut end = rest.len().min(LINE);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, after) = rest.split_at(end);
        let tag = if after.is_empty() { "out" } else { "out+" };
        entry.extend_from_slice(
            format!("{} {tag} {piece}\n", time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ")).as_bytes(),
        );
        if after.is_empty() {
            return entry;
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order(output_bytes: u64, log_bytes: u64) -> WorkOrder {
        serde_json::from_value(json!({"job": "j", "process": "p", "inputs": {}, "command": [], "stage": [],
            "outputs": [{"id": "all", "find": "stdout", "required": true, "many": false}],
            "limits": {"command_seconds": 1, "grace_seconds": 1, "output_bytes": output_bytes, "log_bytes": log_bytes,
                "contact_seconds": 1},
            "fetch": {"max_bytes": 1, "idle_seconds": 1, "max_redirects": 1, "private_networks": false, "allow": []}}))
        .unwrap()
    }

    fn line(text: &str) -> PrintedLine {
        let time = "2026-11-25T10:00:00.123456789Z".parse().unwrap();
        PrintedLine { time, text: Bytes::copy_from_slice(text.as_bytes()), goes_on: false }
    }

    #[test]
    fn lines_are_written_as_agents_do() {
        let (folder, order) = (tempfile::tempdir().unwrap(), order(100, 1000));
        let mut print = Print::new(folder.path(), &order).unwrap();
        assert_eq!(print.line(&line("hello\r")).unwrap(), "2026-11-25T10:00:00.123456Z out hello\n");
        assert_eq!(print.line(&line("")).unwrap(), "2026-11-25T10:00:00.123456Z out \n");
        assert_eq!(print.log_bytes(), 38 + 33);
        let mut all = Vec::new();
        print.values(&order, None).unwrap().unwrap()[0].write(&mut all).unwrap();
        assert_eq!(all, b"hello\r\n\n");
        let long = String::from_utf8(entry(line("").time, "ü".repeat(LINE).as_bytes())).unwrap();
        assert_eq!(long.lines().count(), 2);
        assert!(long.lines().next().unwrap().contains(" out+ ü"));
    }

    #[test]
    fn what_is_too_long_is_no_value_and_stops_no_log() {
        let (folder, order) = (tempfile::tempdir().unwrap(), order(4, 80));
        let mut print = Print::new(folder.path(), &order).unwrap();
        assert!(!print.line(&line("hello")).unwrap().is_empty());
        assert!(!print.line(&line("again")).unwrap().is_empty());
        assert!(print.line(&line("over")).unwrap().is_empty(), "the log has a limit, too");
        assert!(print.values(&order, None).unwrap().is_err());
    }
}
