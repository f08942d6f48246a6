//! Conditional and partial requests (RFC 9110, sections 13 and 14) on bytes whose digest is known.

use std::ops::Range;

use http::{HeaderMap, header};

/// What part of a representation a request wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it: 200.
    Whole,
    /// These bytes: 206.
    Bytes(Range<u64>),
    /// Bytes that don't exist: 416.
    Unsatisfiable,
}

/// The entity tag of bytes with a digest.
pub fn etag(sha256: &str) -> String {
    format!("\"{sha256}\"")
}

/// Whether the client has it already (`If-None-Match`): 304.
pub fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|text| {
        text.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
    })
}

/// What part is wanted of `size` bytes. Several ranges and unknown units get the whole, as the RFC allows; `etag` is
/// `None` where the bytes may still grow, and then `If-Range` never holds.
pub fn part(headers: &HeaderMap, size: u64, etag: Option<&str>) -> Part {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(range) = text(header::RANGE) else { return Part::Whole };
    if let Some(condition) = text(header::IF_RANGE)
        && Some(condition.trim()) != etag
    {
        return Part::Whole;
    }
    let Some(wanted) = range.trim().strip_prefix("bytes=") else { return Part::Whole };
    let Some((first, last)) = wanted.split_once('-').filter(|_| !wanted.contains(',')) else {
        return Part::Whole;
    };
    match (first.trim(), last.trim()) {
        ("", "") => Part::Whole,
        ("", suffix) => match suffix.parse::<u64>() {
            Ok(0) => Part::Unsatisfiable,
            Ok(_) if size == 0 => Part::Unsatisfiable,
            Ok(length) => Part::Bytes(size.saturating_sub(length)..size),
            Err(_) => Part::Whole,
        },
        (first, last) => from_to(first, last, size),
    }
}

fn from_to(first: &str, last: &str, size: u64) -> Part {
    let Ok(first) = first.parse::<u64>() else { return Part::Whole };
    let last = match last {
        "" => u64::MAX,
        text => match text.parse::<u64>() {
            Ok(last) if last >= first => last,
            _ => return Part::Whole,
        },
    };
    if first >= size {
        return Part::Unsatisfiable;
    }
    Part::Bytes(first..last.saturating_add(1).min(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn ranges_are_understood_as_the_rfc_says() {
        let cases = [
            ("bytes=0-0", Part::Bytes(0..1)),
            ("bytes=5-", Part::Bytes(5..10)),
            ("bytes=5-99", Part::Bytes(5..10)),
            ("bytes=5-18446744073709551615", Part::Bytes(5..10)),
            ("bytes=-3", Part::Bytes(7..10)),
            ("bytes=-99", Part::Bytes(0..10)),
            ("bytes=10-", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=5-2", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=x-", Part::Whole),
            ("bytes=-", Part::Whole),
            ("lines=1-2", Part::Whole),
        ];
        for (range, expected) in cases {
            assert_eq!(part(&headers(&[("range", range)]), 10, None), expected, "{range}");
        }
        assert_eq!(part(&headers(&[("range", "bytes=-1")]), 0, None), Part::Unsatisfiable);
    }

    #[test]
    fn a_range_of_other_bytes_gets_the_whole() {
        let same = headers(&[("range", "bytes=1-2"), ("if-range", "\"abc\"")]);
        assert_eq!(part(&same, 10, Some("\"abc\"")), Part::Bytes(1..3));
        assert_eq!(part(&same, 10, Some("\"other\"")), Part::Whole);
        assert_eq!(part(&same, 10, None), Part::Whole);
    }

    #[test]
    fn a_known_tag_is_found_among_many() {
        assert!(is_known(&headers(&[("if-none-match", "\"x\", W/\"abc\"")]), "\"abc\""));
        assert!(is_known(&headers(&[("if-none-match", "*")]), "\"abc\""));
        assert!(!is_known(&headers(&[("if-none-match", "\"x\"")]), "\"abc\""));
        assert!(!is_known(&HeaderMap::new(), "\"abc\""));
    }
}
