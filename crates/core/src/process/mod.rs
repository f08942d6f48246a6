//! Processes: application packages as they are read, checked and kept in the registry.
//!
//! A package is read into a tree that knows its places (`located`), walked member by member (`package` and what it
//! calls), and becomes a [`Process`] only when nothing is wrong with it.

mod alone;
mod bindings;
mod chosen;
mod command;
mod config;
mod default_file;
mod description;
pub mod dialect;
mod doubles;
mod entry;
mod env;
pub mod file;
mod finding;
mod kubernetes;
mod languages;
mod located;
mod model;
mod namesake;
mod output;
pub mod package;
pub mod registry;
mod scan;
mod schema_walk;
mod suggest;
mod template;
mod unit;
mod values;
mod walk;

pub use alone::{why_not_alone, why_plan_not_alone};
pub(crate) use chosen::IMAGE as CHOSEN_IMAGE;
pub use command::code_flag;
pub use finding::{Fault, Finding, Notice};
pub use languages::nearest as nearest_language;
pub use model::{
    CommandItem, CommandUnit, Config, Contract, DockerUnit, EnvEntry, EnvValue, Example, ExecutionUnit,
    Input, Output, OutputBinding, Process, Template, TemplatePart, UnitKind, UnitKinds, Validation,
};
pub use namesake::told_as;
pub use output::{is_checked, media_type_of, output_faults};
pub use registry::{Broken, Processes, Refused, Refuses, Registry, Runs};
pub use suggest::nearest;

#[cfg(test)]
mod tests;
