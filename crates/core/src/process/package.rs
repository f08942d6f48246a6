//! Reads application packages (Part 2, requirement class `ogcapppkg`, with our members): strictly, and every fault of
//! a file at once, each with its place and what to write instead.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use rutter_types::{ExecuteRequest, InputDescription, ProcessDescription, ProcessSummary};
use sha2::{Digest, Sha256};

use super::{
    Example, Input, Output, Process, Validation, description, doubles,
    finding::{Fault, Finding, Notice},
    languages,
    located::{Kind, Node, Place},
    schema_walk, suggest,
    unit::{self, Declared},
    values,
    walk::{Report, Spot, shorten},
};
use crate::{
    id::{InputId, OutputId},
    validate, yaml,
};

const MEMBERS: [&str; 8] = [
    "processDescription",
    "executionUnit",
    "examples",
    "answer",
    "validation",
    "callerToken",
    "deploymentProfile",
    "$schema",
];

/// Reads a package. `folder` is where its own files are.
///
/// # Errors
/// Every fault of the file.
pub fn parse(text: &str, file: &Path, folder: Option<&Path>) -> Result<(Process, Vec<Notice>), Vec<Fault>> {
    let read = read(text, file, folder);
    read.result.map(|process| (process, read.notices))
}

/// What came of reading a package.
pub(super) struct Read {
    pub(super) result: Result<Process, Vec<Fault>>,
    pub(super) notices: Vec<Notice>,
    /// Where the process has its id.
    pub(super) id_place: Place,
    /// Files of the package that were looked for in vain: when they come, it is worth another look.
    pub(super) missing: Vec<PathBuf>,
}

pub(super) fn read(text: &str, file: &Path, folder: Option<&Path>) -> Read {
    let mut report = Report::new(file);
    let mut missing = Vec::new();
    let mut id_place = Place::default();
    let process = match yaml::from_str_with_doubles::<Node>(text) {
        Ok(node) => package(&mut report, &node, folder, &mut missing, &mut id_place),
        Err(error) => {
            let place = Place { line: error.line, column: error.column };
            report.fault_at(place, "", error.message, Some(YAML_REMEDY.to_owned()));
            None
        }
    };
    let Report { mut faults, notices, .. } = report;
    faults.sort_by_key(|fault| (fault.line, fault.column));
    let result = match process {
        Some(process) if faults.is_empty() => Ok(process),
        _ if faults.is_empty() => Err(vec![Finding::of_file(file, "describes no process")]),
        _ => Err(faults),
    };
    Read { result, notices, id_place, missing }
}

/// Stands for a description that is missing, so that the rest is checked all the same.
static NOTHING: Node = Node { place: Place { line: 0, column: 0 }, kind: Kind::Map(Vec::new()) };
const YAML_REMEDY: &str = "the file must be YAML 1.2 or JSON";

fn package(
    report: &mut Report<'_>,
    node: &Node,
    folder: Option<&Path>,
    missing: &mut Vec<PathBuf>,
    id_place: &mut Place,
) -> Option<Process> {
    let top = Spot::top(node);
    doubles::check(report, &top);
    if !report.object_but(&top, &MEMBERS, why_not) {
        return None;
    }
    let rules = Rules::read(report, &top);
    let described = description::find(report, &top);
    let found = described.is_some();
    let described = described.unwrap_or_else(|| Spot::top(&NOTHING));
    let languages = languages::of(described.node);
    let first = languages::in_language(described.node, languages.first().map(String::as_str));
    let spot = Spot { node: &first, path: described.path.clone() };
    let head = if found { description::read(report, &spot) } else { None };
    let mut parts = Described::read(report, &spot, rules.validation, folder, missing);
    let declared =
        Declared { inputs: &parts.inputs, outputs: &parts.outputs, folder, validation: rules.validation };
    let units = unit::read(report, &top, &declared);
    let examples = examples(report, &top, &parts.inputs, rules.validation);
    let answer = answer(report, &top, &parts.outputs);
    let head = head?;
    *id_place = head.id_place;
    let in_languages = languages.into_iter().filter_map(|language| {
        let told = in_language(described.node, &language, rules.validation, folder)?;
        Some((language, told))
    });
    let process = Process {
        id: head.id,
        legacy_id: head.legacy_id,
        description: parts.description(head.summary),
        languages: in_languages.collect(),
        inputs: parts.inputs,
        outputs: parts.outputs,
        units,
        validation: rules.validation,
        answer,
        caller_token: rules.caller_token,
        examples,
        folder: folder.map(Path::to_owned),
        digest: digest(&node.to_value()),
        source: node.to_value(),
    };
    if report.faults.is_empty() {
        examples_work(report, &top, &process);
    }
    Some(process)
}

