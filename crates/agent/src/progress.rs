//! Signs of life: the program's progress file, the phase, what is measured. Sent on change, at most twice a second,
//! and every few seconds anyway: that is also how the agent learns that nobody wants it any more.

use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rutter_types::agent::{Phase, Progress, Usage};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::contact::{Contact, Error, locked};
use crate::supervise::Peak;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Least time between two messages with news.
const BETWEEN: Duration = Duration::from_millis(500);
/// Greatest time between two messages.
const SILENCE: Duration = Duration::from_secs(5);
/// Only this much of the end of the file is read.
const TAIL: u64 = 64 * 1024;
const LONGEST_MESSAGE: usize = 1000;

/// What is known of an attempt while it goes on; written by the attempt, read by the teller.
#[derive(Clone, Default)]
pub(crate) struct Board {
    state: Arc<Mutex<(Phase, Usage)>>,
    pub(crate) peak: Arc<Peak>,
}

impl Board {
    pub(crate) fn set_phase(&self, phase: Phase) {
        locked(&self.state).0 = phase;
    }

    /// Changes what was measured.
    pub(crate) fn measure(&self, change: impl FnOnce(&mut Usage)) {
        change(&mut locked(&self.state).1);
    }

    pub(crate) fn usage(&self) -> Usage {
        let mut usage = locked(&self.state).1.clone();
        usage.peak_memory_bytes = usage.peak_memory_bytes.max(self.peak.own());
        usage
    }
}

/// Tells the server until `done`; then what is new once more.
pub(crate) async fn tell(
    board: Board,
    file: PathBuf,
    contact: Arc<Contact>,
    mut done: watch::Receiver<bool>,
) -> Result<(), Error> {
    let mut tail = Tail::new(file);
    let mut sent = Progress::default();
    let mut last = Instant::now();
    loop {
        let finished = *done.borrow_and_update();
        let mut now = Progress { phase: locked(&board.state).0, ..tail.look(finished) };
        let since = last.elapsed();
        // What ends at once is not worth a message about its phase.
        let least = if sent == Progress::default() { LOOK } else { BETWEEN };
        let news = now != sent && since >= least;
        let words = finished && (now.percent, &now.message) != (sent.percent, &sent.message);
        if news || words || since >= SILENCE {
            sent = now.clone();
            now.usage = Some(board.usage());
            match contact.progress(&now).await {
                Ok(()) | Err(Error::TooLarge | Error::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
            last = Instant::now();
        }
        if finished {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            told = done.changed() => if told.is_err() { return Ok(()) },
        }
    }
}

/// The end of the progress file.
struct Tail {
    file: PathBuf,
    seen: Option<(u64, std::time::SystemTime)>,
    percent: Option<u8>,
    message: Option<String>,
}

impl Tail {
    fn new(file: PathBuf) -> Self {
        Self { file, seen: None, percent: None, message: None }
    }

    /// The last line that can be understood; a last line without its end only once the file is complete.
    fn look(&mut self, complete: bool) -> Progress {
        if let Some((text, whole)) = self.changed(complete) {
            let end = if complete { text.len() } else { text.rfind('\n').map_or(0, |at| at + 1) };
            let mut lines = text[..end].lines();
            if !whole {
                lines.next();
            }
            if let Some((percent, message)) = lines.rev().find_map(understand) {
                self.percent = Some(percent);
                self.message = message;
            }
        }
        Progress { percent: self.percent, message: self.message.clone(), ..Progress::default() }
    }

    /// The end of the file if it changed, and whether that is the whole of it.
    fn changed(&mut self, again: bool) -> Option<(String, bool)> {
        let seen = std::fs::symlink_metadata(&self.file).ok()?;
        let state = (seen.len(), seen.modified().ok()?);
        if !seen.is_file() || seen.len() == 0 || (self.seen == Some(state) && !again) {
            return None;
        }
        // The program owns the file: it may have put anything in its place.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file = std::fs::File::from(rustix::fs::open(&self.file, flags, Mode::empty()).ok()?);
        let start = seen.len().saturating_sub(TAIL);
        file.seek(SeekFrom::Start(start)).ok()?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes).ok()?;
        self.seen = Some(state);
        Some((String::from_utf8_lossy(&bytes).into_owned(), start == 0))
    }
}

/// `NN text` or `NN% text`, 0 to 100.
fn understand(line: &str) -> Option<(u8, Option<String>)> {
    let line = line.trim();
    let (number, text) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let number = number.strip_suffix('%').unwrap_or(number);
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let percent = number.parse().ok().filter(|percent| *percent <= 100)?;
    let clean: String = text.trim().chars().filter(|c| !c.is_control()).take(LONGEST_MESSAGE).collect();
    Some((percent, Some(clean).filter(|text| !text.is_empty())))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_that_are_understood() {
        let text = |line: &str| understand(line).map(|(percent, text)| (percent, text.unwrap_or_default()));
        assert_eq!(text("42 half way"), Some((42, "half way".into())));
        assert_eq!(text("100"), Some((100, String::new())));
        assert_eq!(text(" 7%\tseven\x1b[0m "), Some((7, "seven[0m".into())));
        for junk in ["", "x", "101 x", "-1 x", "+5", "4.5 x", "999999999999 x", "% x"] {
            assert_eq!(text(junk), None, "{junk}");
        }
    }

    #[test]
    fn the_last_good_line_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("progress");
        let mut file = std::fs::File::create(&path).unwrap();
        let mut tail = Tail::new(path.clone());
        assert_eq!(tail.look(false).percent, None);
        file.write_all(b"10 a\n20 b\njunk\n\xff\xff\n30 unfin").unwrap();
        assert_eq!((tail.look(false).percent, tail.look(false).message.as_deref()), (Some(20), Some("b")));
        assert_eq!(tail.look(true).message.as_deref(), Some("unfin"));
        file.write_all(&vec![b'z'; 200_000]).unwrap();
        file.write_all(b"\n99 c\n").unwrap();
        assert_eq!(tail.look(false).percent, Some(99));
    }

    #[test]
    fn what_stands_in_place_of_the_file_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("progress");
        std::fs::write(folder.path().join("other"), "50 x\n").unwrap();
        std::os::unix::fs::symlink(folder.path().join("other"), &path).unwrap();
        assert_eq!(Tail::new(path).look(true).percent, None);
    }
}
