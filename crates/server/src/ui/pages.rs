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

    pub(crate) fn landing(&self, base: &Base, landing: &LandingPage, processes: usize) -> Result<String, ApiError> {
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
        self.fill("process.html", base, &json!({ "process": process, "calls": calls, "not_runnable": not_runnable }))
    }

    pub(crate) fn api(&self, base: &Base, document: &Value) -> Result<String, ApiError> {
        self.fill("api.html", base, document)
    }
}
