//! Reads the inputs and outputs of a package.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use rutter_types::{InputDescription, MaxOccurs, OutputDescription};
use serde_json::Value;

use super::{
    Input, Output, Validation,
    default_file::{self, Reference},
    description::{bad_id, keywords, metadata},
    located::{Key, Kind, Node},
    schema_walk,
    walk::{Report, Spot},
};
use crate::{
    id::{InputId, OutputId},
    schema::Schema,
};

const INPUT: [&str; 11] = [
    "title",
    "description",
    "keywords",
    "metadata",
    "additionalParameters",
    "schema",
    "minOccurs",
    "maxOccurs",
    "valuePassing",
    "default",
    "dataClasses",
];
const OUTPUT: [&str; 9] = [
    "title",
    "description",
    "keywords",
    "metadata",
    "additionalParameters",
    "schema",
    "minOccurs",
    "maxOccurs",
    "dataClasses",
];

/// Inputs in order.
pub(super) struct Inputs {
    pub(super) inputs: IndexMap<InputId, Input>,
    /// What is told of each, and of what only looks like one.
    pub(super) described: IndexMap<String, InputDescription>,
}

/// Every input in order. One with faults is there too, as far as it could be read, so that what mentions it is right. Where
/// inputs are taken as they come, a name that can't be one (`wrt_*`: any that begins so) is only described.
pub(super) fn inputs(
    report: &mut Report<'_>,
    process: &Spot<'_>,
    validation: Validation,
    folder: Option<&Path>,
    files: &mut Vec<PathBuf>,
) -> Inputs {
    let mut all = Inputs { inputs: IndexMap::new(), described: IndexMap::new() };
    for (key, spot) in named(report, process, "inputs") {
        let id = key.text.parse();
        if let (Err(error), Validation::Strict) = (&id, validation) {
            bad_id(report, key.place, &spot.path, &key.text, error);
        }
        let Some(input) = input(report, &spot, folder, files) else { continue };
        all.described.insert(key.text.clone(), input.description.clone());
        if let Ok(id) = id {
            all.inputs.insert(id, input);
        }
    }
    all
}

/// Every output in order, as for [`inputs`].
pub(super) fn outputs(report: &mut Report<'_>, process: &Spot<'_>) -> IndexMap<OutputId, Output> {
    let mut outputs = IndexMap::new();
    for (key, spot) in named(report, process, "outputs") {
        let id = key.text.parse().map_err(|error| bad_id(report, key.place, &spot.path, &key.text, &error));
        let output = output(report, &spot);
        if let (Ok(id), Some(output)) = (id, output) {
            outputs.insert(id, output);
        }
    }
    outputs
}

/// The members of `inputs` or `outputs`.
fn named<'a>(report: &mut Report<'_>, process: &Spot<'a>, member: &str) -> Vec<(&'a Key, Spot<'a>)> {
    let Some(spot) = process.get(member) else { return Vec::new() };
    if matches!(spot.node.kind, Kind::List(_)) {
        let remedy = format!("write {member} by name: `{member}: {{level: {{schema: {{type: number}}}}}}`");
        report.fault(&spot, "must be an object, is a list", remedy);
        return Vec::new();
    }
    if !report.any_object(&spot) {
        return Vec::new();
    }
    spot.members()
}

/// Members of other classes of the standard: doing as if they had no meaning would be a lie.
fn why_not(name: &str) -> Option<&'static str> {
    match name {
        "dataAccessAPIs" => Some("inputs from collections are not supported by this version; remove it"),
        "executionUnitRequirements" => Some(
            "is not supported by this version: references are always fetched before the program starts; remove it",
        ),
        "type" | "enum" | "minimum" | "maximum" | "format" | "items" | "properties" | "contentMediaType" => {
            Some("belongs into `schema`")
        }
        "required" => Some("is said by `minOccurs`: 0 = may be absent, 1 = must be there"),
        _ => None,
    }
}

