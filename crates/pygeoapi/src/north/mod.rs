//! Processes of 52North's pygeoapi_k8s-manager, in every generation of it.

mod env;
mod generic;
mod hello;
pub(crate) mod pod;
pub(crate) mod security;

use rutter_core::id::ProcessId;
use serde_json::{Map, Value, json};

use crate::{remark::Report, spot::Spot, trial};

pub(crate) use security::Defaults;

/// Packages of its classes; it was renamed with version 0.17.
const PACKAGES: [&str; 2] = ["pygeoapi_k8s_manager", "pygeoapi_kubernetes_manager"];

/// What its classes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Generic,
    Hello,
}

impl Class {
    /// By the dotted name that Python imports.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let (package, _) = name.split_once('.')?;
        let (_, class) = name.rsplit_once('.')?;
        match class {
            _ if !PACKAGES.contains(&package) => None,
            "GenericImageProcessor" => Some(Self::Generic),
            "HelloWorldK8sProcessor" => Some(Self::Hello),
            _ => None,
        }
    }
}

/// Whether a manager is 52N's.
pub(crate) fn is_manager(name: &str) -> bool {
    name.split_once('.').is_some_and(|(package, _)| PACKAGES.contains(&package))
        && name.ends_with(".KubernetesManager")
}

/// The package of a process. `None` after a remark that says why there is none.
pub(crate) fn package(
    report: &mut Report,
    resource: &Spot<'_>,
    processor: &Spot<'_>,
    class: Class,
    defaults: &Defaults,
) -> Option<Value> {
    match class {
        Class::Generic => generic::package(report, resource, processor, defaults),
        Class::Hello => hello::package(report, resource, processor, defaults),
    }
}

/// What both kinds say of themselves.
struct Parts {
    id: String,
    legacy_id: String,
    /// The description without its ids.
    process: Map<String, Value>,
    examples: Option<Value>,
    unit: Value,
    is_guarded: bool,
}

impl Parts {
    fn assembled(self) -> Value {
        let mut process = Map::from_iter([
            ("id".to_owned(), Value::from(self.id)),
            ("legacyId".to_owned(), self.legacy_id.into()),
        ]);
        process.extend(self.process);
        let first = process.get("outputs").and_then(|outputs| outputs.as_object()?.keys().next().cloned());
        let mut package = json!({
            "processDescription": {"process": process},
            "executionUnit": [self.unit],
            "validation": "lenient",
        });
        if let Some(first) = first.filter(|first| generic::ANONYMOUS.contains(&first.as_str())) {
            package["answer"] = first.into();
        }
        if self.is_guarded {
            package["callerToken"] = "required".into();
        }
        if let Some(examples) = self.examples {
            package["examples"] = examples;
        }
        package
    }
}

/// The image, if it has the form of one, of a process whose name can stand in a URL.
pub(crate) fn checked(
    report: &mut Report,
    resource: &Spot<'_>,
    processor: &Spot<'_>,
    default: Option<&str>,
) -> Option<String> {
    if let Err(error) = resource.name.parse::<ProcessId>() {
        report.left_out(resource, format!("the name of the process {error}"));
        return None;
    }
    let Some(image) = report.text_of(processor, "default_image").or_else(|| default.map(ToOwned::to_owned))
    else {
        report.left_out(processor, "has no `default_image`");
        return None;
    };
    match trial::image(&image) {
        Ok(()) => Some(image),
        Err(why) => {
            report.left_out(&processor.get("default_image")?, why);
            None
        }
    }
}

#[cfg(test)]
mod tests;
