//! Processes as they are described: both versions' members, links, and schemas in 1.0's dialect.

use rutter_core::process::{Input, Process, dialect::to_v1};
use rutter_types::{InputDescription, Link, OutputDescription, ProcessDescription, ProcessSummary, rel};
use serde_json::Value;

use crate::{base::Base, negotiate::Format, routes::self_and_alternate};

/// What the list says of a process (`/req/core/process-list-success`, 2.0 `/req/core/process-summary-links`).
pub(crate) fn summary(base: &Base, process: &Process, language: Option<&str>) -> ProcessSummary {
    let [this, other] = self_and_alternate(base, &path(process), Format::Json);
    let mut summary = told(process, language).summary.clone();
    summary.mutable = Some(false);
    summary.links.extend([
        this.titled("Description"),
        other.titled("Description as a page"),
        execute(base, process),
    ]);
    summary
}

/// The whole description (`/req/ogc-process-description/json-encoding`).
pub(crate) fn description(
    base: &Base,
    process: &Process,
    format: Format,
    language: Option<&str>,
) -> ProcessDescription {
    let told = told(process, language);
    let [this, other] = self_and_alternate(base, &path(process), format);
    let mut summary = told.summary.clone();
    summary.mutable = Some(false);
    summary.links.extend([
        this.titled("This document"),
        other.titled("This document in another form"),
        execute(base, process),
        Link::new(base.url("/processes"), "up", "application/json").titled("All processes"),
        Link::new(base.url("/"), "service", "application/json").titled("Landing page"),
        Link::new(
            format!("{}?processID={}", base.url("/jobs"), process.id),
            rel::JOB_LIST,
            "application/json",
        )
        .titled("Jobs of this process"),
        Link { href: PROFILE.into(), rel: "profile".into(), ..Link::default() },
    ]);
    ProcessDescription {
        summary,
        inputs: told
            .inputs
            .iter()
            .map(|(id, it)| (id.clone(), input(process.inputs.get(id.as_str()), it)))
            .collect(),
        outputs: told.outputs.iter().map(|(id, it)| (id.clone(), output(it))).collect(),
    }
}

/// What the package tells in a language, or in its first.
fn told<'p>(process: &'p Process, language: Option<&str>) -> &'p ProcessDescription {
    language.and_then(|language| process.languages.get(language)).unwrap_or(&process.description)
}

/// The profile that 2.0 demands in the links of a description.
const PROFILE: &str = "https://www.opengis.net/def/profile/OGC/0/ogc-process-description";

pub(crate) fn path(process: &Process) -> String {
    format!("/processes/{}", process.id)
}

fn execute(base: &Base, process: &Process) -> Link {
    let url = base.url(&format!("/processes/{}/execution", process.id));
    Link { href: url, rel: rel::EXECUTE.into(), title: Some("Execute (POST)".into()), ..Link::default() }
}

fn input(read: Option<&Input>, told: &InputDescription) -> InputDescription {
    let mut schema = to_v1(&told.schema);
    // The default of a file is a path in the package: no caller can give it, and it tells nothing.
    let is_path = |default: &Value| default.get("href").is_some();
    if read.is_some_and(|input| input.is_file)
        && schema.get("default").is_some_and(is_path)
        && let Some(members) = schema.as_object_mut()
    {
        members.shift_remove("default");
    }
    InputDescription { schema, ..told.clone() }
}

fn output(told: &OutputDescription) -> OutputDescription {
    OutputDescription { schema: to_v1(&told.schema), ..told.clone() }
}
