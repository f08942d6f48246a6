//! Bytes in JSON: base64 (Part 1, `/req/core/process-execute-input-inline-binary`).

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use rutter_types::Fault;
use serde_json::{Value, json};

use super::Content;
use crate::schema::{Branch, base64_fault, essence, shorten};

/// What others write is read: padding may be absent, spare bits may be set.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Whether a text of that alternative is base64: as named, else as described, else by the media type.
pub(super) fn is_base64(branch: &Branch, media_type: Option<&str>, encoding: Option<&str>) -> bool {
    if !branch.is_file() {
        return false;
    }
    match encoding.map(str::to_ascii_lowercase).as_deref() {
        Some("base64" | "binary") => true,
        Some(_) => false,
        None => branch.is_base64 || !is_text(media_type.unwrap_or_else(|| branch.offered())),
    }
}

/// Whether files of a media type are text.
pub(super) fn is_text(media_type: &str) -> bool {
    let essence = essence(media_type);
    let subtype = essence.split_once('/').map_or("", |(_, subtype)| subtype);
    let words =
        ["json", "xml", "yaml", "csv", "javascript", "sql", "wkt", "toml", "geo+json-seq", "x-ndjson"];
    let suffixed = subtype.rsplit('+').next().is_some_and(|suffix| words.contains(&suffix));
    essence.starts_with("text/") || suffixed || words.contains(&subtype.trim_start_matches("x-"))
}

/// An `encoding` that the alternative does not have.
pub(super) fn encoding_fault(branch: &Branch, encoding: Option<&str>, pointer: &str) -> Option<Fault> {
    let encoding = encoding?;
    let allowed: &[&str] = match (branch.is_file(), branch.is_base64) {
        (true, true) => &["base64", "binary"],
        (true, false) => &["base64", "utf-8"],
        (false, _) => &["utf-8"],
    };
    if allowed.iter().any(|known| known.eq_ignore_ascii_case(encoding)) {
        return None;
    }
    Some(Fault {
        pointer: pointer.to_owned(),
        detail: format!("is no encoding of this input: use {}, or remove it", allowed.join(" or ")),
        received: Some(shorten(&Value::from(encoding))),
        allowed: Some(json!(allowed)),
    })
}

/// A text that must be base64.
pub(super) fn read(text: &str, pointer: &str) -> Result<Content, Vec<Fault>> {
    match base64_fault(text) {
        None => Ok(clean(text)),
        Some(detail) => {
            let received = Some(shorten(&Value::from(text)));
            Err(vec![Fault { received, ..Fault::new(pointer, detail) }])
        }
    }
}

/// The same bytes in the one spelling that every decoder takes; text that is no base64 stays as it is.
pub(super) fn clean(text: &str) -> Content {
    if !text.bytes().any(|byte| byte.is_ascii_whitespace()) && is_canonical(text) {
        return Content::Base64(text.to_owned());
    }
    let dense: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    match LENIENT.decode(dense) {
        Ok(bytes) => Content::Base64(STANDARD.encode(bytes)),
        Err(_) => Content::Json(Value::from(text)),
    }
}

/// Padded, and without spare bits: only the last group can differ.
fn is_canonical(text: &str) -> bool {
    let last = text.len().checked_sub(4).and_then(|at| text.as_bytes().get(at..));
    text.is_empty()
        || (text.len().is_multiple_of(4) && last.is_some_and(|last| STANDARD.decode(last).is_ok()))
}
