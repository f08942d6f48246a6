//! Which outputs are wanted, and how: the shape of the answer (Part 1, 1.0, section 7.11.3; 2.0, `outputs`).

use indexmap::IndexMap;
use rutter_types::{ExecuteRequest, Fault, Format, OutputSelection, TransmissionMode};
use serde_json::{Value, json};

use super::no_such;
use crate::{
    id::OutputId,
    job::ResponseShape,
    process::{Output, Process},
    schema::{escape, essence, shorten},
};

/// The shape that a request asks for; faults are added.
pub(super) fn read(process: &Process, request: &ExecuteRequest, faults: &mut Vec<Fault>) -> ResponseShape {
    let Some(selections) = &request.outputs else {
        let all = process.outputs.keys().map(|id| (id.clone(), OutputSelection::default())).collect();
        return ResponseShape { v1: request.response, outputs: all, answer: process.answer.clone() };
    };
    let mut outputs = IndexMap::new();
    for (name, selection) in selections {
        let pointer = format!("/outputs/{}", escape(name));
        match process.outputs.get_key_value(name.as_str()) {
            Some((id, output)) => {
                faults.extend(one(process, output, selection, &pointer));
                outputs.insert(id.clone(), selection.clone());
            }
            None => faults.push(unknown(process, name, pointer)),
        }
    }
    let has_mode = outputs.values().any(|selection| selection.transmission_mode.is_some());
    ResponseShape { v1: request.response.or(has_mode.then(Default::default)), outputs, answer: Vec::new() }
}

fn unknown(process: &Process, name: &str, pointer: String) -> Fault {
    let known: Vec<&str> = process.outputs.keys().map(OutputId::as_str).collect();
    Fault { allowed: Some(json!(known)), ..Fault::new(pointer, no_such("output", name, &known)) }
}

fn one(process: &Process, output: &Output, selection: &OutputSelection, pointer: &str) -> Vec<Fault> {
    let transmission = selection.transmission_mode.and_then(|mode| transmission(process, mode, pointer));
    let format = selection.format.as_ref().map(|format| format_faults(output, format, pointer));
    transmission.into_iter().chain(format.into_iter().flatten()).collect()
}

/// A mode that the description does not offer. `value` is what every description offers that is silent.
fn transmission(process: &Process, mode: TransmissionMode, pointer: &str) -> Option<Fault> {
    let offered = &process.description.summary.output_transmission;
    if offered.contains(&mode) || (offered.is_empty() && mode == TransmissionMode::Value) {
        return None;
    }
    let offered = if offered.is_empty() { json!(["value"]) } else { json!(offered) };
    Some(Fault {
        pointer: format!("{pointer}/transmissionMode"),
        detail: "is not offered by the process: see `outputTransmission` of its description".into(),
        received: Some(json!(mode)),
        allowed: Some(offered),
    })
}

fn format_faults(output: &Output, format: &Format, pointer: &str) -> Vec<Fault> {
    let media_type = format.media_type.as_ref().and_then(|wanted| {
        let same = |offered: &String| essence(offered) == essence(wanted);
        (!output.media_types.iter().any(same)).then(|| Fault {
            pointer: format!("{pointer}/format/mediaType"),
            detail: format!("is no media type of this output: use {}", output.media_types.join(" or ")),
            received: Some(shorten(&Value::from(wanted.as_str()))),
            allowed: Some(json!(output.media_types)),
        })
    });
    const ENCODINGS: [&str; 3] = ["base64", "binary", "utf-8"];
    let encoding = format.encoding.as_ref().and_then(|wanted| {
        (!ENCODINGS.iter().any(|known| known.eq_ignore_ascii_case(wanted))).then(|| Fault {
            pointer: format!("{pointer}/format/encoding"),
            detail: format!("is no encoding of an output: use {}, or remove it", ENCODINGS.join(" or ")),
            received: Some(shorten(&Value::from(wanted.as_str()))),
            allowed: Some(json!(ENCODINGS)),
        })
    });
    media_type.into_iter().chain(encoding).collect()
}
