//! Configuration files of pygeoapi, as they are used with the Kubernetes managers of 52North and EOX.
//!
//! [`read`] takes such a file as pygeoapi's loader does, and makes an application package of every process whose work is
//! done in a pod. Nothing of the file is passed over in silence: what has no effect, what is doubtful and what is left out
//! stands in [`Configuration::remarks`], with its line.

mod describe;
mod eox;
mod expand;
mod fault;
mod metadata;
mod north;
pub mod python;
mod remark;
mod resources;
mod server;
mod spot;
mod trial;
mod words;
pub mod yaml;

use std::path::Path;

use rutter_core::process::Fault;

pub use metadata::{Named, ServiceMetadata};
pub use remark::{Level, Remark};
pub use resources::Converted;
pub use server::{Limits, LogLevel, Manager, Map, Server};
pub use words::Words;

use remark::Report;
use spot::Spot;
use yaml::Environment;

/// What a configuration file says.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The server itself.
    pub server: Server,
    /// What its landing page says.
    pub metadata: ServiceMetadata,
    /// Processes that can be run, in their order.
    pub processes: Vec<Converted>,
    /// What the reader of the file should know, by line.
    pub remarks: Vec<Remark>,
}

/// Reads a configuration. `file` = its name, for faults; `environment` = the variables that it may name, and 52N's own.
///
/// # Errors
/// It is no YAML, names a variable that is not set, or is no map. Nothing else keeps a file from being read.
pub fn read(text: &str, file: &Path, environment: &Environment<'_>) -> Result<Configuration, Vec<Fault>> {
    let document = yaml::read(text, environment).map_err(|error| vec![fault::of_yaml(file, error)])?;
    let top = Spot::top(&document.root);
    if !top.is_map() {
        let message = format!("a configuration is a map, this is {}", document.root.describe());
        let remedy = "name pygeoapi's file, which has `server`, `metadata` and `resources`";
        return Err(vec![fault::at(file, document.root.place, "", message, remedy)]);
    }
    let defaults = north::Defaults::read(environment).map_err(|error| vec![fault::of_file(file, error)])?;
    let mut report = Report::default();
    report.unknown(&top, &["server", "logging", "metadata", "resources"]);
    let server = server::read(&mut report, &top);
    let metadata = metadata::read(&mut report, &top);
    let processes = resources::read(&mut report, &top, &defaults);
    let mut remarks = report.remarks;
    remarks.extend(document.doubles.iter().map(of_double));
    remarks.sort_by_key(|remark| (remark.line, remark.column));
    Ok(Configuration { server, metadata, processes, remarks })
}

fn of_double(double: &yaml::Double) -> Remark {
    let yaml::Double { place, key, first } = double;
    Remark {
        line: place.line,
        column: place.column,
        path: String::new(),
        level: Level::Doubt,
        text: format!("`{key}` stands in line {} already; this one counts", first.line),
    }
}

#[cfg(test)]
mod tests;
