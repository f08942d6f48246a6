//! Processes: application packages as they are read, checked and kept in the registry.
//!
//! A package is read into a tree that knows its places (`located`), walked member by member (`package` and what it
//! calls), and becomes a [`Process`] only when nothing is wrong with it.

mod bindings;
mod command;
mod config;
mod default_file;
mod description;
pub mod dialect;
mod env;
mod finding;
mod located;
mod media;
mod model;
pub mod package;
mod schema_walk;
mod suggest;
mod template;
mod unit;
mod values;
mod walk;

pub use finding::{Fault, Finding, Notice};
pub use model::{
    CommandItem, CommandUnit, Config, DockerUnit, EnvEntry, EnvValue, Example, ExecutionUnit, Input, Output,
    OutputBinding, Process, Template, TemplatePart, UnitKind,
};
pub use suggest::nearest;
