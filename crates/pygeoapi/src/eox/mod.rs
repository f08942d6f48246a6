//! Processes of EOX's pygeoapi-kubernetes-papermill: notebooks, and images with a line for a shell.

mod chosen;
mod image;
mod notebook;
mod pod;

use serde_json::{Map, Value, json};

use crate::{north, remark::Report, server::Manager, spot::Spot};

/// Package of its classes, and two modules of a fork of pygeoapi from before.
const PACKAGE: &str = "pygeoapi_kubernetes_papermill";
const OLD: [&str; 2] = ["pygeoapi.process.notebook.", "pygeoapi.process.manager.kubernetes."];

/// What its classes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Notebook,
    Image,
    Argo,
}

impl Class {
    /// By the dotted name that Python imports.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match class_of(name)? {
            "PapermillNotebookKubernetesProcessor" => Some(Self::Notebook),
            "ContainerImageKubernetesProcessor" => Some(Self::Image),
            "ArgoProcessor" => Some(Self::Argo),
            _ => None,
        }
    }
}

/// Which of EOX's managers that is.
pub(crate) fn manager(name: &str) -> Option<Manager> {
    match class_of(name)? {
        "KubernetesManager" => Some(Manager::Eox),
        "ArgoManager" => Some(Manager::Argo),
        _ => None,
    }
}

fn class_of(name: &str) -> Option<&str> {
    let (package, _) = name.split_once('.')?;
    let is_its = package == PACKAGE || OLD.iter().any(|module| name.starts_with(module));
    is_its.then(|| name.rsplit_once('.').map(|(_, class)| class))?
}

/// The package of a process. `None` after a remark that says why there is none.
pub(crate) fn package(
    report: &mut Report,
    resource: &Spot<'_>,
    processor: &Spot<'_>,
    class: Class,
) -> Option<Value> {
    if class == Class::Argo {
        let why = "is an Argo WorkflowTemplate, which this server does not run: name its image in a package";
        report.left_out(resource, why);
        return None;
    }
    let image = north::checked(report, resource, processor, None)?;
    let ((unit, chosen), mut described, legacy_id) = match class {
        Class::Notebook => {
            (notebook::unit(report, processor, &image)?, notebook::description(), "execute-notebook")
        }
        _ => {
            (image::unit(report, processor, &image)?, image::description(report, processor), "execute-image")
        }
    };
    if let Some(inputs) = described.get_mut("inputs").and_then(Value::as_object_mut) {
        inputs.extend(chosen);
    }
    let mut process = Map::from_iter([
        ("id".to_owned(), Value::from(resource.name.clone())),
        ("legacyId".to_owned(), legacy_id.into()),
    ]);
    process.extend(described);
    let mut package = json!({"processDescription": {"process": process}, "executionUnit": [unit]});
    if class == Class::Notebook {
        package["answer"] = json!(notebook::ANSWER);
    }
    Some(package)
}

#[cfg(test)]
mod tests;
