//! What a program prints: as lines of its log, as a text, and what stands between markers in it.

use bytes::Bytes;
use jiff::Timestamp;
use rutter_types::agent::Limits;

use super::markers::Markers;
use crate::executor::PrintedLine;

/// Longest text that is kept as a value.
const LONGEST: u64 = 64 << 20;
/// Longest line of a log; what is longer goes on in the next.
const LINE: usize = 8 * 1024;

/// What a program printed.
#[derive(Debug)]
pub(super) struct Print {
    most_log: u64,
    log: u64,
    most_text: u64,
    /// As printed; `None` = too long to be a value.
    text: Option<Vec<u8>>,
    markers: Markers,
}

impl Print {
    pub(super) fn new(limits: &Limits) -> Self {
        let most_text = limits.output_bytes.min(LONGEST);
        Self {
            most_log: limits.log_bytes,
            log: 0,
            most_text,
            text: Some(Vec::new()),
            markers: Markers::new(most_text),
        }
    }

    /// Takes a line; gives what of it goes to the log. The same lines always give the same.
    pub(super) fn line(&mut self, line: &PrintedLine) -> Bytes {
        self.markers.line(&String::from_utf8_lossy(&line.text));
        if let Some(text) = &mut self.text {
            text.extend_from_slice(&line.text);
            text.push(b'\n');
            if text.len() as u64 > self.most_text {
                self.text = None;
            }
        }
        let entry = entry(line.time, &line.text);
        if self.log + entry.len() as u64 > self.most_log {
            return Bytes::new();
        }
        self.log += entry.len() as u64;
        entry.into()
    }

    /// Bytes of the log.
    pub(super) fn log_bytes(&self) -> u64 {
        self.log
    }

    /// All of it, and what stands between markers; an error = longer than a value may be.
    pub(super) fn read(self) -> (Option<Vec<u8>>, Markers) {
        (self.text, self.markers)
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
    use super::*;

    fn limits(output_bytes: u64, log_bytes: u64) -> Limits {
        Limits {
            command_seconds: 1,
            grace_seconds: 1,
            memory_bytes: None,
            scratch_bytes: None,
            output_bytes,
            log_bytes,
            contact_seconds: 1,
        }
    }

    fn line(text: &str) -> PrintedLine {
        let time = "2026-11-25T10:00:00.123456789Z".parse().unwrap();
        PrintedLine { time, text: Bytes::copy_from_slice(text.as_bytes()) }
    }

    #[test]
    fn lines_are_written_as_agents_do() {
        let mut print = Print::new(&limits(100, 1000));
        assert_eq!(print.line(&line("hello\r")), "2026-11-25T10:00:00.123456Z out hello\n");
        assert_eq!(print.line(&line("")), "2026-11-25T10:00:00.123456Z out \n");
        assert_eq!(print.log_bytes(), 38 + 33);
        assert_eq!(print.read().0.unwrap(), b"hello\r\n\n");
        let long = String::from_utf8(entry(line("").time, "ü".repeat(LINE).as_bytes())).unwrap();
        assert_eq!(long.lines().count(), 2);
        assert!(long.lines().next().unwrap().contains(" out+ ü"));
    }

    #[test]
    fn what_is_too_long_is_no_value_and_stops_no_log() {
        let mut print = Print::new(&limits(4, 80));
        assert!(!print.line(&line("hello")).is_empty());
        assert!(!print.line(&line("again")).is_empty());
        assert!(print.line(&line("over")).is_empty(), "the log has a limit, too");
        assert!(print.read().0.is_none());
    }
}
