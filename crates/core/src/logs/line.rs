//! A line of a log: `<RFC 3339 time, microseconds>Z <out|err|sys>[+] <text>`.

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// When it was written, RFC 3339; empty where the line is no such line.
    pub time: &'a str,
    /// `out`, `err` or `sys`.
    pub stream: &'a str,
    /// Whether it goes on in the next line of its stream.
    pub goes_on: bool,
    /// What was printed.
    pub text: &'a str,
}

impl<'a> Line<'a> {
    /// Reads a line, without its end; one in another form is all text.
    pub fn parse(line: &'a str) -> Self {
        let whole = Self { time: "", stream: "out", goes_on: false, text: line };
        let Some((time, rest)) = line.split_once(' ') else { return whole };
        let (tag, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let stream = tag.strip_suffix('+').unwrap_or(tag);
        if !matches!(stream, "out" | "err" | "sys") || !time.ends_with('Z') {
            return whole;
        }
        Self { time, stream, goes_on: tag.ends_with('+'), text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_apart() {
        let line = Line::parse("2026-11-25T10:00:00.000001Z err+ a  b");
        assert_eq!((line.stream, line.goes_on, line.text), ("err", true, "a  b"));
        assert_eq!(Line::parse("2026-11-25T10:00:00.000001Z out ").text, "");
        assert_eq!(Line::parse("something else entirely").text, "something else entirely");
        assert_eq!(Line::parse("").text, "");
    }
}
