//! Generated documents: printed here, committed below `schemas/`, and compared by a test.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use rutter_core::process::{Registry, Runs, UnitKinds};

/// Arguments of `rutter schema`.
#[derive(Args, Debug)]
pub(crate) struct SchemaArgs {
    /// Which document.
    document: Document,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Document {
    /// JSON Schema of `rutter.yaml`.
    Config,
    /// OpenAPI document of the shipped packages.
    Openapi,
}

/// Print a document.
pub(crate) fn run(args: SchemaArgs) -> anyhow::Result<ExitCode> {
    let document = match args.document {
        Document::Config => crate::config::schema(),
        Document::Openapi => openapi()?,
    };
    println!("{}", serde_json::to_string_pretty(&document)?);
    Ok(ExitCode::SUCCESS)
}

fn openapi() -> anyhow::Result<serde_json::Value> {
    let folder = tempfile::tempdir()?;
    crate::examples::write_to(folder.path())?;
    let registry = Registry::load(vec![folder.path().to_owned()], Runs::new(UnitKinds::ALL, "local"));
    Ok(rutter_server::openapi::document(&registry.snapshot(), "http://127.0.0.1:8080"))
}
