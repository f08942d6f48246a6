//! The protocol between an agent and the server: JSON over HTTP, every call made by the agent.
//!
//! Paths (all `POST` but where said; header [`VERSION_HEADER`] on each, `Authorization: Bearer` with the attempt's token):
//!
//! | path | body | answer |
//! |---|---|---|
//! | `/agent/v1/order` | – | [`OrderAnswer`]; idempotent per attempt |
//! | `GET /agent/v1/results/{job}/{output}/{index}` | – | bytes of a result that the order names as [`Source::Result`] |
//! | `GET /agent/v1/package/{stage}` | – | bytes of the file that item of the order's `stage` names as [`Source::Package`] |
//! | `/agent/v1/staged` | [`Staged`] | [`StagedAnswer`] |
//! | `/agent/v1/progress` | [`Progress`] | 204 |
//! | `/agent/v1/log?offset=N` | log bytes from that offset of the attempt's log | [`LogAnswer`] |
//! | `PUT /agent/v1/outputs/{output}/{index}` | the bytes; `Content-Type` is the media type | [`Uploaded`] |
//! | `GET /agent/v1/outputs/{output}/{index}` | – | [`Received`]: how far an output has come that is sent in parts |
//! | `/agent/v1/outputs/{output}/{index}?offset=N&size=M` | bytes from that offset of an output of M bytes | [`Received`] |
//! | `/agent/v1/report` | [`Report`] | [`Verdict`]; idempotent per attempt |
//!
//! Status 410 anywhere: this attempt is over (another was published, or the job ended): stop the program, exit 0.
//! 401, 404, 5xx and no connection: try again with backoff. 413 on an upload: the output is over its limit. 426: the agent and
//! the server don't understand each other, which another try does not change: the reason is the agent's last word.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Fault, JsonMap};

/// Version of this protocol.
pub const VERSION: u32 = 1;
/// The oldest version that a server understands. Agents are as old as the longest job: recordings of what they say are kept
/// (`crates/server/tests/agents`), and a version goes only when none of it can be under way any more.
pub const OLDEST_VERSION: u32 = 1;
/// Header that carries the version.
pub const VERSION_HEADER: &str = "rutter-agent-protocol";
/// Environment: where the server is, `unix:/path/to/socket` or `https://host:port`.
pub const ENV_SERVER: &str = "RUTTER_AGENT_SERVER";
/// Environment: file with the token, read again at each call.
pub const ENV_TOKEN_FILE: &str = "RUTTER_AGENT_TOKEN_FILE";
/// Environment: folder of the attempt, in which the agent makes `in`, `out`, `work` and its spool.
pub const ENV_FOLDER: &str = "RUTTER_AGENT_FOLDER";
/// Environment: further CA certificates, PEM.
pub const ENV_CA: &str = "RUTTER_AGENT_CA";
/// Environment: seconds without any contact to the server after which the agent gives up, until its order says so.
pub const ENV_CONTACT: &str = "RUTTER_AGENT_CONTACT_SECONDS";
/// Environment: file with further variables of the command, a JSON object of texts: for an executor whose own way would show
/// them.
pub const ENV_ENVIRONMENT_FILE: &str = "RUTTER_AGENT_ENVIRONMENT_FILE";
/// Environment: how many files the command may have open, where the server raised its own limit; the agent sets it.
pub const ENV_OPEN_FILES: &str = "RUTTER_AGENT_OPEN_FILES";
/// Outputs up to this many bytes travel inside the report.
pub const INLINE_LIMIT: u64 = 64 * 1024;

/// Outputs over this many bytes are sent in parts, so that a broken connection does not cost all of one.
pub const IN_PARTS_OVER: u64 = 16 * 1024 * 1024;
/// Bytes of a part.
pub const PART: u64 = 16 * 1024 * 1024;

/// Exit codes that only the agent uses; a program's own exit with one of them becomes 1.
pub mod exit {
    /// An input given by reference breaks its schema: trying again is useless.
    pub const BAD_INPUT: i32 = 120;
    /// An input could not be fetched.
    pub const STAGING_FAILED: i32 = 121;
    /// The server could not be reached for the whole contact budget.
    pub const LOST_CONTACT: i32 = 122;
    /// The agent itself failed.
    pub const AGENT_FAULT: i32 = 123;
}

/// Answer to a request for an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub enum OrderAnswer {
    /// Run this.
    Run(Box<WorkOrder>),
    /// Nothing is left to do: exit 0.
    Over,
    /// Nothing yet: ask again after so many milliseconds.
    Wait {
        /// Milliseconds.
        millis: u64,
    },
}

