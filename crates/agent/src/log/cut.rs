//! Bytes of a stream to entries of the attempt's log.
//!
//! One entry is one line of text: `<time> <out|err|sys> <text>\n`. A line longer than [`LONGEST`] is cut into entries
//! whose tag ends with `+` when the line goes on in the next entry of the same stream, so that no line, however long,
//! has to be held in memory.

/// Bytes of a line in one entry.
pub(crate) const LONGEST: usize = 16 * 1024;

/// Where a line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output of the command.
    Out,
    /// Standard error of the command.
    Err,
    /// The agent.
    Sys,
}

impl Stream {
    fn tag(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Err => "err",
            Self::Sys => "sys",
        }
    }
}

/// Cuts one stream.
#[derive(Debug)]
pub(crate) struct Cutter {
    stream: Stream,
    line: Vec<u8>,
}

impl Cutter {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, line: Vec::new() }
    }

    /// Takes bytes and appends the entries that are complete.
    pub(crate) fn push(&mut self, bytes: &[u8], stamp: &str, entries: &mut String) {
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            self.take(&rest[..at], stamp, entries);
            self.entry(self.line.len(), false, stamp, entries);
            rest = &rest[at + 1..];
        }
        self.take(rest, stamp, entries);
    }

    /// Appends what is left at the end of the stream.
    pub(crate) fn finish(&mut self, stamp: &str, entries: &mut String) {
        if !self.line.is_empty() {
            self.entry(self.line.len(), false, stamp, entries);
        }
    }

    /// Adds to the line; cuts while it is too long.
    fn take(&mut self, mut part: &[u8], stamp: &str, entries: &mut String) {
        while self.line.len() + part.len() > LONGEST {
            let (now, later) = part.split_at(LONGEST - self.line.len());
            self.line.extend_from_slice(now);
            let cut = boundary(&self.line);
            self.entry(cut, true, stamp, entries);
            part = later;
        }
        self.line.extend_from_slice(part);
    }

    fn entry(&mut self, end: usize, goes_on: bool, stamp: &str, entries: &mut String) {
        entries.push_str(stamp);
        entries.push(' ');
        entries.push_str(self.stream.tag());
        entries.push_str(if goes_on { "+ " } else { " " });
        push_clean(&self.line[..end], entries);
        entries.push('\n');
        self.line.drain(..end);
    }
}

/// Where to cut so that no character is torn apart.
fn boundary(line: &[u8]) -> usize {
    let tail = line.len().saturating_sub(4);
    match std::str::from_utf8(&line[tail..]) {
        // Valid so far, and a character is unfinished at the end.
        Err(error) if error.error_len().is_none() => tail + error.valid_up_to(),
        // The window may itself begin inside a character: look for the start of the last one.
        Err(_) => match line.iter().rposition(|byte| byte & 0xc0 != 0x80) {
            Some(at) if at >= tail && wants(line[at]) > line.len() - at => at,
            _ => line.len(),
        },
        Ok(_) => line.len(),
    }
}

/// Bytes of the character that starts with this one.
fn wants(first: u8) -> usize {
    match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    }
}

/// Text without control characters other than tab; what is no UTF-8 becomes U+FFFD.
fn push_clean(bytes: &[u8], entries: &mut String) {
    let text = String::from_utf8_lossy(bytes);
    if text.bytes().all(|byte| (b' '..0x7f).contains(&byte) || byte == b'\t') {
        entries.push_str(&text);
    } else {
        entries.extend(text.chars().filter(|c| !c.is_control() || *c == '\t'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of the lines, put together again from the entries.
    fn lines(entries: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let mut goes_on = false;
        for entry in entries.lines() {
            let mut parts = entry.splitn(3, ' ');
            let (_, tag, text) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
            if goes_on {
                let last: &mut String = lines.last_mut().unwrap();
                last.push_str(text);
            } else {
                lines.push(text.to_owned());
            }
            goes_on = tag.ends_with('+');
        }
        assert!(!goes_on);
        lines
    }

    fn cut(pieces: &[&[u8]]) -> String {
        let (mut cutter, mut entries) = (Cutter::new(Stream::Out), String::new());
        for piece in pieces {
            cutter.push(piece, "T", &mut entries);
        }
        cutter.finish("T", &mut entries);
        entries
    }

    #[test]
    fn lines_however_they_arrive() {
        assert_eq!(cut(&[b"a\nb", b"c\n", b"", b"\nlast"]), "T out a\nT out bc\nT out \nT out last\n");
        assert_eq!(cut(&[]), "");
    }

    #[test]
    fn long_lines_go_on() {
        let long = "äx€𝄞".repeat(50_000);
        for size in [1, 7, 1000, 65_536] {
            let pieces: Vec<&[u8]> = long.as_bytes().chunks(size).collect();
            let entries = cut(&pieces);
            assert!(entries.lines().all(|entry| entry.len() <= LONGEST + 10));
            assert_eq!(lines(&entries), std::slice::from_ref(&long), "in pieces of {size}");
        }
    }

    #[test]
    fn exactly_the_longest_is_one_entry() {
        let line = "x".repeat(LONGEST);
        assert_eq!(cut(&[line.as_bytes(), b"\n"]), format!("T out {line}\n"));
    }

    #[test]
    fn nothing_but_text() {
        assert_eq!(
            cut(&[b"a\xff\xfeb\r\n\x1b[31mred\x07\tx\x00\n"]),
            "T out a\u{fffd}\u{fffd}b\nT out [31mred\tx\n"
        );
        assert_eq!(cut(&["\u{85}\u{9b}x\n".as_bytes()]), "T out x\n");
    }
}
