//! `resources`: which of them are processes that can be run here.

use serde_json::Value;

use crate::{eox, north, remark::Report, spot::Spot, trial};

/// A process that became an application package.
#[derive(Clone, Debug, PartialEq)]
pub struct Converted {
    /// Its id in URLs: the key below `resources`.
    pub id: String,
    /// Line of that key.
    pub line: u64,
    /// The package (`docs/packages.md`).
    pub package: Value,
}

/// Every process that can be run; of every other resource a remark says why not.
pub(crate) fn read(report: &mut Report, top: &Spot<'_>, defaults: &north::Defaults) -> Vec<Converted> {
    let Some(spot) = top.some("resources") else { return Vec::new() };
    if !report.map(&spot) {
        return Vec::new();
    }
    let mut processes = Vec::new();
    for resource in spot.members() {
        let Some(package) = one(report, &resource, defaults) else { continue };
        match trial::package(&package) {
            Ok(()) => {
                processes.push(Converted { id: resource.name.clone(), line: resource.place.line, package });
            }
            Err(why) => report.left_out(&resource, format!("makes no package: {why}")),
        }
    }
    processes
}

fn one(report: &mut Report, resource: &Spot<'_>, defaults: &north::Defaults) -> Option<Value> {
    let kind = report.text_of(resource, "type").unwrap_or_default();
    if kind != "process" {
        let what = if kind.is_empty() { "has no `type`" } else { "is no process" };
        report.left_out(resource, format!("{what}: this server offers processes only"));
        return None;
    }
    report.unknown(resource, &["type", "processor", "visibility"]);
    let processor = resource.some("processor").filter(Spot::is_map);
    let Some(processor) = processor else {
        report.left_out(resource, "has no `processor`");
        return None;
    };
    let name = report.text_of(&processor, "name").unwrap_or_default();
    if let Some(class) = north::Class::named(&name) {
        return north::package(report, resource, &processor, class, defaults);
    }
    if let Some(class) = eox::Class::named(&name) {
        return eox::package(report, resource, &processor, class);
    }
    let named = processor.get("name").unwrap_or(processor);
    report.left_out(
        &named,
        format!("{name:?} is code of Python, which this server does not run: make an image of it and name that in a package"),
    );
    None
}
