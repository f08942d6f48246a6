//! The token that clients of the older managers send among the inputs. It is compared, where the process asks for it, and taken
//! out in any case: nobody keeps it.

use http::{HeaderMap, header};
use rutter_core::process::Process;
use serde_json::Value;

use super::request::Read;
use crate::{config::CallerToken, error::ApiError};

/// Input that carries it.
const INPUT: &str = "token";

/// Whether the caller has the token, where the process asks for it. It may also come as a bearer's.
pub(super) fn take(
    expected: Option<&CallerToken>,
    process: &Process,
    headers: &HeaderMap,
    read: &mut Read,
) -> Result<(), ApiError> {
    if !process.caller_token && !process.is_theirs() {
        return Ok(());
    }
    let given = read.request.inputs.shift_remove(INPUT);
    if let Some(inputs) = read.body.get_mut("inputs").and_then(Value::as_object_mut) {
        inputs.shift_remove(INPUT);
    }
    if !process.caller_token {
        return Ok(());
    }
    let Some(expected) = expected else {
        return Err(ApiError::Forbidden {
            reason: "this process asks for a token and the server has none to compare it with; its operator must set one"
                .to_owned(),
        });
    };
    let given = match given {
        Some(Value::String(text)) => Some(text),
        Some(_) => Some(String::new()),
        None => bearer(headers).map(str::to_owned),
    };
    match given {
        Some(given) if expected.is(&given) => Ok(()),
        Some(_) => Err(ApiError::Forbidden {
            reason: "the token among the inputs is not the one that this process asks for".to_owned(),
        }),
        None => Err(ApiError::Unauthorized {
            reason: "this process asks for a token: send it as the input `token`, or as `Authorization: Bearer TOKEN`",
            wrong_token: false,
        }),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
