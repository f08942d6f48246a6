//! Requests to copy: examples of a package as command lines.

use rutter_core::process::{Example, Process};
use rutter_types::JobControl;
use serde::Serialize;
use serde_json::{Value, json};

use crate::base::Base;

/// A request to copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Call {
    /// What it shows.
    pub(crate) title: String,
    /// A command line.
    pub(crate) command: String,
}

/// The examples of a process, synchronous where it may be; one made of defaults where the package has none.
pub(crate) fn calls(base: &Base, process: &Process) -> Vec<Call> {
    let url = base.url(&format!("/processes/{}/execution", process.id));
    let prefer =
        if process.allows(JobControl::SyncExecute) { "" } else { " \\\n  -H 'Prefer: respond-async'" };
    process.examples.iter().map(|example| call(&url, prefer, example)).collect()
}

fn call(url: &str, prefer: &str, example: &Example) -> Call {
    let body = body(example);
    let text = serde_json::to_string_pretty(&body).unwrap_or_default();
    Call {
        title: example.title.clone().unwrap_or_else(|| "Example".into()),
        command: format!(
            "curl {} \\\n  -H 'Content-Type: application/json'{prefer} \\\n  -d {}",
            quoted(url),
            quoted(&text)
        ),
    }
}

/// The whole request of an example.
pub(crate) fn body(example: &Example) -> Value {
    json!({ "inputs": example.inputs })
}

/// As one word for a shell.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_stays_one_word() {
        assert_eq!(quoted("http://localhost:8080/processes/echo"), "http://localhost:8080/processes/echo");
        assert_eq!(quoted("it's; rm -rf ~"), "'it'\\''s; rm -rf ~'");
        assert_eq!(quoted(""), "''");
    }
}
