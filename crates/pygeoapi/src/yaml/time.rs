//! Days and times as YAML 1.1 has them, and as Python's `datetime` writes them.

use std::fmt;

use jiff::civil::DateTime;

/// A day, or a day with a time and maybe a distance from UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    at: DateTime,
    /// Without it only the day was written.
    has_time: bool,
    /// Minutes east of UTC.
    offset: Option<i32>,
}

/// Reads what looks like a time. `None` = it does not look like one; `Some(None)` = it does, and there is no such time.
pub(super) fn read(text: &str) -> Option<Option<Time>> {
    let mut rest = Cursor(text);
    let year = rest.digits(4, 4)?;
    let month = rest.after('-')?.digits(1, 2)?;
    let day = rest.after('-')?.digits(1, 2)?;
    if rest.0.is_empty() {
        return (text.len() == 10).then(|| Time::new([year, month, day, 0, 0, 0, 0], false, None));
    }
    if !rest.skip(|c| matches!(c, 'T' | 't'), 1) && !rest.blanks() {
        return None;
    }
    let hour = rest.digits(1, 2)?;
    let minute = rest.after(':')?.digits(2, 2)?;
    let second = rest.after(':')?.digits(2, 2)?;
    let micros = if rest.skip(|c| c == '.', 1) { rest.fraction() } else { 0 };
    let offset = rest.offset()?;
    Some(Time::new([year, month, day, hour, minute, second, micros], true, offset))
}

impl Time {
    /// `None`: no such day, no such time.
    fn new(parts: [i32; 7], has_time: bool, offset: Option<i32>) -> Option<Self> {
        const DAY: i32 = 24 * 60;
        let [year, month, day, hour, minute, second, micros] = parts;
        let small = |number: i32| i8::try_from(number).ok();
        let at = DateTime::new(
            i16::try_from(year).ok()?,
            small(month)?,
            small(day)?,
            small(hour)?,
            small(minute)?,
            small(second)?,
            micros * 1000,
        );
        let valid = year > 0 && offset.is_none_or(|minutes| minutes.abs() < DAY);
        at.ok().filter(|_| valid).map(|at| Self { at, has_time, offset })
    }

    /// As `repr()` writes it, which is how a date looks inside of a list.
    pub(crate) fn repr(&self) -> String {
        let at = &self.at;
        let (year, month, day) = (at.year(), at.month(), at.day());
        if !self.has_time {
            return format!("datetime.date({year}, {month}, {day})");
        }
        let micros = at.subsec_nanosecond() / 1000;
        let mut parts = format!("{year}, {month}, {day}, {}, {}", at.hour(), at.minute());
        if at.second() > 0 || micros > 0 {
            parts.push_str(&format!(", {}", at.second()));
        }
        if micros > 0 {
            parts.push_str(&format!(", {micros}"));
        }
        let zone = match self.offset {
            None => return format!("datetime.datetime({parts})"),
            Some(0) => "datetime.timezone.utc".to_owned(),
            Some(offset) => format!("datetime.timezone({})", delta(offset * 60)),
        };
        format!("datetime.datetime({parts}, tzinfo={zone})")
    }

    /// As `isoformat()` writes it.
    pub(crate) fn iso(&self) -> String {
        self.to_string().replace(' ', "T")
    }
}

/// As `str()` writes it: `2025-01-01`, `2025-01-01 00:00:00+00:00`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.at.year(), self.at.month(), self.at.day())?;
        if !self.has_time {
            return Ok(());
        }
        write!(f, " {:02}:{:02}:{:02}", self.at.hour(), self.at.minute(), self.at.second())?;
        let micros = self.at.subsec_nanosecond() / 1000;
        if micros > 0 {
            write!(f, ".{micros:06}")?;
        }
        let Some(offset) = self.offset else { return Ok(()) };
        let sign = if offset < 0 { '-' } else { '+' };
        write!(f, "{sign}{:02}:{:02}", offset.abs() / 60, offset.abs() % 60)
    }
}

/// Python counts a time before as a whole day less and the rest of it more.
fn delta(seconds: i32) -> String {
    if seconds < 0 {
        format!("datetime.timedelta(days=-1, seconds={})", seconds + 24 * 60 * 60)
    } else {
        format!("datetime.timedelta(seconds={seconds})")
    }
}

/// What is left to read.
struct Cursor<'a>(&'a str);

impl Cursor<'_> {
    /// The number that at least `least` and at most `most` digits make.
    fn digits(&mut self, least: usize, most: usize) -> Option<i32> {
        let length = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if length < least {
            return None;
        }
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        digits.parse().ok()
    }

    fn after(&mut self, c: char) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(c)?;
        Some(self)
    }

    fn skip(&mut self, is_it: impl Fn(char) -> bool, length: usize) -> bool {
        let found = self.0.starts_with(is_it);
        if found {
            self.0 = &self.0[length..];
        }
        found
    }

    /// Whether there were any.
    fn blanks(&mut self) -> bool {
        let rest = self.0.trim_start_matches([' ', '\t']);
        let some = rest.len() < self.0.len();
        self.0 = rest;
        some
    }

    /// Millionths; further digits are cut off.
    fn fraction(&mut self) -> i32 {
        let length = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        let six: String = digits.chars().chain("000000".chars()).take(6).collect();
        six.parse().unwrap_or(0)
    }

    /// Minutes east of UTC up to the end of the text. `Some(None)` = the text says nothing of it.
    fn offset(&mut self) -> Option<Option<i32>> {
        if self.0.is_empty() {
            return Some(None);
        }
        self.blanks();
        if self.0 == "Z" {
            return Some(Some(0));
        }
        let sign = if self.skip(|c| c == '-', 1) { -1 } else { self.after('+').map(|_| 1)? };
        let hours = self.digits(1, 2)?;
        let minutes = if self.0.is_empty() { 0 } else { self.after(':')?.digits(2, 2)? };
        self.0.is_empty().then_some(Some(sign * (hours * 60 + minutes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_python_does() {
        for (written, wanted) in [
            ("2025-01-01", "2025-01-01"),
            ("2025-01-01T00:00:00Z", "2025-01-01 00:00:00+00:00"),
            ("2025-1-2 3:04:05", "2025-01-02 03:04:05"),
            ("2025-01-01t12:00:00.5+5:30", "2025-01-01 12:00:00.500000+05:30"),
            ("2025-01-01 12:00:00.1234567 -03", "2025-01-01 12:00:00.123456-03:00"),
            ("2025-01-01 \t 12:00:00.", "2025-01-01 12:00:00"),
            ("0001-01-01", "0001-01-01"),
        ] {
            assert_eq!(
                read(written).flatten().map(|time| time.to_string()).as_deref(),
                Some(wanted),
                "{written}"
            );
        }
        assert_eq!(read("2025-01-01T00:00:00Z").flatten().unwrap().iso(), "2025-01-01T00:00:00+00:00");
    }

    #[test]
    fn what_only_resembles_a_time_is_none() {
        for text in [
            "2025-1-1",
            "2026-03-06T12:00Z",
            "2025-01-01T00:00:00 z",
            "2025-01-01T",
            "20250101",
            "2025-01-01 00:00:00+0530",
            "2025-01-01x",
            "2025-01-01T 00:00:00",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_that_is_not_is_no_text_either() {
        for text in
            ["2025-02-30", "0000-01-01", "2025-13-01", "2025-01-01 25:00:00", "2025-01-01 00:00:00+99"]
        {
            assert_eq!(read(text), Some(None), "{text}");
        }
    }
}
