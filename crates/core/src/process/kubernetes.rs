//! Reads `kubernetes` of a container's unit: what a package says to a cluster.
//!
//! Here its shape is checked; what stands deeper in it is Kubernetes' own language, which the executor for Kubernetes
//! knows and this crate does not.

use serde_json::Value;

use super::{
    chosen,
    unit::Declared,
    walk::{Report, Spot},
};

/// Members of a pod's specification, spelled as there, and our own.
const MEMBERS: [&str; 14] = [
    "nodeSelector",
    "tolerations",
    "affinity",
    "volumes",
    "volumeMounts",
    "initContainers",
    "serviceAccountName",
    "imagePullSecrets",
    "priorityClassName",
    "runtimeClassName",
    "queue",
    "security",
    "podTemplate",
    "fromInputs",
];

/// The member as written. Faults of its shape are reported.
pub(super) fn read(report: &mut Report<'_>, spot: &Spot<'_>, declared: &Declared<'_>) -> Option<Value> {
    if !report.object(spot, &MEMBERS) {
        return None;
    }
    for (key, member) in spot.members() {
        match key.text.as_str() {
            "nodeSelector" => texts_by_name(report, &member),
            "tolerations" | "volumes" | "volumeMounts" | "initContainers" | "imagePullSecrets" => {
                objects(report, &member);
            }
            "serviceAccountName" | "priorityClassName" | "runtimeClassName" | "queue" => {
                report.text(&member);
            }
            "security" => {
                report.word(&member, &["restricted", "baseline", "none"]);
            }
            "podTemplate" => template(report, &member),
            "fromInputs" => {
                let template = spot.get("podTemplate").map(|template| template.node.to_value());
                chosen::check(report, &member, template.as_ref(), declared);
            }
            _ => {
                report.any_object(&member);
            }
        }
    }
    Some(spot.node.to_value())
}

fn texts_by_name(report: &mut Report<'_>, spot: &Spot<'_>) {
    if report.any_object(spot) {
        for (_, member) in spot.members() {
            report.text(&member);
        }
    }
}

fn objects(report: &mut Report<'_>, spot: &Spot<'_>) {
    for item in report.list(spot).unwrap_or_default() {
        report.any_object(&item);
    }
}

fn template(report: &mut Report<'_>, spot: &Spot<'_>) {
    if report.object(spot, &["metadata", "spec"]) {
        for (_, member) in spot.members() {
            report.any_object(&member);
        }
    }
}
