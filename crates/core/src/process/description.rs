//! Reads what a package says of its process.

use rutter_types::{JobControl, Metadata, ProcessSummary, TransmissionMode};
use serde::de::DeserializeOwned;

use super::{
    located::Place,
    walk::{Report, Spot, meant, shorten},
};
use crate::id::{IdError, ProcessId};

const MEMBERS: [&str; 14] = [
    "id",
    "legacyId",
    "version",
    "title",
    "description",
    "keywords",
    "metadata",
    "additionalParameters",
    "jobControlOptions",
    "outputTransmission",
    "mutable",
    "links",
    "inputs",
    "outputs",
];

/// What was read, without inputs and outputs.
pub(super) struct Read {
    pub(super) id: ProcessId,
    pub(super) id_place: Place,
    pub(super) legacy_id: Option<String>,
    pub(super) summary: ProcessSummary,
}

/// The description itself: below `processDescription.process`, or, in the older shape, `processDescription`.
pub(super) fn find<'a>(report: &mut Report<'_>, top: &Spot<'a>) -> Option<Spot<'a>> {
    let Some(outer) = top.get("processDescription") else {
        let remedy =
            "add `processDescription: {process: {id: …, version: 1.0.0, inputs: {…}, outputs: {…}}}`";
        report.fault(top, "`processDescription` is missing", remedy);
        return None;
    };
    if outer.get("process").is_none() {
        return Some(outer);
    }
    report.object(&outer, &["process"]);
    outer.get("process")
}

/// Everything but inputs and outputs. `None` after at least one fault.
pub(super) fn read(report: &mut Report<'_>, spot: &Spot<'_>) -> Option<Read> {
    if !report.object_but(spot, &MEMBERS, why_not) {
        return None;
    }
    for (name, why) in [
        ("additionalParameters", "is not shown by this version"),
        ("mutable", "is decided by the server and not taken from a package"),
    ] {
        if let Some(member) = spot.get(name) {
            report.notice(&member, format!("`{name}` {why}"), None);
        }
    }
    let id = id(report, spot);
    let summary = ProcessSummary {
        id: id.as_ref().map(ToString::to_string).unwrap_or_default(),
        version: report.text_of(spot, "version").unwrap_or_else(|| "1.0.0".to_owned()),
        title: report.text_of(spot, "title"),
        description: report.text_of(spot, "description"),
        keywords: keywords(report, spot),
        metadata: metadata(report, spot),
        job_control_options: job_control(report, spot),
        output_transmission: transmission(report, spot),
        mutable: None,
        links: spot.get("links").map(|links| typed(report, &links, "a list of links")).unwrap_or_default(),
    };
    let legacy_id = report.text_of(spot, "legacyId");
    let id_place = spot.get("id").map_or(spot.node.place, |id| id.node.place);
    Some(Read { id: id?, id_place, legacy_id, summary })
}

/// Members that are meant seriously but do nothing here must not be passed over.
fn why_not(name: &str) -> Option<&'static str> {
    match name {
        "security" => Some("is not supported by this version; remove it"),
        "executionUnit" | "examples" | "answer" | "validation" | "callerToken" => {
            Some("belongs to the top of the file, beside `processDescription`")
        }
        _ => None,
    }
}

fn id(report: &mut Report<'_>, spot: &Spot<'_>) -> Option<ProcessId> {
    let Some(member) = spot.get("id") else {
        report.fault(spot, "`id` is missing", "add `id: my-process`: it is the process's name in URLs");
        return None;
    };
    let text = report.text(&member)?;
    text.parse().map_err(|error| bad_id(report, member.node.place, &member.path, text, &error)).ok()
}

/// A fault for a name that can't be an identifier.
pub(super) fn bad_id(report: &mut Report<'_>, at: Place, path: &str, text: &str, error: &IdError) {
    let message = format!("the identifier {:?} {error}", shorten(text));
    report.fault_at(at, path, message, Some(format!("write for example {:?}", safe_name(text))));
}

fn safe_name(text: &str) -> String {
    let safe: String =
        text.chars().take(40).map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let safe = safe.trim_matches('-');
    if safe.is_empty() { "name".to_owned() } else { safe.to_lowercase() }
}

/// Key words of a process, an input or an output.
pub(super) fn keywords(report: &mut Report<'_>, spot: &Spot<'_>) -> Vec<String> {
    spot.get("keywords").map(|list| report.texts(&list)).unwrap_or_default()
}

/// Further documents of a process, an input or an output.
pub(super) fn metadata(report: &mut Report<'_>, spot: &Spot<'_>) -> Vec<Metadata> {
    let Some(member) = spot.get("metadata") else { return Vec::new() };
    typed(report, &member, "a list of objects with title, role and href")
}

/// A member that has the form of a wire type.
fn typed<T: DeserializeOwned + Default>(report: &mut Report<'_>, spot: &Spot<'_>, form: &str) -> T {
    match serde_path_to_error::deserialize(spot.node.to_value()) {
        Ok(read) => read,
        Err(error) => {
            let reason = error.inner().to_string();
            let path = error.path().to_string();
            let pointer: String =
                path.split(['.', '[']).map(|step| format!("/{}", step.trim_end_matches(']'))).collect();
            let place = spot.node.nearest(pointer.replace("//", "/").as_str()).place;
            report.fault_at(
                place,
                &format!("{}{path}", spot.path),
                shorten(&reason),
                Some(format!("write {form}")),
            );
            T::default()
        }
    }
}

fn job_control(report: &mut Report<'_>, spot: &Spot<'_>) -> Vec<JobControl> {
    const WORDS: [(&str, JobControl); 3] = [
        ("sync-execute", JobControl::SyncExecute),
        ("async-execute", JobControl::AsyncExecute),
        ("dismiss", JobControl::Dismiss),
    ];
    let Some(member) = spot.get("jobControlOptions") else {
        return WORDS.iter().map(|(_, control)| *control).collect();
    };
    let before = report.faults.len();
    let options = words(report, &member, &WORDS);
    if report.faults.len() == before && !options.iter().any(|control| *control != JobControl::Dismiss) {
        let remedy = "add sync-execute, async-execute, or both";
        report.fault(&member, "allows no way to execute the process", remedy);
    }
    options
}

fn transmission(report: &mut Report<'_>, spot: &Spot<'_>) -> Vec<TransmissionMode> {
    const WORDS: [(&str, TransmissionMode); 2] =
        [("value", TransmissionMode::Value), ("reference", TransmissionMode::Reference)];
    match spot.get("outputTransmission") {
        Some(member) => words(report, &member, &WORDS),
        None => WORDS.iter().map(|(_, mode)| *mode).collect(),
    }
}

/// A list of words, each once.
fn words<T: Copy + PartialEq>(report: &mut Report<'_>, spot: &Spot<'_>, known: &[(&str, T)]) -> Vec<T> {
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let mut found = Vec::new();
    for item in report.list(spot).unwrap_or_default() {
        let Some(text) = report.text(&item) else { continue };
        match known.iter().find(|(name, _)| *name == text) {
            None => {
                report.fault(&item, format!("{:?} is not allowed here", shorten(text)), meant(text, &names))
            }
            Some((_, value)) if found.contains(value) => {
                report.fault(&item, format!("{text:?} stands here twice"), "remove one");
            }
            Some((_, value)) => found.push(*value),
        }
    }
    found
}