/// What the agent does for one attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkOrder {
    /// Job id, told to the program as `RUTTER_JOB_ID`.
    pub job: String,
    /// Process id, told to the program as `RUTTER_PROCESS_ID`.
    pub process: String,
    /// Inputs as the program reads them; a position named by [`StageItem`] is `null` until staged.
    pub inputs: JsonMap,
    /// What must be fetched or written before the command starts.
    pub stage: Vec<StageItem>,
    /// Program and arguments.
    pub command: Vec<Arg>,
    /// Folder of the package, told to the program as `RUTTER_PACKAGE_DIR`; `./x` commands start there. Absent where the
    /// agent does not see it, in containers: then files of the package come from the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_folder: Option<String>,
    /// Outputs to collect.
    pub outputs: Vec<OutputWanted>,
    /// What the program is told in variables beside the usual ones; a later one of the same name counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<Variable>,
    /// Whether `HOME` and `TMPDIR` stay what the image says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_home: bool,
    /// Limits to keep.
    pub limits: Limits,
    /// What references may be fetched.
    pub fetch: FetchPolicy,
}

/// A variable of the program's environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// An argument: parts that are put together without any separator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Arg(pub Vec<Part>);

/// A part of an argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// As it stands.
    Text(String),
    /// Something about the staged file with that index in [`WorkOrder::stage`].
    File {
        /// Index in `stage`.
        stage: usize,
        /// What of its path.
        field: FileField,
    },
    /// The value staged by that item ([`Becomes::Value`]): text as it stands, anything else as compact JSON.
    Staged {
        /// Index in `stage`.
        stage: usize,
    },
}

/// What of a file's path an argument names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileField {
    /// The whole path.
    Path,
    /// The last component.
    Basename,
    /// The last component without its last extension.
    Nameroot,
    /// The last extension with its dot.
    Nameext,
}

/// One file to make below `$RUTTER_IN` before the command starts: `$RUTTER_IN/<input>/<name>`, or
/// `$RUTTER_IN/<input>/<index>/<name>` for an input of several values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageItem {
    /// Input id.
    pub input: String,
    /// Position among the values of the input; absent for an input of a single value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// File name: one safe path component.
    pub name: String,
    /// Where the bytes come from.
    pub source: Source,
    /// What stands in the inputs file at its position.
    pub becomes: Becomes,
}

/// Where the bytes of an input come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A URL, fetched under the [`FetchPolicy`].
    Url(String),
    /// Text as it stands.
    Text(String),
    /// Base64.
    Base64(String),
    /// A file below the package's folder, relative to it; read there, or else through `/agent/v1/package`.
    Package(String),
    /// A result of another job of this server, read through `/agent/v1/results`.
    Result {
        /// Job id.
        job: String,
        /// Output id.
        output: String,
        /// Position among the values of the output.
        index: usize,
    },
}

/// What stands in the inputs file for a staged input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Becomes {
    /// The path of the file.
    Path,
    /// The JSON (or text) read from the file: sent to the server for validation first.
    Value,
    /// The text of the file, whatever it looks like: likewise sent first.
    Text,
    /// Nothing: the value already stands there, the file is an extra for the command line.
    Nothing,
}

/// An output to collect after the command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputWanted {
    /// Output id.
    pub id: String,
    /// Where it is found.
    pub find: Find,
    /// Whether its absence is an error.
    pub required: bool,
    /// Whether several files are several values; otherwise more than one file becomes a zip.
    pub many: bool,
    /// Media type when the file name does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Whether it is collected of a command that failed, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub when_failed: bool,
}

/// Where an output is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Find {
    /// `$RUTTER_OUT/<id>` or `$RUTTER_OUT/<id>.<extension>`.
    Name,
    /// Files below `$RUTTER_OUT` (then below the work directory) that match one of these globs.
    Glob(Vec<String>),
    /// Standard output.
    Stdout,
    /// Among all that the program prints: behind the older managers' markers, else everything (crate `printed`).
    Printed,
}

/// Limits of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Seconds that the command may run.
    pub command_seconds: u64,
    /// Seconds between SIGTERM and SIGKILL.
    pub grace_seconds: u64,
    /// Bytes of memory of the whole process tree; absent = not enforced by the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Bytes that inputs, work and outputs may take together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scratch_bytes: Option<u64>,
    /// Bytes that all outputs may take together.
    pub output_bytes: u64,
    /// Bytes of log that are kept; what comes after is dropped with a note.
    pub log_bytes: u64,
    /// Seconds without any contact to the server after which the agent gives up.
    pub contact_seconds: u64,
}

/// What may be fetched for inputs given by reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchPolicy {
    /// Greatest size of one reference in bytes (`references.maxBytes`).
    pub max_bytes: u64,
    /// Greatest time without a byte, seconds (`references.idleTimeout`).
    pub idle_seconds: u64,
    /// Greatest number of redirects (`references.maxRedirects`).
    pub max_redirects: u32,
    /// Whether loopback and private networks may be reached.
    pub private_networks: bool,
    /// Hosts and networks (CIDR) allowed although private (`references.allow`).
    pub allow: Vec<String>,
}

