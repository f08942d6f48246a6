//! What an execution request says, read strictly: content type, body, `Idempotency-Key`.

use http::{HeaderMap, header};
use rutter_core::id::JobId;
use rutter_types::{ExecuteRequest, Fault};
use serde::Deserialize;
use serde_json::Value;

use crate::{error::ApiError, render::strict_json};

/// A body that was read.
pub(super) struct Read {
    /// As received.
    pub(super) body: Value,
    /// As understood.
    pub(super) request: ExecuteRequest,
}

/// The body must say that it is JSON (`/req/core/process-execute-request`).
pub(super) fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    const ALLOWED: &str = "application/json";
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = text.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case(ALLOWED));
    let other_charset = parts.filter_map(|part| part.split_once('=')).any(|(name, value)| {
        let utf8 = ["utf-8", "utf8", "us-ascii"];
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset") && !utf8.iter().any(|it| value.eq_ignore_ascii_case(it))
    });
    if is_json && !other_charset {
        return Ok(());
    }
    let received = match text {
        "" => "without a Content-Type".to_owned(),
        text => text.chars().take(100).collect(),
    };
    Err(ApiError::UnsupportedMediaType { received, allowed: ALLOWED })
}

/// Read a body; an empty one is the empty request.
pub(super) fn read(bytes: &[u8], depth: usize) -> Result<Read, ApiError> {
    let invalid = |fault| ApiError::Invalid(vec![fault]);
    let body = match bytes.trim_ascii() {
        [] => Value::Object(rutter_types::JsonMap::new()),
        _ => strict_json::read(bytes, depth).map_err(|fault| invalid(*fault))?,
    };
    if !body.is_object() {
        return Err(invalid(Fault::new("", "the body must be a JSON object such as {\"inputs\": {…}}")));
    }
    let faults = faults_of(&body);
    if !faults.is_empty() {
        return Err(ApiError::Invalid(faults));
    }
    let request = ExecuteRequest::deserialize(&body)
        .map_err(|error| invalid(Fault::new("", format!("is no execute request: {error}"))))?;
    Ok(Read { body, request })
}

/// Why a body is no execute request: each member by itself, so that every fault is told at once. Looked at before the
/// body is understood, because serde takes a list for an object and `null` for nothing.
fn faults_of(body: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    let object = |faults: &mut Vec<Fault>, pointer: &str, value: &Value| {
        if !value.is_object() {
            faults.push(fault(pointer, "must be an object", value));
        }
    };
    if let Some(inputs) = body.get("inputs") {
        object(&mut faults, "/inputs", inputs);
    }
    if let Some(outputs) = body.get("outputs") {
        object(&mut faults, "/outputs", outputs);
        for (id, selection) in outputs.as_object().into_iter().flatten() {
            selection_faults(&mut faults, &strict_json::pointer_part(id), selection);
        }
    }
    if let Some(response) = body.get("response").filter(|it| !matches!(it.as_str(), Some("raw" | "document")))
    {
        faults.push(fault("/response", "must be \"raw\" or \"document\"", response));
    }
    if let Some(subscriber) = body.get("subscriber") {
        object(&mut faults, "/subscriber", subscriber);
        for (name, value) in
            subscriber.as_object().into_iter().flatten().filter(|(_, value)| !value.is_string())
        {
            faults.push(fault(
                &format!("/subscriber{}", strict_json::pointer_part(name)),
                "must be a URL",
                value,
            ));
        }
    }
    faults
}

fn selection_faults(faults: &mut Vec<Fault>, id: &str, selection: &Value) {
    let pointer = format!("/outputs{id}");
    if !selection.is_object() {
        return faults.push(fault(&pointer, "must be an object such as {}", selection));
    }
    let mode = selection.get("transmissionMode");
    if let Some(mode) = mode.filter(|it| !matches!(it.as_str(), Some("value" | "reference"))) {
        faults.push(fault(
            &format!("{pointer}/transmissionMode"),
            "must be \"value\" or \"reference\"",
            mode,
        ));
    }
    let Some(format) = selection.get("format") else { return };
    if !format.is_object() {
        return faults.push(fault(&format!("{pointer}/format"), "must be an object", format));
    }
    for name in ["mediaType", "encoding"] {
        if let Some(value) = format.get(name).filter(|value| !value.is_string()) {
            faults.push(fault(&format!("{pointer}/format/{name}"), "must be a string", value));
        }
    }
}

