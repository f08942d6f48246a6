//! Values by reference, once they are fetched: the same rules as for values in the request
//! (Part 1, `/req/core/process-execute-input-validation`).

use rutter_types::{Fault, agent::StagedItem};

use super::{DEPTH_LIMIT, input::is_deeper, secret};
use crate::{id::InputId, process::Process};

/// Faults of a fetched value. Files have none: what is in them is the program's own matter.
pub fn staged(process: &Process, input: &InputId, index: Option<usize>, item: &StagedItem) -> Vec<Fault> {
    let (Some(described), Some(value)) = (process.inputs.get(input), &item.value) else { return Vec::new() };
    let pointer = match index {
        Some(index) => format!("/inputs/{input}/{index}"),
        None => format!("/inputs/{input}"),
    };
    if is_deeper(value, DEPTH_LIMIT) {
        return vec![Fault::new(pointer, format!("nests deeper than {DEPTH_LIMIT} arrays and objects"))];
    }
    // The source's own word for it only chooses among alternatives: many servers say application/octet-stream.
    let media_type = item.media_type.as_deref().filter(|media_type| described.schema.offers(media_type));
    let checked = described.schema.check(value, media_type, &pointer);
    let checked = checked.or_else(|faults| described.schema.check(value, None, &pointer).map_err(|_| faults));
    match checked {
        Ok(_) => Vec::new(),
        Err(faults) if secret::holds_any(described) => secret::hide(faults),
        Err(faults) => faults,
    }
}
