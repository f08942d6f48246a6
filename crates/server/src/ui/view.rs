//! What pages about jobs show, as plain values.

use jiff::Timestamp;
use rutter_types::StatusInfo;
use serde::Serialize;
use serde_json::Value;

/// The page of a job.
#[derive(Clone, Debug, Serialize)]
pub struct JobView<'a> {
    /// What the JSON says.
    pub status: &'a StatusInfo,
    /// Title of the process.
    pub process_title: Option<&'a str>,
    /// The request as kept with the job.
    pub request: &'a Value,
    /// Last lines of the log, without times and tags.
    pub log_tail: Vec<String>,
    /// Seconds that the command ran, or has run so far.
    pub seconds: Option<f64>,
    /// Most memory that it used, bytes.
    pub peak_memory: Option<u64>,
    /// Seconds after which the page is loaded again; `None` when the job is over.
    pub refresh: Option<u32>,
}

/// The page of a list of jobs.
#[derive(Clone, Debug, Serialize)]
pub struct JobsView<'a> {
    /// What the JSON says.
    pub jobs: &'a [StatusInfo],
    /// The filter as asked.
    pub filter: FilterView,
    /// Process ids to choose from.
    pub processes: Vec<String>,
    /// URL of the next page.
    pub next: Option<String>,
    /// URL of the first page, when this is not it.
    pub first: Option<String>,
}

/// The filter of a list of jobs, as it stands in the query.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FilterView {
    /// `processID`: first value.
    pub process: String,
    /// `status`: every value.
    pub statuses: Vec<String>,
    /// `datetime`.
    pub datetime: String,
    /// `minDuration`.
    pub min_duration: String,
    /// `maxDuration`.
    pub max_duration: String,
    /// `limit`.
    pub limit: String,
}

/// The page of a job's results.
#[derive(Clone, Debug, Serialize)]
pub struct ResultsView<'a> {
    /// The job.
    pub status: &'a StatusInfo,
    /// One row per value.
    pub rows: Vec<ResultRow>,
    /// URL of everything as one archive.
    pub archive: Option<String>,
}

/// One value of the results.
#[derive(Clone, Debug, Serialize)]
pub struct ResultRow {
    /// Output id.
    pub output: String,
    /// Title of the output.
    pub title: Option<String>,
    /// Number of the value, from 0, where there are several.
    pub index: Option<usize>,
    /// Media type.
    pub media_type: String,
    /// File name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// URL of the bytes.
    pub url: String,
    /// What is shown of it on the page.
    pub shown: Shown,
}

/// What of a value stands on the page.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind", content = "text")]
pub enum Shown {
    /// A link only.
    Link,
    /// The value as text.
    Text(String),
    /// The beginning of a long text.
    Excerpt(String),
    /// A picture that browsers can show (PNG, JPEG, GIF, WebP, SVG).
    Picture,
}

/// The page of a job's log.
#[derive(Clone, Debug, Serialize)]
pub struct LogView<'a> {
    /// The job.
    pub status: &'a StatusInfo,
    /// Lines in order.
    pub lines: Vec<LogLine>,
    /// Whether earlier lines are left out.
    pub cut: bool,
    /// URL of the whole log as plain text.
    pub plain: String,
    /// Seconds after which the page is loaded again; `None` when the job is over.
    pub refresh: Option<u32>,
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// When, if the line tells.
    pub time: Option<Timestamp>,
    /// `out`, `err` or `sys`.
    pub stream: String,
    /// The line.
    pub text: String,
}