fn input(
    report: &mut Report<'_>,
    spot: &Spot<'_>,
    folder: Option<&Path>,
    files: &mut Vec<PathBuf>,
) -> Option<Input> {
    report.object_but(spot, &INPUT, why_not);
    not_shown(report, spot);
    let occurs = Occurs::read(report, spot);
    let passing = passing(report, spot);
    let (value, schema, is_right) = schema(report, spot)?;
    let description = InputDescription {
        title: report.text_of(spot, "title"),
        description: report.text_of(spot, "description"),
        keywords: keywords(report, spot),
        metadata: metadata(report, spot),
        min_occurs: occurs.min_written,
        max_occurs: occurs.max_written,
        value_passing: passing.clone(),
        schema: value,
    };
    let allows = |way: &str| passing.is_empty() || passing.iter().any(|allowed| allowed == way);
    let mut input = Input {
        min_occurs: occurs.min,
        max_occurs: occurs.max,
        // Of a schema with faults nothing is known: a default by reference must not be one more fault.
        is_file: schema.is_file() || !is_right,
        default: None,
        by_value: allows("byValue"),
        by_reference: allows("byReference"),
        schema,
        description,
    };
    input.default = default(report, spot, &input, folder, files);
    Some(input)
}

fn output(report: &mut Report<'_>, spot: &Spot<'_>) -> Option<Output> {
    report.object_but(spot, &OUTPUT, why_not);
    not_shown(report, spot);
    let occurs = Occurs::read(report, spot);
    let (value, schema, _) = schema(report, spot)?;
    let description = OutputDescription {
        title: report.text_of(spot, "title"),
        description: report.text_of(spot, "description"),
        keywords: keywords(report, spot),
        metadata: metadata(report, spot),
        min_occurs: occurs.min_written,
        max_occurs: occurs.max_written,
        schema: value,
    };
    Some(Output {
        min_occurs: occurs.min,
        max_occurs: occurs.max,
        media_types: schema.media_types(),
        schema,
        description,
    })
}

fn not_shown(report: &mut Report<'_>, spot: &Spot<'_>) {
    for name in ["additionalParameters", "dataClasses"] {
        if let Some(member) = spot.get(name) {
            report.notice(&member, format!("`{name}` is not shown by this version"), None);
        }
    }
}

/// The schema as written and compiled; after a fault, one that allows everything, and then `false`.
fn schema(report: &mut Report<'_>, spot: &Spot<'_>) -> Option<(Value, Schema, bool)> {
    let anything = Value::Object(serde_json::Map::new());
    let Some(member) = spot.get("schema") else {
        if !matches!(spot.node.kind, Kind::Map(_)) {
            return Some((anything.clone(), Schema::compile(&anything).ok()?, false));
        }
        report.fault(spot, "`schema` is missing", "add for example `schema: {type: number}`");
        return Some((anything.clone(), Schema::compile(&anything).ok()?, false));
    };
    let value = member.node.to_value();
    match schema_walk::compile(report, &member) {
        Some(compiled) => Some((value, compiled, true)),
        None => Some((value, Schema::compile(&anything).ok()?, false)),
    }
}

fn passing(report: &mut Report<'_>, spot: &Spot<'_>) -> Vec<String> {
    let Some(member) = spot.get("valuePassing") else { return Vec::new() };
    let items = report.list(&member).unwrap_or_default();
    if items.is_empty() && matches!(member.node.kind, Kind::List(_)) {
        report.fault(&member, "allows no way to give a value", "write byValue, byReference, or both");
    }
    items
        .iter()
        .filter_map(|item| report.word(item, &["byValue", "byReference"]))
        .map(ToOwned::to_owned)
        .collect()
}

/// How many values.
struct Occurs {
    min: u32,
    max: Option<u32>,
    min_written: Option<u32>,
    max_written: Option<MaxOccurs>,
}

