//! Fills the templates.

use std::fmt;

use minijinja::{Environment, context, value::Serde};
use rutter_types::{Conformance, LandingPage, Problem, ProcessDescription, ProcessList};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    environment::environment,
    example::Call,
    view::{JobView, JobsView, LogView, ResultsView},
};
use crate::{base::Base, error::ApiError};

/// Pages for people.
pub struct Pages(Environment<'static>);

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pages")
    }
}

impl Default for Pages {
    fn default() -> Self {
        Self::new()
    }
}

impl Pages {
    /// All pages.
    pub fn new() -> Self {
        Self(environment())
    }

    fn fill<T: Serialize>(&self, template: &str, base: &Base, of: &T) -> Result<String, ApiError> {
        let template = self.0.get_template(template)?;
        Ok(template.render(context! { base => base.as_str(), prefix => base.prefix(), of => Serde(of) })?)
    }

    /// A job.
    pub fn job(&self, base: &Base, view: &JobView<'_>) -> Result<String, ApiError> {
        self.fill("job.html", base, view)
    }

    /// A list of jobs.
    pub fn jobs(&self, base: &Base, view: &JobsView<'_>) -> Result<String, ApiError> {
        self.fill("jobs.html", base, view)
    }

    /// The results of a job.
    pub fn results(&self, base: &Base, view: &ResultsView<'_>) -> Result<String, ApiError> {
        self.fill("results.html", base, view)
    }

    /// The log of a job.
    pub fn log(&self, base: &Base, view: &LogView<'_>) -> Result<String, ApiError> {
        self.fill("log.html", base, view)
    }

    /// An error.
    pub fn error(&self, base: &Base, problem: &Problem) -> Result<String, ApiError> {
        self.fill("error.html", base, problem)
    }

    /// One word or document without a page of its own.
    pub(crate) fn plain(&self, base: &Base, title: &str, text: &str) -> Result<String, ApiError> {
        self.fill("plain.html", base, &json!({ "title": title, "text": text }))
    }

    pub(crate) fn landing(
        &self,
        base: &Base,
        landing: &LandingPage,
        processes: usize,
    ) -> Result<String, ApiError> {
        self.fill("landing.html", base, &json!({ "landing": landing, "processes": processes }))
    }

    pub(crate) fn conformance(&self, base: &Base, conformance: &Conformance) -> Result<String, ApiError> {
        self.fill("conformance.html", base, conformance)
    }

    pub(crate) fn processes(&self, base: &Base, list: &ProcessList) -> Result<String, ApiError> {
        self.fill("processes.html", base, list)
    }

    pub(crate) fn process(
        &self,
        base: &Base,
        process: &ProcessDescription,
        calls: &[Call],
        not_runnable: Option<String>,
    ) -> Result<String, ApiError> {
        self.fill(
            "process.html",
            base,
            &json!({ "process": process, "calls": calls, "not_runnable": not_runnable }),
        )
    }

    pub(crate) fn api(&self, base: &Base, document: &Value) -> Result<String, ApiError> {
        self.fill("api.html", base, document)
    }
}

#[cfg(test)]
mod tests {
    use rutter_types::{AttemptInfo, Fault, Link, StatusCode, StatusInfo};

    use super::*;
    use crate::ui::{FilterView, LogLine, ResultRow, Shown};

    const MARKUP: &str = "<script>alert(1)</script>";

    fn status(status: StatusCode) -> StatusInfo {
        let time = "2026-11-25T12:00:00.25Z".parse().unwrap();
        let exception: Problem =
            serde_json::from_value(json!({"type": "x", "detail": MARKUP, "more": 1})).unwrap();
        StatusInfo {
            id: "01a2106f-dcda-7300-a3ab-749d538eacf1".into(),
            job_id: "01a2106f-dcda-7300-a3ab-749d538eacf1".into(),
            kind: "process".into(),
            processing_entity_type: "ogc-api-processes".into(),
            process_id: "flood".into(),
            status,
            message: Some(MARKUP.into()),
            progress: (status == StatusCode::Running).then_some(40),
            created: time,
            started: (status != StatusCode::Accepted).then_some(time),
            finished: status.is_terminal().then_some(time),
            updated: time,
            expires: status.is_terminal().then_some(time),
            exception: (status == StatusCode::Failed).then_some(exception),
            parameters: None,
            attempts: attempts(time),
            links: vec![Link::new("http://localhost/x", "self", "application/json")],
        }
    }

