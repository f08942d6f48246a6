//! Two streams to lines, in the order in which they end. A line too long to be held is handed on in parts, and nothing of the
//! other stream comes between them.

use std::io;

/// A line up to here is looked at as a whole.
pub(crate) const LONGEST: usize = 64 * 1024;
/// Most bytes of one stream that wait for the end of a long line of the other.
const WAITING: usize = 1024 * 1024;

/// Where bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Who takes lines.
pub(crate) trait Take {
    /// A whole line without its end.
    fn line(&mut self, line: &[u8]) -> io::Result<()>;
    /// The first part of a long line.
    fn long(&mut self, part: &[u8]) -> io::Result<()>;
    /// A further part of a long line; the last one has its end.
    fn part(&mut self, part: &[u8]) -> io::Result<()>;
}

/// The lines of both streams.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The unfinished line of each.
    open: [Vec<u8>; 2],
    /// Whose line is handed on in parts.
    long: Option<Stream>,
    /// Whole lines of the other one meanwhile.
    waiting: Vec<u8>,
}

impl Lines {
    pub(crate) fn push(&mut self, stream: Stream, bytes: &[u8], to: &mut impl Take) -> io::Result<()> {
        let mut rest = bytes;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(at + 1);
            rest = after;
            self.ends(stream, line, to)?;
        }
        self.goes_on(stream, rest, to)
    }

    /// What has no end of its line gets one.
    pub(crate) fn finish(&mut self, to: &mut impl Take) -> io::Result<()> {
        for stream in [self.long.unwrap_or(Stream::Out), Stream::Out, Stream::Err] {
            if self.long == Some(stream) || !self.open[index(stream)].is_empty() {
                self.ends(stream, b"\n", to)?;
            }
        }
        Ok(())
    }

    /// The last piece of a line, with its end.
    fn ends(&mut self, stream: Stream, piece: &[u8], to: &mut impl Take) -> io::Result<()> {
        if self.long == Some(stream) {
            to.part(piece)?;
            self.long = None;
            let waiting = std::mem::take(&mut self.waiting);
            return lines(&waiting, to);
        }
        let open = &mut self.open[index(stream)];
        if self.long.is_some() {
            self.waiting.append(open);
            self.waiting.extend_from_slice(piece);
            return self.waits_not_for_ever(to);
        }
        if open.is_empty() {
            return to.line(bare(piece));
        }
        open.extend_from_slice(piece);
        let line = std::mem::take(open);
        to.line(bare(&line))
    }

    /// A piece of a line without its end.
    fn goes_on(&mut self, stream: Stream, piece: &[u8], to: &mut impl Take) -> io::Result<()> {
        if self.long == Some(stream) {
            return to.part(piece);
        }
        let open = &mut self.open[index(stream)];
        open.extend_from_slice(piece);
        if open.len() <= LONGEST {
            return Ok(());
        }
        if self.long.is_some() {
            // Two long lines at once: this one is torn.
            self.waiting.append(open);
            self.waiting.push(b'\n');
            return self.waits_not_for_ever(to);
        }
        self.long = Some(stream);
        to.long(&std::mem::take(open))
    }

    fn waits_not_for_ever(&mut self, to: &mut impl Take) -> io::Result<()> {
        if self.waiting.len() <= WAITING {
            return Ok(());
        }
        lines(&std::mem::take(&mut self.waiting), to)
    }
}

fn lines(text: &[u8], to: &mut impl Take) -> io::Result<()> {
    text.split_inclusive(|byte| *byte == b'\n').try_for_each(|line| to.line(bare(line)))
}

/// Without its end.
fn bare(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

fn index(stream: Stream) -> usize {
    usize::from(stream == Stream::Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Text(String);

    impl Take for Text {
        fn line(&mut self, line: &[u8]) -> io::Result<()> {
            self.0.push_str(&format!("[{}]", String::from_utf8_lossy(line)));
            Ok(())
        }

        fn long(&mut self, part: &[u8]) -> io::Result<()> {
            self.part(part)
        }

        fn part(&mut self, part: &[u8]) -> io::Result<()> {
            self.0.push_str(&format!("<{}>", part.len()));
            Ok(())
        }
    }

    fn of(pieces: &[(Stream, &str)]) -> String {
        let (mut lines, mut text) = (Lines::default(), Text::default());
        for (stream, piece) in pieces {
            lines.push(*stream, piece.as_bytes(), &mut text).unwrap();
        }
        lines.finish(&mut text).unwrap();
        text.0
    }

    #[test]
    fn lines_come_in_the_order_of_their_ends() {
        use Stream::{Err, Out};
        assert_eq!(of(&[(Out, "a\nb"), (Err, "x\n"), (Out, "c\n\nd"), (Err, "y")]), "[a][x][bc][][d][y]");
        assert_eq!(of(&[]), "");
    }

    #[test]
    fn a_long_line_is_not_torn_by_the_other_stream() {
        use Stream::{Err, Out};
        let long = "y".repeat(LONGEST + 1);
        let seen = of(&[(Out, &long), (Err, "33 %\n"), (Out, "yy"), (Err, "66 %\n"), (Out, "y\nz\n")]);
        assert_eq!(seen, format!("<{}><2><2>[33 %][66 %][z]", LONGEST + 1));
        let seen = of(&[(Out, &long), (Err, "late")]);
        assert_eq!(seen, format!("<{}><1>[late]", LONGEST + 1), "an end that never came");
        let flood = "x\n".repeat(WAITING);
        assert!(
            of(&[(Out, &long), (Err, &flood), (Out, "y\n")]).contains("[x]<2>"),
            "nothing waits for ever"
        );
    }
}