/// What was staged, for the server to validate values given by reference.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Staged {
    /// In the order of [`WorkOrder::stage`], fetched ones only.
    pub items: Vec<StagedItem>,
}

/// One staged reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StagedItem {
    /// Index in [`WorkOrder::stage`].
    pub stage: usize,
    /// Bytes.
    pub size: u64,
    /// Media type that the source gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The value read, for [`Becomes::Value`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// Whether the staged values satisfy the process description.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "lowercase")]
pub enum StagedAnswer {
    /// Start the command.
    Go,
    /// Do not: report [`Outcome::BadInput`] with these faults.
    Refused {
        /// Every fault.
        faults: Vec<Fault>,
    },
}

/// Signs of life.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What the agent is at.
    pub phase: Phase,
    /// Percent done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// The program's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Measured so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// Part of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Inputs are fetched.
    #[default]
    Staging,
    /// The command runs.
    Running,
    /// Outputs are sent.
    Uploading,
}

/// Answer to log bytes: the offset up to which the server has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogAnswer {
    /// Bytes of the attempt's log that the server keeps.
    pub offset: u64,
}

/// Answer to an uploaded output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uploaded {
    /// Bytes received.
    pub size: u64,
    /// SHA-256 of them, hexadecimal.
    pub sha256: String,
}

/// How far an output has come that is sent in parts. The next part begins there; an output is whole when there is a digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Bytes that the server keeps.
    pub offset: u64,
    /// SHA-256 of the whole output, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What happened.
    pub outcome: Outcome,
    /// What it took.
    pub usage: Usage,
    /// Outputs collected: all for exit code 0, else those that are wanted of a failed command.
    #[serde(default)]
    pub outputs: Vec<OutputFile>,
    /// What the program says of its failure (`RUTTER_FAILURE`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Bytes of the attempt's log, dropped ones included.
    pub log_bytes: u64,
}

/// What happened in an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// The command ended by itself.
    Exited {
        /// Exit code.
        code: i32,
    },
    /// A signal that was not ours ended it.
    Signalled {
        /// Signal number.
        signal: i32,
    },
    /// The agent was asked to stop, by somebody who knows why, and stopped the command.
    Stopped,
    /// It ran longer than `limits.command_seconds`.
    TimeLimit,
    /// It took more than `limits.memory_bytes`, or the kernel ended it for want of memory.
    OutOfMemory {
        /// Greatest memory seen, bytes.
        peak_bytes: u64,
    },
    /// It took more than `limits.scratch_bytes`.
    ScratchLimit,
    /// Outputs over `limits.output_bytes`.
    OutputLimit {
        /// The output at which the limit was passed.
        output: String,
    },
    /// Required outputs that were not found.
    OutputMissing {
        /// Their ids.
        outputs: Vec<String>,
    },
    /// An output that is no plain file inside the work directory, or can't be read.
    OutputUnusable {
        /// Its id.
        output: String,
        /// Why, as a fragment: `is a symbolic link`, `is a FIFO`, …
        reason: String,
    },
    /// The program could not be started.
    CannotStart {
        /// Why: `no such program`, `permission denied`, …
        reason: String,
    },
    /// A reference could not be fetched.
    StagingFailed {
        /// Every fault, with its pointer.
        faults: Vec<Fault>,
    },
    /// A reference breaks the process description.
    BadInput {
        /// Every fault, with its pointer.
        faults: Vec<Fault>,
    },
    /// The agent failed itself.
    AgentFault {
        /// Why.
        reason: String,
    },
}

/// Resources used by an attempt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Seconds of processor time, user and system, of the command and its children.
    pub cpu_seconds: f64,
    /// Greatest memory seen, bytes.
    pub peak_memory_bytes: u64,
    /// Seconds that staging took.
    pub staging_seconds: f64,
    /// Seconds that the command took.
    pub command_seconds: f64,
}

/// One value of an output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// Output id.
    pub output: String,
    /// Position among the values of the output.
    pub index: usize,
    /// File name for people; one safe path component.
    pub name: String,
    /// Media type by file name or content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Bytes.
    pub size: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// The bytes in base64 when there are at most [`INLINE_LIMIT`]; otherwise they were uploaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<String>,
}

/// The server's answer to a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Verdict {
    /// Published, or not needed any more: exit 0.
    Done,
    /// Failed, and attempts remain: exit with this code.
    Retry {
        /// Exit code.
        exit: i32,
    },
    /// Failed for good: exit with this code.
    Fail {
        /// Exit code.
        exit: i32,
    },
}