fn fault(pointer: &str, detail: &str, received: &Value) -> Fault {
    let received = match received {
        Value::Array(_) => Value::from("an array"),
        Value::Object(_) => Value::from("an object"),
        Value::String(text) => Value::from(text.chars().take(100).collect::<String>()),
        other => other.clone(),
    };
    Fault { received: Some(received), ..Fault::new(pointer, detail) }
}

/// The id that EOX's clients may choose for their job.
pub(super) fn job_id(body: &Value) -> Result<Option<JobId>, ApiError> {
    let Some(given) = body.get("job_id").filter(|given| !given.is_null()) else { return Ok(None) };
    let id = given.as_str().and_then(|text| text.parse().ok());
    let detail = "must be a UUID in lower case, such as 01890a5d-ac96-774b-bcce-b302099a8057";
    id.map(Some).ok_or_else(|| ApiError::Invalid(vec![fault("/job_id", detail, given)]))
}

/// `Idempotency-Key`: 1 to 255 visible characters.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(header) = headers.get("idempotency-key") else { return Ok(None) };
    let key = header.to_str().ok().map(str::trim);
    match key {
        Some(key) if (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(Some(key.to_owned()))
        }
        _ => Err(ApiError::bad(
            "the header Idempotency-Key must be 1 to 255 visible ASCII characters, such as a UUID",
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(name: &'static str, value: &str) -> HeaderMap {
        [(http::HeaderName::from_static(name), value.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn only_json_in_utf8_is_taken() {
        for good in
            ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""]
        {
            assert!(check_content_type(&with("content-type", good)).is_ok(), "{good}");
        }
        for bad in
            ["text/plain", "application/json; charset=latin1", "", "application/jsonp", "multipart/form-data"]
        {
            assert!(check_content_type(&with("content-type", bad)).is_err(), "{bad}");
        }
        assert!(check_content_type(&HeaderMap::new()).is_err());
    }

    #[test]
    fn every_malformed_member_is_named() {
        let body = r#"{"inputs":[],"response":"cooked","outputs":{"a/b":{"transmissionMode":"mail","format":{"mediaType":1}},
                       "c":[]},"subscriber":{"successUri":5}}"#;
        let Err(ApiError::Invalid(faults)) = read(body.as_bytes(), 64) else { panic!("taken") };
        let pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(
            pointers,
            [
                "/inputs",
                "/outputs/a~1b/transmissionMode",
                "/outputs/a~1b/format/mediaType",
                "/outputs/c",
                "/response",
                "/subscriber/successUri"
            ]
        );
        for no_object in ["[]", "null", "1", "\"x\""] {
            assert!(read(no_object.as_bytes(), 64).is_err(), "{no_object}");
        }
        assert!(read(b"", 64).is_ok());
        assert!(read(b"{\"anything\":{\"else\":1}}", 64).is_ok());
    }

    #[test]
    fn a_job_id_is_a_uuid_in_its_one_spelling() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        assert_eq!(job_id(&json!({"job_id": id})).unwrap().unwrap().to_string(), id);
        for none in [json!({}), json!({"job_id": null})] {
            assert_eq!(job_id(&none).unwrap(), None);
        }
        let upper = id.to_uppercase();
        for bad in [json!(""), json!("../x"), json!(7), json!([id]), json!(upper), json!(id.replace('-', ""))]
        {
            assert!(job_id(&json!({ "job_id": bad })).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_are_visible_text() {
        assert_eq!(key(&with("idempotency-key", "abc-1")).unwrap().as_deref(), Some("abc-1"));
        assert_eq!(key(&HeaderMap::new()).unwrap(), None);
        for bad in ["", " ", "a b", "ä", &"x".repeat(256)] {
            assert!(key(&with("idempotency-key", bad)).is_err(), "{bad:?}");
        }
    }
}
