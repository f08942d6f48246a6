//! Reads `fromInputs` of `kubernetes`: what callers may choose of the pod, such as its memory or the kind of machine.
//!
//! Nothing that a caller sends stands in a pod by itself. Here a package says which input may, and where; and the input's
//! schema must say which values there can be.

use serde_json::Value;

use super::{
    Input, Validation,
    located::Kind,
    suggest,
    unit::Declared,
    walk::{Report, Spot, shorten},
};

/// The place that is no part of a template.
pub(crate) const IMAGE: &str = "image";
/// Where places in a template may begin.
const PLACES: [&str; 3] = ["/spec/", "/metadata/labels/", "/metadata/annotations/"];

/// Faults of the member are reported.
pub(super) fn check(
    report: &mut Report<'_>,
    spot: &Spot<'_>,
    template: Option<&Value>,
    declared: &Declared<'_>,
) {
    if !report.any_object(spot) {
        return;
    }
    if declared.validation == Validation::Lenient {
        report.fault(spot, "needs inputs that are held to their schemas", "remove `validation: lenient`");
    }
    for (key, member) in spot.members() {
        match declared.inputs.get(key.text.as_str()) {
            Some(input) => bounded(report, &member, input),
            None => {
                let near = suggest::nearest(&key.text, declared.inputs.keys().map(|id| id.as_str()));
                let remedy = near.map_or_else(
                    || "declare it below `inputs`".to_owned(),
                    |it| format!("did you mean {it:?}?"),
                );
                report.fault_at(
                    key.place,
                    &member.path,
                    format!("there is no input {:?}", shorten(&key.text)),
                    Some(remedy),
                );
            }
        }
        let places = if matches!(member.node.kind, Kind::List(_)) { member.items() } else { vec![member] };
        for place in places {
            let Some(text) = report.text(&place) else { continue };
            if text != IMAGE && !is_place(text, template) {
                let remedy = "write a JSON pointer such as /spec/containers/0/resources/limits/memory, whose items \
                              are there, or image";
                report.fault(&place, format!("{:?} is no place in `podTemplate`", shorten(text)), remedy);
            }
        }
    }
}

/// Members that are missing are made; items of lists are not.
fn is_place(pointer: &str, template: Option<&Value>) -> bool {
    let item = |(at, step): (usize, &str)| {
        let is_index = !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit());
        let end = pointer.split('/').take(at + 1).map(|step| step.len() + 1).sum::<usize>() - 1;
        !is_index || template.is_some_and(|template| template.pointer(&pointer[..end]).is_some())
    };
    PLACES.iter().any(|start| pointer.starts_with(start)) && pointer.split('/').enumerate().all(item)
}

fn bounded(report: &mut Report<'_>, spot: &Spot<'_>, input: &Input) {
    let schema = &input.description.schema;
    let names = |name: &str| match &schema["type"] {
        Value::String(one) => one == name,
        Value::Array(all) => all.iter().any(|one| one == name),
        _ => true,
    };
    let listed = schema.get("enum").or_else(|| schema.get("const")).is_some();
    let structured = ["array", "object", "boolean", "null"].into_iter().any(names);
    let is_bounded = listed || (!structured && (!names("string") || schema.get("pattern").is_some()));
    if !is_bounded || input.is_file || input.is_many() {
        let remedy = "write `type: string` with a `pattern`, a number, or an `enum`; one value, and no file";
        report.fault(spot, "the schema of this input does not say which values there can be", remedy);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::process::package;

    fn told(input: &str, chosen: &str, rest: &str) -> String {
        let text = format!(
            "processDescription: {{process: {{id: p, version: 1.0.0, inputs: {{a: {input}}}}}}}\n\
             executionUnit: {{type: docker, image: i, command: [c], kubernetes: {{podTemplate: {{spec: {{containers: [{{name: c}}]}}}}, fromInputs: {chosen}}}}}\n{rest}"
        );
        match package::parse(&text, Path::new("p.yaml"), None) {
            Ok(_) => String::new(),
            Err(faults) => faults.iter().map(|fault| format!("{fault}\n")).collect(),
        }
    }

    #[test]
    fn an_input_must_say_which_values_there_can_be() {
        for schema in [
            "{type: string, pattern: \"^a$\"}",
            "{enum: [a]}",
            "{type: number}",
            "{type: [integer, string], pattern: a}",
        ] {
            assert_eq!(told(&format!("{{schema: {schema}}}"), "{a: /spec/x}", ""), "", "{schema}");
        }
        for input in [
            "{schema: {type: string}}",
            "{schema: {}}",
            "{schema: {type: object, pattern: a}}",
            "{schema: {type: string, pattern: a, contentMediaType: text/csv}}",
            "{schema: {type: number}, maxOccurs: 2}",
        ] {
            let told = told(input, "{a: /spec/x}", "");
            assert!(told.contains("does not say which values"), "{input}: {told}");
        }
    }

    #[test]
    fn a_place_is_in_the_template() {
        let input = "{schema: {type: number}}";
        for place in
            ["/spec/containers/0/resources/limits/cpu", "/metadata/labels/a", "image", "[/spec/a, image]"]
        {
            assert_eq!(told(input, &format!("{{a: {place}}}"), ""), "", "{place}");
        }
        for place in ["/spec/containers/1/image", "/status/x", "spec.x", "7", "/spec/volumes/0/name"] {
            assert!(!told(input, &format!("{{a: {place}}}"), "").is_empty(), "{place}");
        }
        assert!(told(input, "{b: /spec/x}", "").contains("there is no input"));
    }

    #[test]
    fn what_is_not_checked_chooses_nothing() {
        let told = told("{schema: {type: number}}", "{a: /spec/x}", "validation: lenient\n");
        assert!(told.contains("held to their schemas"), "{told}");
    }
}
