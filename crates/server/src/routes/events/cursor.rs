//! A place in the events of a job.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

/// A place in the events of a job: `<states told>.<digest of the progress told>.<bytes of log told>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// States told: 0 none, 1 accepted, 2 running, 3 the last one, 4 also the end.
    pub(super) states: u8,
    /// Digest of the progress told last; 0 = none.
    pub(super) progress: u32,
    /// Bytes of the log told.
    pub(super) log: u64,
}

impl Cursor {
    /// Everything was told.
    pub(super) const END: u8 = 4;

    /// Whether everything was told.
    pub(super) fn is_end(self) -> bool {
        self.states >= Self::END
    }
}

/// Digest of a progress; never 0.
pub(super) fn progress_digest(percent: Option<u8>, message: Option<&str>) -> u32 {
    if percent.is_none() && message.is_none() {
        return 0;
    }
    let digest = Sha256::digest(format!("{percent:?} {message:?}"));
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]).max(1)
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:x}.{}", self.states, self.progress, self.log)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.trim().split('.');
        let mut next = || parts.next().ok_or(());
        let cursor = Self {
            states: next()?.parse().map_err(|_| ())?,
            progress: u32::from_str_radix(next()?, 16).map_err(|_| ())?,
            log: next()?.parse().map_err(|_| ())?,
        };
        let good = cursor.states <= Self::END && parts.next().is_none();
        good.then_some(cursor).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let cursor = Cursor { states: 2, progress: 0xab12, log: 77 };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for bad in ["", "1", "1.2", "5.0.0", "1.zz.0", "1.0.-1", "1.0.0.0", "<script>"] {
            assert_eq!(bad.parse::<Cursor>(), Err(()), "{bad}");
        }
    }

    #[test]
    fn no_progress_has_no_digest_and_others_differ() {
        assert_eq!(progress_digest(None, None), 0);
        assert_ne!(progress_digest(Some(1), None), progress_digest(Some(2), None));
        assert_ne!(progress_digest(Some(1), Some("a")), progress_digest(Some(1), Some("b")));
    }
}