    fn attempts(time: jiff::Timestamp) -> Vec<AttemptInfo> {
        let exception = serde_json::from_value(json!({"type": "x", "title": MARKUP, "detail": MARKUP})).ok();
        let log = || "https://example.org/x/jobs/1/logs?attempt=1".to_owned();
        vec![
            AttemptInfo { number: 1, started: time, finished: Some(time), exception, log: log() },
            AttemptInfo { number: 2, started: time, finished: None, exception: None, log: log() },
        ]
    }

    fn check(page: Result<String, ApiError>, wanted: &[&str]) {
        let page = page.unwrap();
        assert!(!page.contains("<script") && !page.contains("style="), "{page}");
        assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"), "{page}");
        for text in wanted {
            assert!(page.contains(text), "{text}\n{page}");
        }
    }

    #[test]
    fn jobs_in_every_state_have_a_page() {
        let pages = Pages::new();
        let base = Base::new("https://example.org/x");
        for code in StatusCode::ALL {
            let status = status(code);
            let view = JobView {
                status: &status,
                process_title: Some(MARKUP),
                request: &json!({"inputs": {"a": MARKUP}}),
                log_tail: vec![MARKUP.into()],
                seconds: Some(61.0),
                peak_memory: Some(1_500_000),
                refresh: (!code.is_terminal()).then_some(3),
            };
            let page = pages.job(&base, &view);
            check(page, &[code.as_str(), "1 min 1 s", "1.5 MB", "2026-11-25 12:00:00 UTC", "logs?attempt=1"]);
            let page = pages.job(&base, &view).unwrap();
            assert_eq!(page.contains("http-equiv=\"refresh\" content=\"3\""), !code.is_terminal());
            assert_eq!(page.contains("<progress"), code == StatusCode::Running);
            assert_eq!(page.contains("role=\"alert\""), code == StatusCode::Failed);
        }
    }

    #[test]
    fn lists_and_filters_have_a_page() {
        let jobs = StatusCode::ALL.map(status);
        let filter = FilterView {
            process: "flood".into(),
            statuses: vec!["failed".into()],
            datetime: "2026-01-01T00:00:00Z/..".into(),
            ..FilterView::default()
        };
        let view = JobsView {
            jobs: &jobs,
            filter,
            processes: vec!["echo".into(), "flood".into()],
            next: Some("https://example.org/x/jobs?cursor=a".into()),
            first: None,
        };
        let page = Pages::new().jobs(&Base::new("https://example.org/x"), &view);
        check(
            page,
            &[
                "538eacf1",
                "<option selected>flood",
                "<option selected>failed",
                "Older jobs",
                "40 %",
                "8eacf1",
            ],
        );
        let none =
            JobsView { jobs: &[], filter: FilterView::default(), processes: vec![], next: None, first: None };
        check(Pages::new().jobs(&Base::new(""), &none), &["No job fits"]);
    }

    #[test]
    fn results_logs_and_errors_have_a_page() {
        let pages = Pages::new();
        let base = Base::new("https://example.org");
        let status = status(StatusCode::Successful);
        let row = |shown: Shown| ResultRow {
            output: "depth".into(),
            title: Some(MARKUP.into()),
            index: Some(0),
            media_type: "image/png".into(),
            name: "depth \"<b>.png".into(),
            size: 47_000,
            url: "https://example.org/jobs/1/results/depth".into(),
            shown,
        };
        let rows = vec![
            row(Shown::Link),
            row(Shown::Text(MARKUP.into())),
            row(Shown::Excerpt(MARKUP.into())),
            row(Shown::Picture),
        ];
        let view = ResultsView { status: &status, rows, archive: Some("https://example.org/zip".into()) };
        check(pages.results(&base, &view), &["47 kB", "<img class=\"picture\"", "[0]", "one archive"]);
        let line = LogLine { time: Some(status.created), stream: "err".into(), text: MARKUP.into() };
        let view = LogView {
            status: &status,
            lines: vec![line],
            cut: true,
            plain: "https://example.org/l".into(),
            refresh: None,
        };
        check(pages.log(&base, &view), &["12:00:00.250", "class=\"err\"", "left out"]);
        let mut problem = ApiError::Invalid(vec![Fault::new("/inputs/a", MARKUP)]).problem();
        check(pages.error(&base, &problem), &["&#x2f;inputs&#x2f;a", "Status 400"]);
        problem.title = None;
        check(pages.error(&Base::new(""), &problem), &["The request failed"]);
        check(pages.plain(&base, MARKUP, MARKUP), &["&lt;script"]);
    }
}
