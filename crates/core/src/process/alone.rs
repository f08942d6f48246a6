//! Whether a process can run without an agent: nothing brings it inputs then but variables, where its contract has them, and of
//! outputs there is only what it prints.

use rutter_types::agent::{Find, OutputWanted};

use super::{DockerUnit, OutputBinding, Process};
use crate::{plan::Plan, schema::essence};

/// Why a process can't run without an agent, as a fragment; `None` = it can.
pub fn why_not_alone(process: &Process, unit: &DockerUnit) -> Option<String> {
    let brought = unit.contract.is_ours();
    let input = process.inputs.keys().next().filter(|_| brought).map(|id| id.to_string());
    input.map(|id| needs_input(&id)).or_else(|| {
        process.outputs.iter().find_map(|(id, output)| {
            let is_file = matches!(unit.outputs.get(id), Some(OutputBinding::Glob(_)));
            // Whatever such an output is said to be, it comes as it is printed.
            let media_type = output.media_types.first().map(String::as_str).filter(|_| brought);
            why_not_printed(id.as_str(), is_file, media_type)
        })
    })
}

/// The same of a plan: an input that was not given is not missed, nor an output that was not asked for.
pub fn why_plan_not_alone(plan: &Plan) -> Option<String> {
    let staged = plan.stage.iter().map(|item| item.input.clone()).next();
    let input = plan.inputs.keys().next().filter(|_| plan.contract.is_ours()).cloned().or(staged);
    let of_output = |wanted: &OutputWanted| {
        let media_type = wanted.media_type.as_deref().filter(|_| plan.contract.is_ours());
        why_not_printed(&wanted.id, matches!(wanted.find, Find::Glob(_)), media_type)
    };
    input.map(|id| needs_input(&id)).or_else(|| plan.outputs.iter().find_map(of_output))
}

fn needs_input(id: &str) -> String {
    format!("it could not be given the input `{id}`")
}

fn why_not_printed(id: &str, is_file: bool, media_type: Option<&str>) -> Option<String> {
    let printable = media_type.is_none_or(is_printable);
    (is_file || !printable).then(|| format!("its output `{id}` is a file and not what it prints"))
}

fn is_printable(media_type: &str) -> bool {
    let essence = essence(media_type);
    let texts = ["application/json", "application/xml", "application/yaml", "application/gml+xml"];
    essence.starts_with("text/")
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
        || texts.contains(&essence.as_str())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::process::{ExecutionUnit, package};

    fn why(inputs: &str, outputs: &str, bindings: &str) -> Option<String> {
        let text = format!(
            "processDescription: {{process: {{id: p, version: 1.0.0, inputs: {inputs}, outputs: {outputs}}}}}\n\
             executionUnit: {{type: docker, image: a, bindings: {{outputBindings: {bindings}}}}}"
        );
        let (process, _) = package::parse(&text, Path::new("p.yaml"), None).unwrap();
        let ExecutionUnit::Docker(unit) = &process.units[0] else { panic!() };
        why_not_alone(&process, unit)
    }

    #[test]
    fn what_is_printed_can_be_had() {
        for outputs in [
            "{}",
            "{a: {schema: {type: object}}}",
            "{a: {schema: {type: string}}, b: {schema: {type: number}}}",
            "{a: {schema: {type: string, contentMediaType: text/csv}}}",
            "{a: {schema: {type: string, contentMediaType: application/geo+json}}}",
        ] {
            assert_eq!(why("{}", outputs, "{}"), None, "{outputs}");
        }
        assert_eq!(why("{}", "{a: {schema: {type: string}}}", "{a: {stdout: true}}"), None);
    }

    #[test]
    fn files_and_inputs_need_an_agent() {
        let tiff = "{depth: {schema: {type: string, contentMediaType: image/tiff}}}";
        assert!(why("{}", tiff, "{}").unwrap().contains("`depth`"));
        assert!(why("{}", "{t: {schema: {type: string}}}", "{t: {glob: t.txt}}").unwrap().contains("`t`"));
        assert!(
            why("{level: {schema: {type: number}, minOccurs: 0}}", "{}", "{}").unwrap().contains("`level`")
        );
    }
}
