//! Requests of processes that take what comes: files of the older managers describe inputs that nobody ever compared with what
//! callers send. What is wrong with them is logged, and the program sees for itself.

use indexmap::IndexMap;
use rutter_types::{ExecuteRequest, Fault, OutputSelection};

use super::{Content, Context, Valid, ValidInput, ValidValue, inputs, limit, outputs, subscriber};
use crate::{
    id::InputId,
    job::ResponseShape,
    process::{Process, Validation},
    schema::escape,
};

/// The request as it came. Only what would reach somebody else than the program is refused.
pub(super) fn read(
    process: &Process,
    request: &ExecuteRequest,
    context: &Context<'_>,
) -> Result<Valid, Vec<Fault>> {
    debug_assert_eq!(process.validation, Validation::Lenient);
    let mut refused: Vec<Fault> = request.subscriber.iter().flat_map(subscriber::faults).collect();
    if !refused.is_empty() {
        limit(&mut refused);
        return Err(refused);
    }
    let mut faults = Vec::new();
    inputs(process, request, context, &mut faults);
    let shape = shape(process, request, &mut faults);
    if let Some(first) = faults.first() {
        tracing::info!(
            process = %process.id,
            faults = faults.len(),
            first = %first.pointer,
            "a request does not fit its process description; it is run all the same"
        );
    }
    Ok(Valid { inputs: for_the_command(process, request), as_given: Some(request.inputs.clone()), shape })
}

/// Declared inputs, for commands that name them.
fn for_the_command(process: &Process, request: &ExecuteRequest) -> IndexMap<InputId, ValidInput> {
    let given = process.inputs.keys().filter_map(|id| Some((id, request.inputs.get(id.as_str())?)));
    let as_value = |(id, value): (&InputId, &serde_json::Value)| {
        let value = ValidValue {
            pointer: format!("/inputs/{}", escape(id.as_str())),
            media_type: None,
            content: Content::Json(value.clone()),
        };
        (id.clone(), ValidInput { values: vec![value] })
    };
    given.map(as_value).collect()
}

/// As asked for, of the outputs that there are; all of them where none is left.
fn shape(process: &Process, request: &ExecuteRequest, faults: &mut Vec<Fault>) -> ResponseShape {
    let before = faults.len();
    let shape = outputs::read(process, request, faults);
    if faults.len() == before {
        return shape;
    }
    let all = process.outputs.keys().map(|id| (id.clone(), OutputSelection::default())).collect();
    ResponseShape { outputs: all, answer: process.answer.clone(), ..shape }
}
