//! The `Prefer` header (RFC 7240), which decides how a process is executed and how its results travel.

use http::{HeaderMap, HeaderValue};

/// What a client would like. Of a preference given twice the first counts (RFC 7240, section 2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefer {
    /// `respond-async`: a job rather than a long answer.
    pub respond_async: bool,
    /// `wait`: seconds that the client is willing to wait.
    pub wait: Option<u64>,
    /// Whether it will wait at all: `wait` with or without a number, or `respond-sync`, which some clients send.
    pub waits: bool,
    /// `return`: links to large values, or all values inline.
    pub returns: Option<Returns>,
    /// `profile`: documents wanted, URIs or short names.
    pub profile: Option<String>,
}

/// How much of the results an answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// Large values as links.
    Minimal,
    /// Every value inline.
    Representation,
}

impl Prefer {
    /// Read every `Prefer` header of a request. What can't be understood is ignored, as the RFC demands.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut prefer = Self::default();
        for text in headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok()) {
            for preference in split_outside_quotes(text, ',') {
                prefer.take(preference);
            }
        }
        prefer
    }

    fn take(&mut self, preference: &str) {
        // Parameters come after the first semicolon; none of those known changes a meaning.
        let Some(first) = split_outside_quotes(preference, ';').next() else { return };
        let (name, value) = first.split_once('=').unwrap_or((first, ""));
        let value = unquoted(value.trim());
        let name = name.trim().to_ascii_lowercase();
        self.waits |= matches!(name.as_str(), "wait" | "respond-sync");
        match name.as_str() {
            "respond-async" => self.respond_async = true,
            "wait" if self.wait.is_none() => self.wait = value.parse().ok(),
            "return" if self.returns.is_none() => self.returns = returns(&value),
            "profile" if self.profile.is_none() && !value.is_empty() => self.profile = Some(value),
            _ => {}
        }
    }
}

/// The header `Preference-Applied` of what was honoured; `None` = nothing was.
pub fn applied(parts: &[String]) -> Option<HeaderValue> {
    if parts.is_empty() {
        return None;
    }
    HeaderValue::from_str(&parts.join(", ")).ok()
}

fn returns(value: &str) -> Option<Returns> {
    match value.to_ascii_lowercase().as_str() {
        "minimal" => Some(Returns::Minimal),
        "representation" => Some(Returns::Representation),
        _ => None,
    }
}

fn unquoted(value: &str) -> String {
    match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => value.to_owned(),
    }
}

/// The parts of a header between separators that don't stand inside quotes.
pub(crate) fn split_outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c: char| {
        let escape = escaped;
        escaped = quoted && c == '\\' && !escape;
        if c == '"' && !escape {
            quoted = !quoted;
        }
        c == separator && !quoted
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefer(headers: &[&str]) -> Prefer {
        let mut map = HeaderMap::new();
        for header in headers {
            map.append("prefer", header.parse().unwrap());
        }
        Prefer::of(&map)
    }

    #[test]
    fn tokens_are_found_in_any_case_with_blanks_parameters_and_in_several_headers() {
        assert!(prefer(&["respond-async "]).respond_async);
        assert!(prefer(&["Respond-Async; foo=\"a,b\" , handling=lenient"]).respond_async);
        let both = prefer(&["respond-async, wait = 5", "return=\"Representation\""]);
        assert_eq!(both.wait, Some(5));
        assert_eq!(both.returns, Some(Returns::Representation));
    }

    #[test]
    fn the_first_of_two_counts_and_nonsense_is_ignored() {
        assert_eq!(prefer(&["wait=3, wait=9"]).wait, Some(3));
        for nonsense in [
            "wait",
            "wait=soon",
            "wait=-1",
            "wait=99999999999999999999",
            "return=",
            ",,;",
            "x=\"respond-async",
        ] {
            let waits = nonsense.starts_with("wait");
            assert_eq!(prefer(&[nonsense]), Prefer { waits, ..Prefer::default() }, "{nonsense}");
        }
    }

    #[test]
    fn a_quoted_value_hides_no_preference() {
        assert!(!prefer(&["x=\"a, respond-async\""]).respond_async);
        assert_eq!(
            prefer(&["profile=\"https://www.opengis.net/def/profile/OGC/0/ogc-results\""]).profile.as_deref(),
            Some("https://www.opengis.net/def/profile/OGC/0/ogc-results")
        );
    }
}
