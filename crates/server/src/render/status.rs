//! Status documents, written straight from the record: this is what clients ask for most.

use std::fmt;

use jiff::Timestamp;
use rutter_core::{
    id::OutputId,
    job::{Job, State},
};
use rutter_types::{Problem, StatusCode, rel};
use serde::{Serialize, Serializer, ser::SerializeSeq};

use super::attempts::Attempts;

/// What a document says of a job, with the members of 1.0 and 2.0 together (`statusInfo.yaml`).
#[derive(Serialize)]
pub struct StatusDocument<'a> {
    id: rutter_core::id::JobId,
    #[serde(rename = "jobID")]
    job_id: rutter_core::id::JobId,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "processingEntityType")]
    processing_entity_type: &'static str,
    #[serde(rename = "processID")]
    process_id: &'a str,
    status: StatusCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<u8>,
    created: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<Timestamp>,
    updated: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exception: Option<&'a Problem>,
    /// What clients of the older managers look for: the inputs as a text, secrets masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<String>,
    #[serde(skip_serializing_if = "Attempts::is_dull")]
    attempts: Attempts<'a>,
    links: Links<'a>,
}

impl<'a> StatusDocument<'a> {
    /// With the inputs as a text.
    pub(crate) fn with_parameters(self, parameters: Option<String>) -> Self {
        Self { parameters, ..self }
    }

    /// Of a job; `base` is the URL of the landing page without its slash.
    pub fn of(job: &'a Job, base: &'a str, expires: Option<Timestamp>) -> Self {
        Self {
            id: job.id,
            job_id: job.id,
            kind: "process",
            processing_entity_type: "ogc-api-processes",
            process_id: job.process.as_str(),
            status: job.status(),
            message: job.message.as_deref(),
            progress: job.progress,
            created: job.created,
            started: job.started(),
            finished: job.finished(),
            updated: job.updated,
            parameters: None,
            expires,
            exception: match &job.state {
                State::Failed { exception, .. } => Some(exception),
                _ => None,
            },
            attempts: Attempts::of(job, base),
            links: Links { job, base, status: job.status() },
        }
    }

    /// As it was when the job was accepted: what an event stream tells that begins later.
    pub fn as_accepted(mut self) -> Self {
        self.updated = self.created;
        self.started = None;
        self.back_at(StatusCode::Accepted)
    }

    /// As it was when the job started.
    pub fn as_started(mut self, started: Timestamp) -> Self {
        self.updated = started;
        self.back_at(StatusCode::Running)
    }

    fn back_at(mut self, status: StatusCode) -> Self {
        self.status = status;
        self.links.status = status;
        self.message = None;
        self.progress = None;
        self.finished = None;
        self.expires = None;
        self.exception = None;
        self.attempts = Attempts::default();
        self
    }
}

struct Links<'a> {
    job: &'a Job,
    base: &'a str,
    status: StatusCode,
}

#[derive(Serialize)]
struct Link<'a> {
    href: Href<'a>,
    rel: &'static str,
    #[serde(rename = "type", skip_serializing_if = "str::is_empty")]
    media_type: &'a str,
    title: &'static str,
}

struct Href<'a> {
    links: &'a Links<'a>,
    tail: Tail<'a>,
}

enum Tail<'a> {
    Job(&'static str),
    Output(&'a OutputId),
    Process,
}

impl fmt::Display for Href<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Links { job, base, .. } = self.links;
        match self.tail {
            Tail::Job(tail) => write!(f, "{base}/jobs/{}{tail}", job.id),
            Tail::Output(id) => write!(f, "{base}/jobs/{}/results/{id}", job.id),
            Tail::Process => write!(f, "{base}/processes/{}", job.process),
        }
    }
}

impl Serialize for Href<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

const JSON: &str = "application/json";

impl Serialize for Links<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        let mut add = |tail, rel, media_type, title| {
            seq.serialize_element(&Link { href: Href { links: self, tail }, rel, media_type, title })
        };
        add(Tail::Job(""), "self", JSON, "this status")?;
        add(Tail::Job("?f=html"), "alternate", "text/html", "this status as a page")?;
        add(Tail::Job(""), "monitor", JSON, "the status of the job")?;
        match self.status {
            StatusCode::Successful => add(Tail::Job("/results"), rel::RESULTS, "", "the results")?,
            StatusCode::Failed => {
                add(Tail::Job("/results"), rel::EXCEPTIONS, JSON, "why the job failed")?;
                for (id, values) in self.job.values().into_iter().flatten() {
                    let media_type = values.first().map_or("", |value| value.media_type.as_str());
                    add(Tail::Output(id), "related", media_type, "what the program left")?;
                }
            }
            _ => {}
        }
        add(Tail::Job("/logs"), rel::LOG, "text/plain", "the log")?;
        add(Tail::Job("/events"), "related", "text/event-stream", "status, progress and log as events")?;
        add(Tail::Job("/request"), "related", JSON, "the execute request, secrets masked")?;
        add(Tail::Process, "related", JSON, "the process")?;
        seq.end()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use indexmap::IndexMap;
    use rutter_core::{
        id::JobId,
        job::{Mode, ResponseShape},
    };
    use serde_json::{Value, json};

    use super::*;

    pub(crate) fn job() -> Job {
        let at = "2026-11-25T10:00:00Z".parse().unwrap();
        Job {
            id: JobId::generate(),
            process: "echo".parse().unwrap(),
            process_version: "1.0.0".into(),
            owner: None,
            mode: Mode::Async,
            shape: ResponseShape { v1: None, outputs: IndexMap::new(), answer: Vec::new() },
            request: json!({}),
            subscriber: None,
            key: None,
            created: at,
            updated: at,
            progress: None,
            message: None,
            launches: 0,
            attempts: Vec::new(),
            state: State::Accepted,
            archived: false,
            revision: 0,
        }
    }

    fn rels(document: &Value) -> Vec<&str> {
        document["links"].as_array().unwrap().iter().map(|link| link["rel"].as_str().unwrap()).collect()
    }

    #[test]
    fn no_member_is_null_and_every_link_has_a_relation_before_the_results() {
        let mut job = job();
        let accepted = serde_json::to_value(StatusDocument::of(&job, "http://x", None)).unwrap();
        assert!(!accepted.as_object().unwrap().values().any(Value::is_null));
        assert!(!rels(&accepted).contains(&rel::RESULTS));
        let at = job.created;
        job.state = State::Successful { started: at, finished: at, results: IndexMap::new() };
        let done = serde_json::to_value(StatusDocument::of(&job, "http://x/y", Some(at))).unwrap();
        assert!(rels(&done).contains(&rel::RESULTS));
        assert_eq!(done["links"][0]["href"], format!("http://x/y/jobs/{}", job.id));
        assert_eq!(done["id"], done["jobID"]);
        assert_eq!(done["expires"], "2026-11-25T10:00:00Z");
    }

    #[test]
    fn earlier_states_can_be_told_later() {
        let mut job = job();
        let at = job.created;
        job.progress = Some(100);
        job.state = State::Successful { started: at, finished: at, results: IndexMap::new() };
        let accepted = serde_json::to_value(StatusDocument::of(&job, "", None).as_accepted()).unwrap();
        assert_eq!(accepted["status"], "accepted");
        assert!(accepted.get("started").is_none() && accepted.get("progress").is_none());
        assert!(!rels(&accepted).contains(&rel::RESULTS));
        let running = serde_json::to_value(StatusDocument::of(&job, "", None).as_started(at)).unwrap();
        assert_eq!(running["status"], "running");
        assert!(running.get("finished").is_none() && running.get("started").is_some());
    }
}
