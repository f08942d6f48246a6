//! A process as Rutter understands it, after its package was read and found right.

use std::path::PathBuf;

use indexmap::IndexMap;
use rutter_types::{InputDescription, JobControl, OutputDescription, ProcessDescription, agent::FileField};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    id::{InputId, OutputId, ProcessId},
    schema::Schema,
};

/// A process: description, compiled schemas and execution units.
#[derive(Debug)]
pub struct Process {
    /// Identifier in URLs.
    pub id: ProcessId,
    /// Identifier that the program is told, where an older manager's file gave another.
    pub legacy_id: Option<String>,
    /// What the process list and the description say; links are added per request. Schemas stand here as written.
    pub description: ProcessDescription,
    /// The same in the languages that the package has texts in; the first one's is `description`. Empty where it has but one.
    pub languages: IndexMap<String, ProcessDescription>,
    /// Inputs with their compiled schemas, in the order of the package.
    pub inputs: IndexMap<InputId, Input>,
    /// Outputs with their compiled schemas, in the order of the package.
    pub outputs: IndexMap<OutputId, Output>,
    /// Ways to run it, in order of preference.
    pub units: Vec<ExecutionUnit>,
    /// How strictly requests are held to the description.
    pub validation: Validation,
    /// Outputs of which the first that there is answers a request that names none, alone and as it is.
    pub answer: Vec<OutputId>,
    /// Whether callers must give the server's token for the older managers' clients.
    pub caller_token: bool,
    /// Complete execute requests that work.
    pub examples: Vec<Example>,
    /// Folder of the package; absent for one that came by other ways.
    pub folder: Option<PathBuf>,
    /// The package as it was read, for `GET …/package` and for its digest.
    pub source: Value,
    /// SHA-256 of the package, hexadecimal: changes when anything in it does.
    pub digest: String,
}

/// How strictly requests are held to a process description.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validation {
    /// What breaks it is refused.
    #[default]
    Strict,
    /// Nothing is: inputs reach the program as they came, known or not. Descriptions of the older managers' files were never
    /// compared with what callers send.
    Lenient,
}

/// What a program relies on beside the usual variables and files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Contract {
    /// Ours.
    #[default]
    Rutter,
    /// That of images made for pygeoapi's Kubernetes managers: inputs and ids in variables of theirs, results behind markers in
    /// what is printed, `HOME` as the image has it.
    Pygeoapi,
}

impl Contract {
    /// Whether it is ours.
    pub fn is_ours(&self) -> bool {
        *self == Self::Rutter
    }
}

/// An input and what its values must satisfy.
#[derive(Debug)]
pub struct Input {
    /// What is told of it.
    pub description: InputDescription,
    /// Schema of one value.
    pub schema: Schema,
    /// Fewest values.
    pub min_occurs: u32,
    /// Most values; absent = any number.
    pub max_occurs: Option<u32>,
    /// Whether the program gets a file: the schema (or its first branch) is a string with a media type or encoding.
    pub is_file: bool,
    /// Used when the request has no value.
    pub default: Option<Value>,
    /// May be given in the request itself (`valuePassing`).
    pub by_value: bool,
    /// May be given by link (`valuePassing`).
    pub by_reference: bool,
}

impl Input {
    /// Whether values travel in an array.
    pub fn is_many(&self) -> bool {
        self.max_occurs.is_none_or(|most| most > 1)
    }
}

/// An output and what its values must satisfy.
#[derive(Debug)]
pub struct Output {
    /// What is told of it.
    pub description: OutputDescription,
    /// Schema of one value.
    pub schema: Schema,
    /// Fewest values: 0 = may be absent.
    pub min_occurs: u32,
    /// Most values; absent = any number.
    pub max_occurs: Option<u32>,
    /// Media types that the schema's branches offer, the default first: `application/json` for JSON types,
    /// `contentMediaType` for strings that have one, `text/plain` for other strings.
    pub media_types: Vec<String>,
}

impl Output {
    /// Whether several files are several values.
    pub fn is_many(&self) -> bool {
        self.max_occurs.is_none_or(|most| most > 1)
    }
}

impl Process {
    /// The language of the description, where the package says it.
    pub fn first_language(&self) -> Option<&str> {
        self.languages.keys().next().map(String::as_str)
    }

    /// Whether its program is made for the older managers.
    pub fn is_theirs(&self) -> bool {
        self.units.iter().any(|unit| !unit.contract().is_ours())
    }

    /// Whether it may be executed so.
    pub fn allows(&self, control: JobControl) -> bool {
        self.description.summary.job_control_options.contains(&control)
    }

    /// The first unit of these kinds: what an executor that runs them takes.
    pub fn unit_for(&self, kinds: impl Into<UnitKinds>) -> Option<&ExecutionUnit> {
        let kinds = kinds.into();
        self.units.iter().find(|unit| kinds.has(unit.kind()))
    }

    /// Whether an executor of these kinds can run it.
    pub fn runnable(&self, kinds: impl Into<UnitKinds>) -> bool {
        self.unit_for(kinds).is_some()
    }
}

/// A complete execute request that works.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// What it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its inputs, as in an execute request.
    #[serde(default)]
    pub inputs: rutter_types::JsonMap,
}

/// One way to run a process.
#[derive(Clone, Debug, PartialEq)]
pub enum ExecutionUnit {
    /// A command of this machine.
    Command(CommandUnit),
    /// A container image.
    Docker(DockerUnit),
}

/// A command of this machine.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandUnit {
    /// Program and arguments.
    pub command: Vec<CommandItem>,
    /// Environment beyond the usual.
    pub env: Vec<EnvEntry>,
    /// Resources and limits.
    pub config: Config,
    /// Where outputs are found, by output id; what is not named is found by its name.
    pub outputs: IndexMap<OutputId, OutputBinding>,
    /// Outputs that are kept of a command that failed, too.
    pub when_failed: Vec<OutputId>,
}

