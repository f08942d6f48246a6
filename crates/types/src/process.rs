//! Landing page, conformance, process list and process descriptions.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{JsonMap, Link, TransmissionMode};

/// The landing page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LandingPage {
    /// Name of this installation.
    pub title: String,
    /// What it offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where to go.
    pub links: Vec<Link>,
}

/// The conformance declaration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conformance {
    /// URIs of the classes that hold.
    #[serde(rename = "conformsTo")]
    pub conforms_to: Vec<String>,
}

/// A page of processes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessList {
    /// Summaries, in order of their ids.
    pub processes: Vec<ProcessSummary>,
    /// `self`, `alternate`, `next`.
    pub links: Vec<Link>,
}

/// What the list says of a process (`processSummary.yaml`, 1.0 and 2.0, and `mutable` of Part 2).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessSummary {
    /// Identifier in URLs.
    pub id: String,
    /// Version of the process.
    pub version: String,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Key words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// Further documents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metadata: Vec<Metadata>,
    /// How it may be executed.
    #[serde(rename = "jobControlOptions", default, skip_serializing_if = "Vec::is_empty")]
    pub job_control_options: Vec<JobControl>,
    /// 1.0: how outputs may travel.
    #[serde(rename = "outputTransmission", default, skip_serializing_if = "Vec::is_empty")]
    pub output_transmission: Vec<TransmissionMode>,
    /// Part 2: whether it may be replaced through the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutable: Option<bool>,
    /// Where to go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
}

/// The whole description (`process.yaml`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessDescription {
    /// What the list says too.
    #[serde(flatten)]
    pub summary: ProcessSummary,
    /// Inputs by id, in the order of the package.
    #[serde(default)]
    pub inputs: IndexMap<String, InputDescription>,
    /// Outputs by id, in the order of the package.
    #[serde(default)]
    pub outputs: IndexMap<String, OutputDescription>,
}

/// One input (`inputDescription.yaml`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InputDescription {
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it means, with its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Key words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// Further documents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metadata: Vec<Metadata>,
    /// Least number of values; 1 when absent.
    #[serde(rename = "minOccurs", default, skip_serializing_if = "Option::is_none")]
    pub min_occurs: Option<u32>,
    /// Greatest number of values; 1 when absent.
    #[serde(rename = "maxOccurs", default, skip_serializing_if = "Option::is_none")]
    pub max_occurs: Option<MaxOccurs>,
    /// 2.0: `byValue`, `byReference`; both when absent.
    #[serde(rename = "valuePassing", default, skip_serializing_if = "Vec::is_empty")]
    pub value_passing: Vec<String>,
    /// JSON Schema of one value.
    pub schema: Value,
}

/// One output (`outputDescription.yaml`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OutputDescription {
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it means, with its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Key words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// Further documents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metadata: Vec<Metadata>,
    /// 2.0: least number of values; 1 when absent.
    #[serde(rename = "minOccurs", default, skip_serializing_if = "Option::is_none")]
    pub min_occurs: Option<u32>,
    /// 2.0: greatest number of values; 1 when absent.
    #[serde(rename = "maxOccurs", default, skip_serializing_if = "Option::is_none")]
    pub max_occurs: Option<MaxOccurs>,
    /// JSON Schema of one value.
    pub schema: Value,
}

/// Greatest number of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MaxOccurs {
    /// That many.
    Count(u32),
    /// Any number.
    Unbounded(Unbounded),
}

/// The word `unbounded`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unbounded {
    /// Any number.
    Unbounded,
}

impl MaxOccurs {
    /// Any number.
    pub const UNBOUNDED: Self = Self::Unbounded(Unbounded::Unbounded);

    /// Whether more than one value may be given, so that they travel in an array.
    pub fn is_many(self) -> bool {
        !matches!(self, Self::Count(0 | 1))
    }
}

/// How a process may be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobControl {
    /// The caller waits for the results.
    SyncExecute,
    /// The caller gets a job.
    AsyncExecute,
    /// Jobs may be dismissed.
    Dismiss,
}

/// A further document or value (`metadata.yaml`, 1.0 and 2.0).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is to the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub href: Option<String>,
    /// Further members.
    #[serde(flatten)]
    pub more: JsonMap,
}
