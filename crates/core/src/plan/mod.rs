//! Plans: everything needed to run one job, computed purely from the process and its validated inputs.
//!
//! A plan is stored with the job and written to the object store before the launch. It holds no secret of the package
//! (`env` names secrets, it never has their values); what a caller gives for a secret input is in it, as the program
//! needs it.

mod build;
mod chosen;
mod command;
mod names;
mod needs;
mod stage;

use rutter_types::{
    JsonMap,
    agent::{Arg, FetchPolicy, Limits, OutputWanted, StageItem, Variable},
};
use serde::{Deserialize, Serialize};

pub use build::plan;

use crate::{
    id::{JobId, ProcessId},
    process::{Contract, EnvEntry},
    python,
};

/// All that an executor and an agent must know to run a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The process.
    pub process: ProcessId,
    /// What the program is told as `RUTTER_PROCESS_ID`.
    pub told_id: String,
    /// What runs.
    pub unit: PlannedUnit,
    /// Environment beyond the usual.
    pub env: Vec<EnvEntry>,
    /// What the program relies on.
    #[serde(default, skip_serializing_if = "Contract::is_ours")]
    pub contract: Contract,
    /// Inputs as the program reads them.
    pub inputs: JsonMap,
    /// Files to make before the command.
    pub stage: Vec<StageItem>,
    /// Program and arguments.
    pub command: Vec<Arg>,
    /// Folder of the package.
    pub package_folder: Option<String>,
    /// Outputs to collect: those that the caller asked for.
    pub outputs: Vec<OutputWanted>,
    /// Resources.
    pub needs: Needs,
    /// Limits.
    pub limits: Limits,
    /// Further attempts after a failed one.
    pub retries: u32,
    /// What references may be fetched.
    pub fetch: FetchPolicy,
}

/// Variable of the older managers' contract with the inputs.
const THEIR_INPUTS: &str = "PYGEOAPI_K8S_MANAGER_INPUTS";
/// Most bytes of a variable with its name, as Linux takes it (`MAX_ARG_STRLEN`).
const LONGEST_VARIABLE: usize = 128 * 1024 - 1;

impl Plan {
    /// Variables in which the program looks for what it is asked, where its contract is not ours. They hold what the caller
    /// sent.
    pub fn variables(&self, job: JobId) -> Vec<Variable> {
        if self.contract.is_ours() {
            return Vec::new();
        }
        let told = |name: &str, value: String| Variable { name: name.to_owned(), value };
        let mut all = vec![told(THEIR_INPUTS, self.their_inputs())];
        all.extend(self.their_ids(job));
        all
    }

    /// Those of them that hold nothing of the caller's; what prepares the program has them too.
    pub fn their_ids(&self, job: JobId) -> Vec<Variable> {
        if self.contract.is_ours() {
            return Vec::new();
        }
        let told = |name: &str, value: String| Variable { name: name.to_owned(), value };
        vec![told("PYGEOAPI_JOB_ID", job.to_string()), told("PYGEOAPI_PROCESS_ID", self.told_id.clone())]
    }

    /// Bytes that the inputs are too long for the variable that the program looks for them in.
    pub fn inputs_too_long(&self) -> Option<usize> {
        if self.contract.is_ours() {
            return None;
        }
        let length = THEIR_INPUTS.len() + 1 + self.their_inputs().len();
        length.checked_sub(LONGEST_VARIABLE).filter(|over| *over > 0)
    }

    fn their_inputs(&self) -> String {
        python::json_dumps(&serde_json::Value::Object(self.inputs.clone()))
    }
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlannedUnit {
    /// A command of this machine.
    Command,
    /// A container image.
    Docker {
        /// Image reference.
        image: String,
        /// Most thousandths of a core; absent = as many as there are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cpu_limit_milli: Option<u64>,
        /// Graphics processors.
        #[serde(default, skip_serializing_if = "is_zero")]
        gpus: u32,
        /// The package's member `kubernetes`, for the executor that understands it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kubernetes: Option<serde_json::Value>,
    },
    /// What another system launched: it can't be launched again.
    Adopted,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Resources that a job holds while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Thousandths of a core.
    pub cpu_milli: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
}

/// What a plan takes from the server's configuration when the package is silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanDefaults {
    /// Resources of a job whose package names none.
    pub needs: Needs,
    /// Limits of a job whose package names none.
    pub limits: Limits,
    /// What references may be fetched.
    pub fetch: FetchPolicy,
}

#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod theirs;
