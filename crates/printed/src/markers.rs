//! A result among what a program prints, as images of the older managers write it: a line with the media type, a line that says
//! that the value begins, and the value.
//!
//! Anything may stand before a marker in its line: loggers write their own words there. Of several results the last counts.

use memchr::memmem;

pub(crate) const MEDIA_TYPE: &[u8] = b"PYGEOAPI_K8S_MANAGER_RESULT_MIMETYPE";
pub(crate) const START: &[u8] = b"PYGEOAPI_K8S_MANAGER_RESULT_START";

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// No marker.
    Nothing,
    /// Says the media type.
    MediaType,
    /// The value begins; what stands behind the marker, to the end of the line.
    Start(&'a [u8]),
}

/// Looks for markers line by line.
#[derive(Debug, Default)]
pub(crate) struct Markers {
    said: Option<String>,
    /// The value's media type, once it began.
    started: Option<Option<String>>,
    /// Whether something of the value was there.
    has_text: bool,
    /// That of the value before, which counts where the last one stays empty.
    before: Option<Option<String>>,
}

impl Markers {
    pub(crate) fn line<'a>(&mut self, line: &'a [u8]) -> Found<'a> {
        if let Some(after) = behind(line, MEDIA_TYPE) {
            let text = after.strip_prefix(b":").map(String::from_utf8_lossy);
            self.said = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
            // Some say it after the start.
            if let Some(media_type) = self.started.as_mut().filter(|_| !self.has_text) {
                media_type.clone_from(&self.said);
            }
            return Found::MediaType;
        }
        if let Some(after) = behind(line, START) {
            self.before = self.started.take().filter(|_| self.has_text).or(self.before.take());
            self.started = Some(self.said.clone());
            let rest = after.trim_ascii_start();
            let rest = rest.strip_prefix(b":").unwrap_or(rest).trim_ascii_start();
            self.has_text = crate::json::begins(rest);
            return Found::Start(rest);
        }
        self.has_text |= !line.trim_ascii().is_empty();
        Found::Nothing
    }

    /// Whether something stands behind the last start.
    pub(crate) fn has_text(&self) -> bool {
        self.has_text
    }

    /// Whether a value began.
    pub(crate) fn is_started(&self) -> bool {
        self.started.is_some()
    }

    /// The media type of the value; `None` = no value began.
    pub(crate) fn media_type(&self) -> Option<Option<&str>> {
        let last = self.before.as_ref().filter(|_| !self.has_text).or(self.started.as_ref());
        last.map(Option::as_deref)
    }
}

fn behind<'a>(line: &'a [u8], marker: &[u8]) -> Option<&'a [u8]> {
    memmem::find(line, marker).map(|at| &line[at + marker.len()..])
}
