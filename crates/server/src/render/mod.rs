//! What answers look like: status documents, the shapes of results, and the headers that decide about them.

pub mod accept;
pub(crate) mod archive;
mod attempts;
mod base64_stream;
pub mod conditional;
pub mod disposition;
pub mod document;
pub mod flow;
pub(crate) mod multipart;
pub mod outputs;
pub mod prefer;
pub mod shape;
pub mod status;
pub mod strict_json;
mod zip_stream;
