//! Why the program failed, in its own words: a file that it may write, for the exception of its job.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};

/// Only this much of the file is read.
const LONGEST: u64 = 4096;

/// Its words; `None` = it says nothing, or not in a plain file.
pub(crate) fn reason(file: &Path) -> Option<String> {
    let bytes = start_of(file).ok()?;
    let text: String =
        String::from_utf8_lossy(&bytes).chars().filter(|c| !c.is_control() || *c == '\n').collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn start_of(path: &Path) -> io::Result<Vec<u8>> {
    // What was put there instead, a link or a FIFO, is not read.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(open(path, flags, Mode::empty())?);
    let mut bytes = Vec::new();
    if file.metadata()?.is_file() {
        file.take(LONGEST).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
