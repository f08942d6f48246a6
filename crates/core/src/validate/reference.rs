//! Values by reference: `{"href": …}`. The address itself is judged when it is fetched; here its form is.

use rutter_types::Fault;
use serde_json::{Value, json};
use url::Url;

use super::{Content, Context};
use crate::schema::shorten;

/// Longest URL.
const LENGTH_LIMIT: usize = 8 * 1024;

/// What a link names.
pub(super) fn read(href: &Value, pointer: &str, context: &Context<'_>) -> Result<Content, Vec<Fault>> {
    let fault = |detail: &str| {
        vec![Fault {
            received: Some(shorten(href)),
            allowed: Some(json!({"format": "uri", "schemes": ["http", "https"]})),
            ..Fault::new(pointer, detail)
        }]
    };
    let Some(text) = href.as_str() else { return Err(fault("must be a text: an absolute URL")) };
    if text.len() > LENGTH_LIMIT {
        return Err(fault("is too long for a URL: 8192 bytes are allowed"));
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(fault("has white space or control characters: encode them as %20 and so on"));
    }
    let Ok(url) = Url::parse(text) else {
        return Err(fault("is no absolute URL: write it from http:// or https:// on"));
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(fault("has a scheme that is not fetched: use http or https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(vec![Fault::new(
            pointer,
            "holds a user name or password, and requests are kept: remove it",
        )]);
    }
    Ok(match (context.own_results)(text) {
        Some(result) => Content::Own(result),
        None => Content::Url(text.to_owned()),
    })
}
