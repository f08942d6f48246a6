//! What a source answered: its head, and its body as a stream that keeps the limits.

use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::HeaderMap;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use tokio::time::Instant;
use url::Url;

use crate::error::{Error, root_cause};
use crate::policy::Policy;

/// Below this many bytes in [`SLOW_WINDOWS`] idle times a source counts as silent: dripping single bytes would keep
/// a transfer of the greatest size open for centuries.
const SLOW_BYTES: u64 = 1024;
const SLOW_WINDOWS: u32 = 10;

/// What a source answered.
#[derive(Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Where it came from, after redirects.
    pub url: Url,
    /// Bytes that the source promises; absent when it does not say (or compresses).
    pub length: Option<u64>,
    body: reqwest::Response,
    limits: Pace,
}

#[derive(Debug)]
struct Pace {
    max_bytes: u64,
    idle: Duration,
    got: u64,
    window_start: Instant,
    window_bytes: u64,
}

impl Response {
    pub(crate) fn new(body: reqwest::Response, policy: &Policy) -> Result<Self, Error> {
        let length = body.content_length();
        if length.is_some_and(|length| length > policy.max_bytes) {
            return Err(Error::TooLarge { limit: policy.max_bytes });
        }
        let limits = Pace {
            max_bytes: policy.max_bytes,
            idle: policy.idle,
            got: 0,
            window_start: Instant::now(),
            window_bytes: 0,
        };
        Ok(Self {
            status: body.status().as_u16(),
            headers: body.headers().clone(),
            url: body.url().clone(),
            length,
            body,
            limits,
        })
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The media type as the source gave it, with its parameters.
    pub fn media_type(&self) -> Option<&str> {
        self.headers.get(CONTENT_TYPE)?.to_str().ok().map(str::trim).filter(|text| !text.is_empty())
    }

    /// A file name: from `Content-Disposition`, else the last segment of the path. Always one safe path component.
    pub fn file_name(&self) -> Option<String> {
        let disposition = self.headers.get(CONTENT_DISPOSITION).and_then(|value| value.to_str().ok());
        let told = disposition.and_then(name_in_disposition);
        told.or_else(|| self.url.path_segments()?.next_back().map(decode)).and_then(|name| safe(&name))
    }

    /// The next bytes; `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let next = tokio::time::timeout(self.limits.idle, self.body.chunk()).await;
        let host = || self.url.host_str().unwrap_or_default().to_owned();
        let idle = || Error::Idle { host: host(), seconds: self.limits.idle.as_secs() };
        let chunk = next
            .map_err(|_| idle())?
            .map_err(|error| Error::BrokenOff { host: host(), reason: root_cause(&error) })?;
        let Some(chunk) = chunk else { return Ok(None) };
        let slow = idle();
        self.limits.count(chunk.len() as u64, slow)?;
        Ok(Some(chunk))
    }

    /// The body as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, Error>> + Send {
        futures_util::stream::try_unfold(self, |mut response| async move {
            Ok(response.chunk().await?.map(|chunk| (chunk, response)))
        })
    }
}

impl Pace {
    fn count(&mut self, bytes: u64, slow: Error) -> Result<(), Error> {
        self.got += bytes;
        if self.got > self.max_bytes {
            return Err(Error::TooLarge { limit: self.max_bytes });
        }
        self.window_bytes += bytes;
        if self.window_start.elapsed() > self.idle * SLOW_WINDOWS {
            if self.window_bytes < SLOW_BYTES {
                return Err(slow);
            }
            self.window_start = Instant::now();
            self.window_bytes = 0;
        }
        Ok(())
    }
}

/// `filename*` before `filename` (RFC 6266 section 4.3).
fn name_in_disposition(text: &str) -> Option<String> {
    let parameter = |key: &str| {
        text.split(';').skip(1).find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case(key).then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    if let Some(extended) = parameter("filename*") {
        let encoded = extended.splitn(3, '\'').nth(2)?.to_owned();
        return Some(decode(&encoded));
    }
    parameter("filename")
}

/// Percent-decoded; bytes that are no UTF-8 become U+FFFD.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match hex.filter(|_| first == b'%').and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn safe(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next()?;
    let mut clean: String = last.chars().map(|c| if c.is_control() { '_' } else { c }).collect();
    while clean.len() > 200 {
        clean.pop();
    }
    let clean = clean.trim();
    (!clean.is_empty() && clean != "." && clean != "..").then(|| clean.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_safe_component() {
        let name = |text: &str| name_in_disposition(text).and_then(|name| safe(&name));
        assert_eq!(name("attachment; filename=\"dem.tif\"").as_deref(), Some("dem.tif"));
        assert_eq!(
            name("attachment; filename=a; filename*=UTF-8''gel%C3%A4nde.tif").as_deref(),
            Some("gelände.tif")
        );
        assert_eq!(name("attachment; filename=\"../../etc/passwd\"").as_deref(), Some("passwd"));
        assert_eq!(name("attachment; filename=\"..\""), None);
        assert_eq!(safe("a\nb").as_deref(), Some("a_b"));
        assert_eq!(decode("a%2Fb%zz%"), "a/b%zz%");
        assert_eq!(safe(&decode("..%2F..%2Fx")).as_deref(), Some("x"));
    }
}
