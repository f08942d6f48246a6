//! The results of a job as they will be shown: in the order of the request, each with its URL and how it travels.

use rutter_core::{
    id::OutputId,
    job::{Job, StoredValue},
    process::Process,
};
use rutter_types::TransmissionMode;

/// One output of a job that was asked for and is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its id.
    pub id: OutputId,
    /// Its values.
    pub values: Vec<StoredValue>,
    /// Whether they travel in an array.
    pub is_many: bool,
    /// 1.0: whether it travels as a link.
    pub by_reference: bool,
    /// Whether the request wants it in base64 where that is possible.
    pub as_base64: bool,
    /// Absolute URL under which it is had alone.
    pub href: String,
}

impl Output {
    /// Absolute URL of one value.
    pub fn value_href(&self, index: usize) -> String {
        if self.is_many { format!("{}/{index}", self.href) } else { self.href.clone() }
    }
}

/// What a job has of what was asked, and what is kept of a failed one; `None` = it is not over, or was dismissed. `process` may be gone meanwhile:
/// then the number of values tells whether there are many.
pub fn outputs(job: &Job, process: Option<&Process>, results_href: &str) -> Option<Vec<Output>> {
    let results = job.values()?;
    let asked = job.shape.outputs.keys();
    let found = asked.filter_map(|id| {
        let values = results.get(id)?;
        let described = process.and_then(|process| process.outputs.get(id));
        let encoding = job.shape.outputs.get(id).and_then(|it| it.format.as_ref()?.encoding.as_deref());
        Some(Output {
            id: id.clone(),
            values: values.clone(),
            is_many: values.len() != 1 || described.is_some_and(rutter_core::process::Output::is_many),
            by_reference: job.shape.transmission(id) == TransmissionMode::Reference,
            as_base64: encoding.is_some_and(|encoding| encoding.eq_ignore_ascii_case("base64")),
            href: format!("{results_href}/{id}"),
        })
    });
    Some(found.collect())
}
