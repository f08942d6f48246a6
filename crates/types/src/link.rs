//! Links, and the relations that OGC API - Processes gives them.

use serde::{Deserialize, Serialize};

/// A link as in `link.yaml` (Part 1, 1.0); `rel` is always written because 2.0 and the official suite demand it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Absolute URL of the target.
    pub href: String,
    /// Relation type, see [`rel`].
    #[serde(default)]
    pub rel: String,
    /// Media type of the target.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Language of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hreflang: Option<String>,
    /// Text for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Size of the target in bytes (2.0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
}

impl Link {
    /// A link with relation and media type.
    pub fn new(href: impl Into<String>, rel: &str, media_type: &str) -> Self {
        Self { href: href.into(), rel: rel.into(), media_type: Some(media_type.into()), ..Self::default() }
    }

    /// The same link with a title.
    #[must_use]
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }
}

/// Link relations; the `http` spelling, which 1.0 clients and the official suite compare literally.
pub mod rel {
    /// The conformance declaration.
    pub const CONFORMANCE: &str = "http://www.opengis.net/def/rel/ogc/1.0/conformance";
    /// The process list.
    pub const PROCESSES: &str = "http://www.opengis.net/def/rel/ogc/1.0/processes";
    /// The job list.
    pub const JOB_LIST: &str = "http://www.opengis.net/def/rel/ogc/1.0/job-list";
    /// Where a process is executed.
    pub const EXECUTE: &str = "http://www.opengis.net/def/rel/ogc/1.0/execute";
    /// The results of a job.
    pub const RESULTS: &str = "http://www.opengis.net/def/rel/ogc/1.0/results";
    /// The exceptions of a failed job.
    pub const EXCEPTIONS: &str = "http://www.opengis.net/def/rel/ogc/1.0/exceptions";
    /// The log of a job (2.0).
    pub const LOG: &str = "http://www.opengis.net/def/rel/ogc/1.0/log";
}
