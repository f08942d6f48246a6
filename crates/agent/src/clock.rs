//! The time stamps of log lines. The agent measures what really happens on its machine, so its clock is the system's.

use std::fmt::Write;

use rustix::time::{ClockId, clock_gettime};

/// Appends the present time, RFC 3339 in UTC with microseconds.
pub(crate) fn stamp(into: &mut String) {
    let now = clock_gettime(ClockId::Realtime);
    let nanos = i32::try_from(now.tv_nsec).unwrap_or(0);
    let time = jiff::Timestamp::new(now.tv_sec, nanos).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    // Writing into a string can't fail.
    let _ = write!(into, "{time:.6}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn microseconds_in_utc() {
        let mut text = String::new();
        super::stamp(&mut text);
        assert_eq!(text.len(), "2026-01-01T00:00:00.000000Z".len(), "{text}");
        assert!(text.ends_with('Z') && text.as_bytes()[19] == b'.');
    }
}
