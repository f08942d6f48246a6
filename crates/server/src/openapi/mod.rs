//! The definition of the API in OpenAPI 3.0.3, with a path and a request schema for each process.
//!
//! What every server has stands in `skeleton.json`; here the server's URL, its access and its processes are added.

mod execution;
mod schema;

use rutter_core::process::{Process, registry::Processes};
use serde_json::{Map, Value, json};

use crate::{base::Base, config::Pages};

/// Media type of the definition (`/req/oas30/oas-definition-1`).
pub const MEDIA_TYPE: &str = "application/vnd.oai.openapi+json;version=3.0";

const SKELETON: &str = include_str!("skeleton.json");

/// The definition of a server with these processes under a URL, where callers are authenticated.
pub fn document(processes: &Processes, base_url: &str) -> Value {
    definition(processes, &Base::new(base_url), "Rutter", Pages::default(), true)
}

pub(crate) fn definition(
    processes: &Processes,
    base: &Base,
    title: &str,
    pages: Pages,
    with_tokens: bool,
) -> Value {
    // A part of the program, which a test reads: it can't fail to be JSON.
    let mut document: Value = serde_json::from_str(SKELETON).unwrap_or_default();
    document["info"]["title"] = title.into();
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    document["servers"] = json!([{ "url": base.as_str(), "description": "This server" }]);
    limit(&mut document, pages);
    if with_tokens {
        secure(&mut document);
    }
    for process in processes.iter() {
        add(&mut document, process, with_tokens);
    }
    document
}

/// How long pages are.
fn limit(document: &mut Value, pages: Pages) {
    let beyond = if pages.refuses { "are refused".to_owned() } else { format!("count as {}", pages.most) };
    for (parameter, what) in [("limitProcesses", "processes"), ("limitJobs", "jobs")] {
        let parameter = &mut document["components"]["parameters"][parameter];
        parameter["description"] = format!("Most {what} of the page; higher numbers {beyond}.").into();
        let schema = &mut parameter["schema"];
        schema["maximum"] = pages.most.into();
        let own = schema["default"].as_u64().and_then(|own| usize::try_from(own).ok()).unwrap_or(pages.most);
        schema["default"] = pages.usual(own).into();
    }
}

/// Tokens are needed for all but what the server is and what it can do (`/req/oas30/security`).
fn secure(document: &mut Value) {
    document["components"]["securitySchemes"] =
        json!({ "bearer": { "type": "http", "scheme": "bearer", "description": "A token of this server." } });
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (path, operations) in paths {
        let is_public = !path.starts_with("/jobs") && path != "/metrics";
        let operations = operations.as_object_mut().into_iter().flatten();
        for (_, operation) in operations.filter(|(method, _)| *method != "parameters") {
            operation["security"] =
                if is_public { json!([{}, { "bearer": [] }]) } else { json!([{ "bearer": [] }]) };
        }
    }
}

fn add(document: &mut Value, process: &Process, with_tokens: bool) {
    let mut operation = execution::operation(process);
    if with_tokens {
        operation["security"] = json!([{ "bearer": [] }]);
    }
    document["paths"][format!("/processes/{}/execution", process.id)] = json!({ "post": operation });
    let schemas = &mut document["components"]["schemas"];
    schemas[execution::request_name(process)] = execution::request(process);
    schemas[execution::results_name(process)] = execution::results(process);
}

/// An object of named schemas.
fn object(members: impl Iterator<Item = (String, Value)>) -> Value {
    Value::Object(members.collect::<Map<_, _>>())
}
