//! Launches of another system that were given to this installation: each becomes a job, once, from what stands on it.
//!
//! Nothing else is done for them here. Their programs have no agent, so they are followed like others without one
//! ([`crate::alone`]); only their times are those that the other system noted. Until the job is stored, the launch itself is the
//! record of the adoption, so a crash is just another pass.

use indexmap::IndexMap;
use jiff::Timestamp;
use rutter_types::{
    JsonMap, OutputSelection,
    agent::{Find, OutputWanted},
};
use serde_json::json;

use super::{Signal, pass::PassError};
use crate::{
    engine::{Parts, Settings},
    executor::Adopted,
    id::{JobId, LaunchName, OutputId, ProcessId},
    job::{Job, Mode, ResponseShape, State},
    plan::{Needs, Plan, PlannedUnit},
    process::{Contract, Process},
    validate,
};

/// The output of a process that nobody describes any more.
const OUTPUT: &str = "result";

impl Parts {
    /// Store the job of a launch that was given to this installation. `false` = there is none such.
    pub(super) async fn adopt(&self, id: JobId) -> Result<bool, PassError> {
        let name = LaunchName { job: id, launch: 1 };
        let Some(found) = self.executor.adopted(name) else { return Ok(false) };
        if self.leaving.since(id).is_some() || self.store.gone(id).await?.is_some() {
            // It was removed here, and goes there as well.
            self.executor.forget(name).await?;
            return Ok(true);
        }
        let processes = self.registry.snapshot();
        let known = processes.told_as(&found.process, found.image.as_deref());
        let job = job_of(id, &found, known);
        let plan = plan_of(&job, &found, known, &self.settings);
        if self.store.restore(&job, Some(&plan)).await? {
            tracing::info!(job.id = %id, job.process = %job.process, "job of another system is adopted");
        }
        self.changes.tell(id);
        self.signal(Signal::Look(id));
        Ok(true)
    }

    /// When an attempt that is first seen now began.
    pub(crate) fn beginning(&self, launch: LaunchName) -> Timestamp {
        let now = self.clock.now();
        self.executor.adopted(launch).map_or(now, |found| found.began.min(now))
    }

    /// When an attempt whose end is first seen now ended.
    pub(crate) fn ending(&self, launch: LaunchName) -> Timestamp {
        let now = self.clock.now();
        let Some(found) = self.executor.adopted(launch) else { return now };
        found.ended.map_or(now, |ended| ended.max(found.began).min(now))
    }
}

fn job_of(id: JobId, found: &Adopted, process: Option<&Process>) -> Job {
    let mut request = json!({ "inputs": found.inputs.clone().unwrap_or_else(|| json!({})) });
    // That system may have kept what is secret.
    validate::mask_inputs(&mut request["inputs"]);
    Job {
        id,
        process: process.map_or_else(|| ProcessId::near(&found.process), |process| process.id.clone()),
        process_version: process.map(|it| it.description.summary.version.clone()).unwrap_or_default(),
        owner: None,
        mode: Mode::Async,
        shape: ResponseShape { v1: None, outputs: outputs(found, process), answer: Vec::new() },
        request: process.map_or(request.clone(), |process| validate::mask(process, &request)),
        subscriber: None,
        key: None,
        created: found.began,
        updated: found.began,
        progress: None,
        message: None,
        launches: 1,
        attempts: Vec::new(),
        state: State::Accepted,
        archived: false,
        revision: 0,
    }
}

/// What its answer has: all outputs, where any can be had.
fn outputs(found: &Adopted, process: Option<&Process>) -> IndexMap<OutputId, OutputSelection> {
    if !found.prints_results {
        return IndexMap::new();
    }
    let ids: Vec<OutputId> = match process {
        Some(process) => process.outputs.keys().cloned().collect(),
        None => OUTPUT.parse().into_iter().collect(),
    };
    ids.into_iter().map(|id| (id, OutputSelection::default())).collect()
}

fn plan_of(job: &Job, found: &Adopted, process: Option<&Process>, settings: &Settings) -> Plan {
    let media_type = |id: &OutputId| process?.outputs.get(id)?.media_types.first().cloned();
    let wanted = |id: &OutputId| OutputWanted {
        id: id.to_string(),
        find: Find::Printed,
        required: false,
        many: false,
        when_failed: false,
        media_type: media_type(id),
    };
    Plan {
        process: job.process.clone(),
        told_id: found.process.clone(),
        unit: PlannedUnit::Adopted,
        env: Vec::new(),
        contract: Contract::Pygeoapi,
        inputs: JsonMap::new(),
        stage: Vec::new(),
        command: Vec::new(),
        package_folder: None,
        outputs: job.shape.outputs.keys().map(wanted).collect(),
        needs: Needs::default(),
        limits: settings.plan.limits.clone(),
        retries: 0,
        fetch: settings.plan.fetch.clone(),
    }
}
