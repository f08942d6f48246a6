//! Whether this server's own reader of packages takes a part of a description.
//!
//! pygeoapi shows whatever stands in a configuration and checks nothing of it; packages are read strictly. So each part is
//! tried, and what is not taken is left out with a doubt instead of costing the process.

use std::path::Path;

use rutter_core::process::package;
use serde_json::{Map, Value, json};

/// Why a description can't be used: the first fault of it.
pub(crate) fn description(members: &Map<String, Value>) -> Result<(), String> {
    let mut process = members.clone();
    process.insert("id".to_owned(), json!("trial"));
    read(&json!({
        "processDescription": {"process": process},
        "executionUnit": {"type": "docker", "image": "trial", "command": ["trial"]},
    }))
}

/// The same of a single member of it.
pub(crate) fn member(name: &str, value: &Value) -> Result<(), String> {
    description(&Map::from_iter([(name.to_owned(), value.clone())]))
}

/// The same of one input or output; `list` = `inputs` or `outputs`.
pub(crate) fn value(list: &str, id: &str, described: &Value) -> Result<(), String> {
    member(list, &json!({id: described}))
}

/// The same of the name of an image.
pub(crate) fn image(image: &str) -> Result<(), String> {
    read(&json!({
        "processDescription": {"process": {"id": "trial"}},
        "executionUnit": {"type": "docker", "image": image, "command": ["trial"]},
    }))
}

/// Why a whole package can't be used.
pub(crate) fn package(package: &Value) -> Result<(), String> {
    read(package)
}

fn read(package: &Value) -> Result<(), String> {
    match package::parse(&package.to_string(), Path::new("trial"), None) {
        Ok(_) => Ok(()),
        Err(faults) => Err(faults.first().map(|fault| fault.message.clone()).unwrap_or_default()),
    }
}
