//! What authors of packages rely on.

mod accepted;
mod hostile;
mod refused;
mod registry;

use std::path::Path;

use super::{Fault, Notice, Process, package};

/// Reads a package that came without a folder.
fn read(text: &str) -> Result<(Process, Vec<Notice>), Vec<Fault>> {
    package::parse(text, Path::new("p.yaml"), None)
}

/// Reads a package that must be right.
fn right(text: &str) -> (Process, Vec<Notice>) {
    read(text).unwrap_or_else(|faults| panic!("{}", lines(&faults)))
}

fn lines(findings: &[Fault]) -> String {
    findings.iter().map(|finding| format!("{finding}\n")).collect()
}

/// A right package of one input of a schema, with members of its unit.
fn package(schema: &str, unit: &str) -> String {
    format!(
        "processDescription:\n  process:\n    id: p\n    inputs:\n      x: {{schema: {schema}, minOccurs: 0}}\n    \
         outputs:\n      y: {{schema: {{type: string}}}}\nexecutionUnit:\n  type: command\n{unit}\n"
    )
}