/// Inputs and outputs of a description, in one language.
struct Described {
    inputs: IndexMap<InputId, Input>,
    input_descriptions: IndexMap<String, InputDescription>,
    outputs: IndexMap<OutputId, Output>,
}

impl Described {
    fn read(
        report: &mut Report<'_>,
        spot: &Spot<'_>,
        validation: Validation,
        folder: Option<&Path>,
        missing: &mut Vec<PathBuf>,
    ) -> Self {
        let values::Inputs { inputs, described } = values::inputs(report, spot, validation, folder, missing);
        Self { inputs, input_descriptions: described, outputs: values::outputs(report, spot) }
    }

    fn description(&mut self, summary: ProcessSummary) -> ProcessDescription {
        let output = |(id, it): (&OutputId, &Output)| (id.to_string(), it.description.clone());
        ProcessDescription {
            summary,
            inputs: std::mem::take(&mut self.input_descriptions),
            outputs: self.outputs.iter().map(output).collect(),
        }
    }
}

/// The description in another language; what is wrong with it was told of the first.
fn in_language(
    whole: &Node,
    language: &str,
    validation: Validation,
    folder: Option<&Path>,
) -> Option<ProcessDescription> {
    let mut report = Report::new(Path::new(""));
    let node = languages::in_language(whole, Some(language));
    let spot = Spot::top(&node);
    let head = description::read(&mut report, &spot)?;
    let mut parts = Described::read(&mut report, &spot, validation, folder, &mut Vec::new());
    Some(parts.description(head.summary))
}

/// What the top of a package says of how requests are taken.
#[derive(Default)]
struct Rules {
    validation: Validation,
    caller_token: bool,
}

impl Rules {
    fn read(report: &mut Report<'_>, top: &Spot<'_>) -> Self {
        let validation =
            top.get("validation").and_then(|member| report.word(&member, &["strict", "lenient"]));
        let token = top.get("callerToken").and_then(|member| report.word(&member, &["required", "none"]));
        Self {
            validation: if validation == Some("lenient") { Validation::Lenient } else { Validation::Strict },
            caller_token: token == Some("required"),
        }
    }
}

/// Outputs that stand for all of them where a request names none.
fn answer(report: &mut Report<'_>, top: &Spot<'_>, outputs: &IndexMap<OutputId, Output>) -> Vec<OutputId> {
    let Some(spot) = top.get("answer") else { return Vec::new() };
    let items = if matches!(spot.node.kind, Kind::List(_)) { spot.items() } else { vec![spot] };
    let mut answer = Vec::new();
    for item in &items {
        let Some(name) = report.text(item) else { continue };
        if let Some((id, _)) = outputs.get_key_value(name) {
            answer.push(id.clone());
            continue;
        }
        let remedy = match suggest::nearest(name, outputs.keys().map(OutputId::as_str)) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "name an output of the process".to_owned(),
        };
        report.fault(item, format!("there is no output {:?}", shorten(name)), remedy);
    }
    answer
}