impl Occurs {
    fn read(report: &mut Report<'_>, spot: &Spot<'_>) -> Self {
        let min_written = spot.get("minOccurs").and_then(|member| report.whole(&member));
        let max_written = spot.get("maxOccurs").and_then(|member| Self::most(report, &member));
        let min = min_written.unwrap_or(1);
        let max = match max_written {
            Some(MaxOccurs::Count(most)) => Some(most),
            Some(MaxOccurs::Unbounded(_)) => None,
            None => Some(1),
        };
        if let Some(most) = max
            && most > 0
            && min > most
        {
            let at = spot.get("minOccurs").unwrap_or_else(|| spot.clone());
            let remedy = format!("write `maxOccurs: {min}` or more, or `maxOccurs: unbounded`");
            report.fault(&at, format!("minOccurs is {min}, more than maxOccurs, which is {most}"), remedy);
        }
        Self { min, max, min_written, max_written }
    }

    fn most(report: &mut Report<'_>, spot: &Spot<'_>) -> Option<MaxOccurs> {
        if let Kind::Text(text) = &spot.node.kind {
            if text == "unbounded" {
                return Some(MaxOccurs::UNBOUNDED);
            }
            report.fault(spot, format!("{text:?} is no number"), "write a whole number from 1, or unbounded");
            return None;
        }
        let most = report.whole(spot)?;
        if most == 0 {
            report.fault(
                spot,
                "is 0: no value could ever be given",
                "write 1 or more, or remove the input or output",
            );
            return None;
        }
        Some(MaxOccurs::Count(most))
    }
}

/// The value taken when the request has none: an array where several may be given.
fn default(
    report: &mut Report<'_>,
    spot: &Spot<'_>,
    input: &Input,
    folder: Option<&Path>,
    files: &mut Vec<PathBuf>,
) -> Option<Value> {
    let inside = spot.get("schema").and_then(|schema| schema.get("default"));
    let beside = spot.get("default");
    if let (Some(inside), Some(beside)) = (&inside, &beside)
        && inside.node.to_value() != beside.node.to_value()
    {
        report.fault(beside, "differs from the default in `schema`", "keep one of them");
        return None;
    }
    let given = beside.or(inside)?;
    if matches!(given.node.kind, Kind::Null) && !input.schema.accepts(&Value::Null) {
        report.fault(&given, "is empty", "remove it, and write `minOccurs: 0` if the value may be absent");
        return None;
    }
    let value = given.node.to_value();
    if !input.is_many() {
        one_default(report, &given, input, folder, files).then_some(value)
    } else if matches!(given.node.kind, Kind::List(_)) && !input.schema.accepts(&value) {
        let items = given.items();
        count(report, &given, input, items.len());
        let right = items.iter().filter(|item| one_default(report, item, input, folder, files)).count();
        (right == items.len()).then_some(value)
    } else {
        count(report, &given, input, 1);
        one_default(report, &given, input, folder, files).then(|| Value::Array(vec![value]))
    }
}

fn count(report: &mut Report<'_>, spot: &Spot<'_>, input: &Input, values: usize) {
    let few = values < input.min_occurs as usize;
    let many = input.max_occurs.is_some_and(|most| values > most as usize);
    if few || many {
        let message = format!("has {values} values, not as many as minOccurs and maxOccurs allow");
        report.fault(spot, message, "change the values or the numbers");
    }
}

fn one_default(
    report: &mut Report<'_>,
    spot: &Spot<'_>,
    input: &Input,
    folder: Option<&Path>,
    files: &mut Vec<PathBuf>,
) -> bool {
    if let Some(reference) = Reference::read(report, spot, input) {
        if !input.by_reference {
            report.fault(
                spot,
                "is a reference, which `valuePassing` does not allow",
                "add byReference there",
            );
            return false;
        }
        return default_file::check(report, spot, reference, folder, files);
    }
    let faults = input.schema.faults(&spot.node.to_value(), "");
    for fault in &faults {
        let node: &Node = spot.node.nearest(&fault.pointer);
        let remedy = Some("a default must satisfy the schema of its input".to_owned());
        report.fault_at(node.place, &spot.path, fault.detail.clone(), remedy);
    }
    faults.is_empty()
}
