//! Wire types: what stands in JSON between Rutter and the world, and between Rutter and its agents.
//!
//! They carry serde and nothing else: no validation, no behaviour, and they are never stored as they are
//! (records have versions of their own). Members follow OGC API - Processes, Part 1, version 1.0 (OGC 18-062r2)
//! and the draft of 2.0 (OGC 18-062r3), given side by side where both can live in one document.

pub mod agent;
mod execute;
mod link;
mod problem;
mod process;
mod status;

pub use execute::{ExecuteRequest, Format, OutputSelection, ResponseKind, Subscriber, TransmissionMode};
pub use link::{Link, rel};
pub use problem::{Fault, Problem, exception};
pub use process::{
    Conformance, InputDescription, JobControl, LandingPage, MaxOccurs, Metadata, OutputDescription,
    ProcessDescription, ProcessList, ProcessSummary,
};
pub use status::{AttemptInfo, JobList, StatusCode, StatusInfo};

/// A JSON object that keeps the order of its members.
pub type JsonMap = serde_json::Map<String, serde_json::Value>;
