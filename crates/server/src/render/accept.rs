//! The `Accept` header (RFC 9110, section 12.5.1) for representations whose media types are not known beforehand.

use http::{HeaderMap, header};

use super::prefer::split_outside_quotes;

/// What a client accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accept {
    ranges: Vec<MediaRange>,
    /// Whether the client said nothing.
    silent: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct MediaRange {
    kind: String,
    subtype: String,
    /// Thousandths.
    quality: u16,
    /// Parameter `profile`.
    profile: Option<String>,
}

impl Accept {
    /// Of a request. Without the header, or with an empty one, anything goes; one that names no media type accepts nothing.
    pub fn of(headers: &HeaderMap) -> Self {
        let texts = || headers.get_all(header::ACCEPT).iter().map(|value| value.to_str().unwrap_or("?"));
        let ranges =
            texts().flat_map(|text| split_outside_quotes(text, ',')).filter_map(media_range).collect();
        Self { ranges, silent: texts().all(|text| text.trim().is_empty()) }
    }

    /// Whether anything goes because the client did not say.
    pub fn is_any(&self) -> bool {
        self.silent
    }

    /// How welcome a media type is, 0 to 1000: by the most specific range that covers it.
    pub fn quality(&self, media_type: &str) -> u16 {
        if self.silent {
            return 1000;
        }
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let (kind, subtype) = essence.split_once('/').unwrap_or((&essence, ""));
        let specific = |range: &&MediaRange| u8::from(range.kind != "*") + u8::from(range.subtype != "*");
        let covers = |range: &&MediaRange| {
            (range.kind == "*" || range.kind == kind) && (range.subtype == "*" || range.subtype == subtype)
        };
        self.ranges.iter().filter(covers).max_by_key(specific).map_or(0, |range| range.quality)
    }

    /// Whether the client wrote this very media type.
    pub fn names(&self, media_type: &str) -> bool {
        self.ranges.iter().any(|range| {
            range.quality > 0
                && media_type.split_once('/') == Some((range.kind.as_str(), range.subtype.as_str()))
        })
    }

    /// Profiles asked for as a parameter.
    pub fn profiles(&self) -> impl Iterator<Item = &str> {
        self.ranges.iter().filter_map(|range| range.profile.as_deref())
    }
}

fn media_range(text: &str) -> Option<MediaRange> {
    let mut parts = split_outside_quotes(text, ';');
    let (kind, subtype) = parts.next()?.split_once('/')?;
    let mut range = MediaRange {
        kind: kind.trim().to_ascii_lowercase(),
        subtype: subtype.trim().to_ascii_lowercase(),
        quality: 1000,
        profile: None,
    };
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match name.trim().to_ascii_lowercase().as_str() {
            "q" => range.quality = quality(value.trim()),
            "profile" => range.profile = Some(value.trim().trim_matches('"').to_owned()),
            _ => {}
        }
    }
    (!range.kind.is_empty() && !range.subtype.is_empty()).then_some(range)
}

fn quality(text: &str) -> u16 {
    let number = text.parse::<f32>().ok().filter(|number| (0.0..=1.0).contains(number)).unwrap_or(1.0);
    // Between 0 and 1000.
    (number * 1000.0).round() as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(text: &str) -> Accept {
        Accept::of(&[(header::ACCEPT, text.parse().unwrap())].into_iter().collect())
    }

    #[test]
    fn the_most_specific_range_counts() {
        let browser = accept("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8");
        assert_eq!(browser.quality("text/html"), 1000);
        assert_eq!(browser.quality("image/tiff"), 800);
        assert_eq!(browser.quality("application/xml"), 900);
        assert_eq!(accept("image/*;q=0.5, image/tiff;q=0").quality("image/tiff"), 0);
        assert_eq!(accept("application/json").quality("text/plain"), 0);
        assert_eq!(accept("TEXT/Plain").quality("text/plain; charset=utf-8"), 1000);
    }

    #[test]
    fn silence_accepts_anything_and_nonsense_nothing() {
        assert_eq!(accept("").quality("image/tiff"), 1000);
        assert_eq!(Accept::of(&HeaderMap::new()).quality("image/tiff"), 1000);
        for text in ["nonsense", ";q=1", "/"] {
            assert_eq!(accept(text).quality("image/tiff"), 0, "{text}");
        }
        assert_eq!(accept("foo/bar").quality("image/tiff"), 0);
        assert_eq!(accept("a/b;q=7").quality("a/b"), 1000);
    }

    #[test]
    fn profiles_are_found() {
        let accept = accept("application/json; profile=\"https://example.org/a,b\"");
        assert_eq!(accept.profiles().collect::<Vec<_>>(), ["https://example.org/a,b"]);
        assert!(accept.names("application/json"));
        assert!(!accept.names("application/zip"));
    }
}
