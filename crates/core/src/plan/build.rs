//! Puts a plan together.

use rutter_types::{
    JsonMap, OutputSelection,
    agent::{Find, OutputWanted},
};

use super::{Plan, PlanDefaults, PlannedUnit, chosen, command, needs, stage::Staging};
use crate::{
    process::{ExecutionUnit, OutputBinding, Process},
    validate::Valid,
};

/// The plan of a valid request. The same request always gives the same plan.
pub fn plan(process: &Process, unit: &ExecutionUnit, valid: &Valid, defaults: &PlanDefaults) -> Plan {
    let mut staging = Staging::default();
    let mut inputs = JsonMap::new();
    match &valid.as_given {
        Some(given) => inputs.clone_from(given),
        None => {
            for (id, values) in &valid.inputs {
                if let Some(input) = process.inputs.get(id) {
                    inputs.insert(id.to_string(), staging.input(id, input, values));
                }
            }
        }
    }
    let command = command::expand(unit.command(), process, valid, &mut staging);
    let config = unit.config();
    Plan {
        process: process.id.clone(),
        told_id: process.legacy_id.clone().unwrap_or_else(|| process.id.to_string()),
        unit: match unit {
            ExecutionUnit::Command(_) => PlannedUnit::Command,
            ExecutionUnit::Docker(unit) => {
                let (image, kubernetes) = chosen::of(unit, &valid.inputs);
                PlannedUnit::Docker {
                    image,
                    cpu_limit_milli: needs::cpu_limit(config),
                    gpus: config.gpus.unwrap_or(0),
                    kubernetes,
                }
            }
        },
        env: unit.env().to_vec(),
        contract: unit.contract(),
        inputs,
        stage: staging.items,
        command,
        package_folder: process.folder.as_ref().map(|folder| folder.to_string_lossy().into_owned()),
        outputs: outputs(process, unit, valid),
        needs: needs::needs(config, defaults),
        limits: needs::limits(config, defaults),
        retries: config.retries.unwrap_or(0),
        fetch: defaults.fetch.clone(),
    }
}

/// Outputs that the caller asked for, in order.
fn outputs(process: &Process, unit: &ExecutionUnit, valid: &Valid) -> Vec<OutputWanted> {
    // What is printed is shared out among all, also where only some are asked for.
    let others = process
        .outputs
        .keys()
        .filter(|id| !unit.contract().is_ours() && !valid.shape.outputs.contains_key(id.as_str()));
    let unasked = OutputSelection::default();
    let wanted = valid.shape.outputs.iter().chain(others.map(|id| (id, &unasked)));
    wanted
        .filter_map(|(id, selection)| {
            let output = process.outputs.get(id)?;
            let named = selection.format.as_ref().and_then(|format| format.media_type.clone());
            Some(OutputWanted {
                id: id.to_string(),
                find: match unit.outputs().get(id) {
                    Some(OutputBinding::Glob(globs)) => Find::Glob(globs.clone()),
                    Some(OutputBinding::Stdout) => Find::Stdout,
                    None if unit.contract().is_ours() => Find::Name,
                    None => Find::Printed,
                },
                // Who exits well without a result has none: so it was there.
                required: output.min_occurs > 0 && unit.contract().is_ours(),
                many: output.is_many(),
                media_type: named.or_else(|| output.media_types.first().cloned()),
                when_failed: unit.keeps_when_failed(id),
            })
        })
        .collect()
}
