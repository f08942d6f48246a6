//! Problem documents (RFC 9457) as OGC API - Processes uses them for exceptions.

use serde::{Deserialize, Serialize};

use crate::JsonMap;

/// An exception: `exception.yaml`, RFC 9457.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// What kind of problem: a URI of [`exception`], or `about:blank`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// This occurrence in words: what to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// URI of this occurrence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Every fault found in the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
    /// Further members.
    #[serde(flatten)]
    pub more: JsonMap,
}

/// One fault of a request: where, what, what would be right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// JSON pointer into the request body (RFC 6901), such as `/inputs/level`.
    pub pointer: String,
    /// What is wrong and what to change.
    pub detail: String,
    /// The value received, shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<serde_json::Value>,
    /// What is allowed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<serde_json::Value>,
}

impl Fault {
    /// A fault at a place, without values.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into(), received: None, allowed: None }
    }
}

/// Exception types: those of the standard keep its `http` spelling; ours stand below `RUTTER`.
pub mod exception {
    /// Unknown process (Part 1, `/req/core/process-exception/no-such-process`).
    pub const NO_SUCH_PROCESS: &str =
        "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/no-such-process";
    /// Unknown job (`/req/core/job-exception-no-such-job`).
    pub const NO_SUCH_JOB: &str = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/no-such-job";
    /// Results asked before the job ended (`/req/core/job-results-exception/results-not-ready`).
    pub const RESULT_NOT_READY: &str =
        "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/result-not-ready";
    /// The job ended without what was asked (2.0).
    pub const RESULT_NOT_AVAILABLE: &str =
        "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/result-not-available";
    /// Unknown output id in a path (2.0).
    pub const NO_SUCH_OUTPUT: &str =
        "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/no-such-output";
    /// Bad query parameter (2.0).
    pub const INVALID_QUERY: &str =
        "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/invalid-query-parameter-value";
    /// Inputs or outputs of an execute request that break the process description.
    pub const INVALID_PARAMETER: &str = "InvalidParameterValue";
    /// Prefix of the kinds that the standard does not name.
    pub const RUTTER: &str = "https://rutter.dev/exceptions/";
}
