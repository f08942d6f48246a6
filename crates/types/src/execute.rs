//! The execute request (`execute.yaml`).

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::JsonMap;

/// Body of `POST /processes/{processID}/execution`; unknown members are tolerated, as the schema does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExecuteRequest {
    /// Values by input id, not yet understood.
    #[serde(default, skip_serializing_if = "JsonMap::is_empty")]
    pub inputs: JsonMap,
    /// Outputs wanted; absent = all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<IndexMap<String, OutputSelection>>,
    /// 1.0: shape of the answer. Its presence makes the request one of 1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<ResponseKind>,
    /// Where to call back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriber: Option<Subscriber>,
}

/// How one output is wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OutputSelection {
    /// Representation wanted; absent = the first that the description offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// 1.0: by value or by reference. Its presence makes the request one of 1.0.
    #[serde(rename = "transmissionMode", default, skip_serializing_if = "Option::is_none")]
    pub transmission_mode: Option<TransmissionMode>,
}

/// A representation of a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// Media type.
    #[serde(rename = "mediaType", default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Encoding, such as `base64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Schema: a URL or an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<serde_json::Value>,
}

/// 1.0: shape of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResponseKind {
    /// The values themselves.
    #[default]
    Raw,
    /// A results document.
    Document,
}

/// 1.0: how an output travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransmissionMode {
    /// In the answer.
    #[default]
    Value,
    /// As a link.
    Reference,
}

/// Where the server tells what becomes of a job (class `callback`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscriber {
    /// Called with the results.
    #[serde(rename = "successUri", default, skip_serializing_if = "Option::is_none")]
    pub success: Option<String>,
    /// Called with the status while the job runs.
    #[serde(rename = "inProgressUri", default, skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<String>,
    /// Called with the status of a job that failed.
    #[serde(rename = "failedUri", default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}