/// A container image.
#[derive(Clone, Debug, PartialEq)]
pub struct DockerUnit {
    /// Image reference.
    pub image: String,
    /// What the image relies on.
    pub contract: Contract,
    /// Program and arguments; empty = the image's own.
    pub command: Vec<CommandItem>,
    /// Environment beyond the usual.
    pub env: Vec<EnvEntry>,
    /// Resources and limits.
    pub config: Config,
    /// Where outputs are found.
    pub outputs: IndexMap<OutputId, OutputBinding>,
    /// Outputs that are kept of a command that failed, too.
    pub when_failed: Vec<OutputId>,
    /// The member `kubernetes` as written, for the executor that understands it.
    pub kubernetes: Option<Value>,
}

/// What a unit needs to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnitKind {
    /// A machine that starts commands.
    Command,
    /// A container engine or a cluster.
    Docker,
}

/// The kinds of units that an executor runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitKinds {
    commands: bool,
    containers: bool,
}

impl UnitKinds {
    /// Commands and containers.
    pub const ALL: Self = Self { commands: true, containers: true };

    /// Whether a kind is among them.
    pub fn has(self, kind: UnitKind) -> bool {
        match kind {
            UnitKind::Command => self.commands,
            UnitKind::Docker => self.containers,
        }
    }
}

impl From<UnitKind> for UnitKinds {
    fn from(kind: UnitKind) -> Self {
        Self { commands: kind == UnitKind::Command, containers: kind == UnitKind::Docker }
    }
}

impl ExecutionUnit {
    /// What it needs to run on.
    pub fn kind(&self) -> UnitKind {
        match self {
            Self::Command(_) => UnitKind::Command,
            Self::Docker(_) => UnitKind::Docker,
        }
    }

    /// Program and arguments.
    pub fn command(&self) -> &[CommandItem] {
        match self {
            Self::Command(unit) => &unit.command,
            Self::Docker(unit) => &unit.command,
        }
    }

    /// Environment beyond the usual.
    pub fn env(&self) -> &[EnvEntry] {
        match self {
            Self::Command(unit) => &unit.env,
            Self::Docker(unit) => &unit.env,
        }
    }

    /// Where outputs are found, by output id; what is not named is found by its name.
    pub fn outputs(&self) -> &IndexMap<OutputId, OutputBinding> {
        match self {
            Self::Command(unit) => &unit.outputs,
            Self::Docker(unit) => &unit.outputs,
        }
    }

    /// Whether an output is kept of a command that failed, too.
    pub fn keeps_when_failed(&self, id: &OutputId) -> bool {
        match self {
            Self::Command(unit) => unit.when_failed.contains(id),
            Self::Docker(unit) => unit.when_failed.contains(id),
        }
    }

    /// What its program relies on.
    pub fn contract(&self) -> Contract {
        match self {
            Self::Command(_) => Contract::Rutter,
            Self::Docker(unit) => unit.contract,
        }
    }

    /// Its resources and limits.
    pub fn config(&self) -> &Config {
        match self {
            Self::Command(unit) => &unit.config,
            Self::Docker(unit) => &unit.config,
        }
    }
}

/// An item of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandItem {
    /// One argument.
    One(Template),
    /// Arguments that belong together: dropped or repeated together.
    Together(Vec<Template>),
}

/// An argument with references to inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(pub Vec<TemplatePart>);

/// A part of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplatePart {
    /// As it stands.
    Text(String),
    /// `$(inputs.x)`: the value; text as it stands, anything else as JSON.
    Value(InputId),
    /// `$(inputs.x.path)` and its likes.
    File(InputId, FileField),
    /// All values of an array as one text, with a separator between them (`itemSeparator` of an input binding).
    /// Unlike the other references it never repeats the item.
    Joined(InputId, String),
}

impl Template {
    /// Inputs that it names.
    pub fn inputs(&self) -> impl Iterator<Item = &InputId> {
        self.0.iter().filter_map(|part| match part {
            TemplatePart::Text(_) => None,
            TemplatePart::Value(id) | TemplatePart::File(id, _) | TemplatePart::Joined(id, _) => Some(id),
        })
    }
}

/// A variable of the command's environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvEntry {
    /// Its name.
    pub name: String,
    /// Where its value comes from.
    pub value: EnvValue,
}

/// Where the value of a variable comes from. A secret's value never stands in a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EnvValue {
    /// As written.
    Text(String),
    /// The server's own variable of that name, when it is set.
    Inherit,
    /// A key of a secret.
    Secret {
        /// Name of the secret.
        name: String,
        /// Key in it.
        key: String,
    },
}

/// Resources and limits of a unit, as written (`config` of Part 2's execution unit and our additions); GB = 10^9 bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Cores needed.
    pub cpu_min: Option<f64>,
    /// Most cores.
    pub cpu_max: Option<f64>,
    /// Memory needed, GB.
    pub memory_min: Option<f64>,
    /// Most memory, GB: over it the command ends as out of memory.
    pub memory_max: Option<f64>,
    /// Graphics processors.
    pub gpus: Option<u32>,
    /// Scratch space for inputs, work and outputs, GB.
    pub storage_temp_min: Option<f64>,
    /// Space for outputs, GB: also their limit.
    pub storage_outputs_min: Option<f64>,
    /// Seconds that the command may run.
    pub job_timeout: Option<f64>,
    /// Further attempts after a failed one.
    pub retries: Option<u32>,
}

/// Where an output is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputBinding {
    /// Files that match.
    Glob(Vec<String>),
    /// Standard output.
    Stdout,
}