/// An example is a promise: a request that is refused is no example.
fn examples_work(report: &mut Report<'_>, top: &Spot<'_>, process: &Process) {
    let spots = top.get("examples").map(|spot| spot.items()).unwrap_or_default();
    for (spot, example) in spots.iter().zip(&process.examples) {
        let request = ExecuteRequest { inputs: example.inputs.clone(), ..ExecuteRequest::default() };
        let context = validate::Context { own_results: &|_| None };
        for fault in validate::validate(process, &request, &context).err().unwrap_or_default() {
            let place = spot.node.nearest(&fault.pointer).place;
            let path = format!("{}{}", spot.path, schema_walk::dotted(&fault.pointer));
            report.fault_at(
                place,
                &path,
                fault.detail,
                Some("an example must be a request that works".to_owned()),
            );
        }
    }
}

/// Members that are meant seriously but do nothing here must not be passed over.
fn why_not(name: &str) -> Option<&'static str> {
    match name {
        "schedules" => Some("schedules are not supported by this version; remove them"),
        "security" => Some("belongs below `executionUnit.kubernetes`"),
        "process" => Some("belongs below `processDescription`"),
        "executionUnits" => Some("is called `executionUnit`"),
        "id" | "title" | "version" | "inputs" | "outputs" => {
            Some("belongs below `processDescription.process`")
        }
        "command" | "image" | "config" | "bindings" | "env" => Some("belongs below `executionUnit`"),
        "cwlVersion" => Some("CWL is not supported by this version"),
        _ => None,
    }
}

/// SHA-256 of the package's content: comments and layout do not count.
fn digest(source: &serde_json::Value) -> String {
    Sha256::digest(source.to_string().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Requests that are said to work: at least their names must be right.
fn examples(
    report: &mut Report<'_>,
    top: &Spot<'_>,
    inputs: &IndexMap<InputId, Input>,
    validation: Validation,
) -> Vec<Example> {
    let Some(spot) = top.get("examples") else { return Vec::new() };
    let items = report.list(&spot).unwrap_or_default();
    // What is not held to the description can't break it.
    let declared = Some(inputs).filter(|_| validation == Validation::Strict);
    items.iter().filter_map(|item| example(report, item, declared)).collect()
}

fn example(
    report: &mut Report<'_>,
    spot: &Spot<'_>,
    declared: Option<&IndexMap<InputId, Input>>,
) -> Option<Example> {
    if !report.object(spot, &["title", "inputs"]) {
        return None;
    }
    let title = report.text_of(spot, "title");
    let given = spot.get("inputs").filter(|member| report.any_object(member));
    if let Some(inputs) = declared {
        example_fits(report, spot, given.as_ref(), inputs);
    }
    let inputs = given.map(|given| given.node.to_value());
    let inputs = inputs.and_then(|value| value.as_object().cloned()).unwrap_or_default();
    Some(Example { title, inputs })
}

/// At least its names must be right.
fn example_fits(
    report: &mut Report<'_>,
    spot: &Spot<'_>,
    given: Option<&Spot<'_>>,
    inputs: &IndexMap<InputId, Input>,
) {
    for (key, member) in given.map(Spot::members).unwrap_or_default() {
        if inputs.contains_key(key.text.as_str()) {
            continue;
        }
        let remedy = match suggest::nearest(&key.text, inputs.keys().map(InputId::as_str)) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "declare it below `inputs`, or remove it".to_owned(),
        };
        report.fault_at(
            key.place,
            &member.path,
            format!("there is no input {:?}", shorten(&key.text)),
            Some(remedy),
        );
    }
    for (id, input) in inputs {
        let is_given = given.is_some_and(|given| given.get(id.as_str()).is_some());
        if input.min_occurs > 0 && input.default.is_none() && !is_given {
            let remedy = format!("add {id}, or write minOccurs: 0 in its input");
            report.fault(
                spot,
                format!("the example has no value for the input {id}, which must be there"),
                remedy,
            );
        }
    }
}
