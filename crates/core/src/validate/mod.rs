//! Whether an execute request fits its process: every fault of every input and output at once, before anything runs.
//!
//! What comes out is understood: each value is known to be a literal, a file's bytes or a reference, defaults are in
//! place, and the shape of the answer is decided. [`crate::plan`] takes it from there.

mod binary;
mod command_line;
mod input;
mod lenient;
mod outputs;
mod reference;
mod secret;
mod staged;
mod subscriber;
mod value;

use indexmap::IndexMap;
use rutter_types::{ExecuteRequest, Fault, JsonMap};
use serde_json::Value;

pub(crate) use command_line::templates;
pub use secret::{mask, mask_inputs};
pub use staged::staged;

use crate::{
    id::{InputId, JobId, OutputId},
    job::ResponseShape,
    process::{Process, Validation, nearest},
    schema::{escape, shorten},
};

/// Greatest nesting of arrays and objects in a value.
pub const DEPTH_LIMIT: usize = 64;
/// Faults told of one request.
const FAULT_LIMIT: usize = 200;

/// What is known beside the process.
pub struct Context<'a> {
    /// Tells whether a URL is a result of this server. It is then read internally, with the caller's rights.
    pub own_results: &'a (dyn Fn(&str) -> Option<OwnResult> + Send + Sync),
}

/// A result of this server, named by its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnResult {
    /// The job.
    pub job: JobId,
    /// The output.
    pub output: OutputId,
    /// Position among the values of the output.
    pub index: usize,
}

/// A request that fits its process.
#[derive(Clone, Debug, PartialEq)]
pub struct Valid {
    /// Inputs that have values, in the order of the process.
    pub inputs: IndexMap<InputId, ValidInput>,
    /// All inputs as they came, where the process takes them so; the program gets these.
    pub as_given: Option<JsonMap>,
    /// How the answer is shaped.
    pub shape: ResponseShape,
}

/// An input's values.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidInput {
    /// In the order of the request. An input of a single value has one.
    pub values: Vec<ValidValue>,
}

/// One value of an input.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidValue {
    /// Where it stands in the request; where it would stand, for a default.
    pub pointer: String,
    /// Media type: as named, else as described.
    pub media_type: Option<String>,
    /// The value, or where it is.
    pub content: Content,
}

/// A value, or where it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A JSON value without any wrapper. Text of a file stands here as a string.
    Json(Value),
    /// Bytes of a file, base64 with padding and without white space.
    Base64(String),
    /// An http or https URL.
    Url(String),
    /// A result of this server.
    Own(OwnResult),
    /// A file of the package, relative to its folder.
    Package(String),
}

impl Valid {
    /// Results of this server that the request names, each with its place in the request.
    pub fn own_results(&self) -> impl Iterator<Item = (String, &OwnResult)> {
        self.inputs.values().flat_map(|input| &input.values).filter_map(|value| match &value.content {
            Content::Own(result) => Some((value.pointer.clone(), result)),
            _ => None,
        })
    }
}

/// Understand a request. `Err` = every fault that can be seen without fetching anything
/// (Part 1, `/req/core/process-execute-input-validation`).
pub fn validate(
    process: &Process,
    request: &ExecuteRequest,
    context: &Context<'_>,
) -> Result<Valid, Vec<Fault>> {
    if process.validation == Validation::Lenient {
        return lenient::read(process, request, context);
    }
    let mut faults = Vec::new();
    let inputs = inputs(process, request, context, &mut faults);
    let shape = outputs::read(process, request, &mut faults);
    faults.extend(request.subscriber.iter().flat_map(subscriber::faults));
    if faults.is_empty() {
        return Ok(Valid { inputs, as_given: None, shape });
    }
    limit(&mut faults);
    Err(faults)
}

/// Inputs that fit; what is wrong with the others is added to the faults.
fn inputs(
    process: &Process,
    request: &ExecuteRequest,
    context: &Context<'_>,
    faults: &mut Vec<Fault>,
) -> IndexMap<InputId, ValidInput> {
    let mut inputs = IndexMap::new();
    for (id, input) in &process.inputs {
        let given = request.inputs.get(id.as_str());
        match input::read(process, id, input, given, context) {
            Ok(Some(valid)) => drop(inputs.insert(id.clone(), valid)),
            Ok(None) => {}
            Err(found) => faults.extend(found),
        }
    }
    faults.extend(unknown_inputs(process, request));
    inputs
}

fn unknown_inputs(process: &Process, request: &ExecuteRequest) -> Vec<Fault> {
    let unknown = request.inputs.iter().filter(|(name, _)| !process.inputs.contains_key(name.as_str()));
    unknown
        .map(|(name, value)| {
            let known: Vec<&str> = process.inputs.keys().map(InputId::as_str).collect();
            Fault {
                pointer: format!("/inputs/{}", escape(name)),
                detail: no_such("input", name, &known),
                received: Some(shorten(value)),
                allowed: Some(known.into()),
            }
        })
        .collect()
}

/// That there is no such name, and which one may be meant.
fn no_such(what: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("the process has no {what} of that name; did you mean {near:?}?"),
        None if known.is_empty() => format!("the process has no {what}s: remove it"),
        None => format!("the process has no {what} of that name: remove it or correct it"),
    }
}

fn limit(faults: &mut Vec<Fault>) {
    let more = faults.len().saturating_sub(FAULT_LIMIT);
    if more > 0 {
        faults.truncate(FAULT_LIMIT);
        faults.push(Fault::new("", format!("and {more} faults more: correct the first ones")));
    }
}

#[cfg(test)]
pub(crate) mod tests;
