//! Outputs of a program without an agent: from markers in what it printed, from its last word, or all that it printed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use rutter_types::agent::{Find, INLINE_LIMIT, Outcome, OutputFile, OutputWanted, WorkOrder};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{
    markers::{Marked, first_json},
    print::Print,
};
use crate::{results::hex, schema::essence};

/// A value of an output.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Value {
    output: String,
    media_type: String,
    pub(super) bytes: Bytes,
}

impl Value {
    /// As it is reported; bytes that are not in it must be uploaded.
    pub(super) fn file(&self) -> OutputFile {
        let extension = if is_json(&self.media_type) { "json" } else { "txt" };
        let is_small = self.bytes.len() as u64 <= INLINE_LIMIT;
        OutputFile {
            output: self.output.clone(),
            index: 0,
            name: format!("{}.{extension}", self.output),
            media_type: Some(self.media_type.clone()),
            size: self.bytes.len() as u64,
            sha256: hex(&Sha256::digest(&self.bytes)),
            inline: is_small.then(|| STANDARD.encode(&self.bytes)),
        }
    }
}

/// All values; `message` = the program's last word, where the executor has one.
pub(super) fn of(order: &WorkOrder, message: Option<&str>, print: Print) -> Result<Vec<Value>, Outcome> {
    let (text, markers) = print.read();
    let message = message.map(str::trim).filter(|message| !message.is_empty());
    let last_word = message.map(|message| Marked { text: message.to_owned(), ..Marked::default() });
    let marked = markers.result().or(last_word);
    let (printed, named): (Vec<_>, Vec<_>) = order.outputs.iter().partition(|it| it.find == Find::Stdout);
    let mut values = Vec::new();
    for wanted in printed {
        values.push(all(wanted, text.as_deref())?);
    }
    match (named.as_slice(), &marked) {
        ([], _) => {}
        ([wanted], Some(marked)) => values.push(one(wanted, marked)?),
        ([wanted], None) => values.push(all(wanted, text.as_deref())?),
        (several, marked) => values.extend(split(several, marked.as_ref())?),
    }
    Ok(values)
}

/// All that was printed.
fn all(wanted: &OutputWanted, text: Option<&[u8]>) -> Result<Value, Outcome> {
    let text = text.ok_or_else(|| Outcome::OutputLimit { output: wanted.id.clone() })?;
    let media_type = wanted.media_type.as_deref().filter(|named| !is_json(named)).unwrap_or("text/plain");
    // Where JSON is due, and JSON it is, it is not called a text.
    match wanted.media_type.as_deref().filter(|named| is_json(named)) {
        Some(json) if serde_json::from_slice::<&RawValue>(text).is_ok() => Ok(value(wanted, json, text)),
        _ => Ok(value(wanted, media_type, text)),
    }
}

/// The value of the only output.
fn one(wanted: &OutputWanted, marked: &Marked) -> Result<Value, Outcome> {
    if marked.is_cut {
        return Err(Outcome::OutputLimit { output: wanted.id.clone() });
    }
    let json = first_json(&marked.text);
    match marked.media_type.as_deref().or(wanted.media_type.as_deref()) {
        Some(media_type) if is_json(media_type) => {
            let no_json = || Outcome::OutputUnusable {
                output: wanted.id.clone(),
                reason: format!("is said to be {media_type}, and what the program printed is not"),
            };
            Ok(value(wanted, media_type, json.ok_or_else(no_json)?.as_bytes()))
        }
        Some(media_type) => Ok(value(wanted, media_type, marked.text.as_bytes())),
        None => match json {
            Some(json) => Ok(value(wanted, "application/json", json.as_bytes())),
            None => Ok(value(wanted, "text/plain", marked.text.as_bytes())),
        },
    }
}

/// Several outputs are the members of one object.
fn split(wanted: &[&OutputWanted], marked: Option<&Marked>) -> Result<Vec<Value>, Outcome> {
    if let (Some(first), true) = (wanted.first(), marked.is_some_and(|marked| marked.is_cut)) {
        return Err(Outcome::OutputLimit { output: first.id.clone() });
    }
    let json = marked.and_then(|marked| first_json(&marked.text)).unwrap_or_default();
    let members: rutter_types::JsonMap = serde_json::from_str(&json).unwrap_or_default();
    let missing: Vec<String> = wanted
        .iter()
        .filter(|wanted| wanted.required && !members.contains_key(&wanted.id))
        .map(|wanted| wanted.id.clone())
        .collect();
    if !missing.is_empty() {
        return Err(Outcome::OutputMissing { outputs: missing });
    }
    let member = |wanted: &&OutputWanted| {
        let found = members.get(&wanted.id)?;
        let named = wanted.media_type.as_deref().unwrap_or("application/json");
        Some(match found.as_str() {
            Some(text) if !is_json(named) => value(wanted, named, text.as_bytes()),
            _ => value(wanted, "application/json", found.to_string().as_bytes()),
        })
    };
    Ok(wanted.iter().filter_map(member).collect())
}

fn value(wanted: &OutputWanted, media_type: &str, bytes: &[u8]) -> Value {
    Value {
        output: wanted.id.clone(),
        media_type: media_type.to_owned(),
        bytes: Bytes::copy_from_slice(bytes),
    }
}

fn is_json(media_type: &str) -> bool {
    let essence = essence(media_type);
    essence.ends_with("/json") || essence.ends_with("+json")
}
