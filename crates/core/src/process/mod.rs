//! Processes: application packages as they are read, checked and kept in the registry.

mod model;

pub use model::{
    CommandItem, CommandUnit, Config, DockerUnit, EnvEntry, EnvValue, Example, ExecutionUnit, Input, Output,
    OutputBinding, Process, Template, TemplatePart,
};
