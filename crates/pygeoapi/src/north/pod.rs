//! What 52N puts into a pod besides the program: resources, storage, init containers, tolerations, pull secrets.

use serde_json::{Map, Value, json};

use crate::{python, remark::Report, spot::Spot};

/// `resources`, verbatim, with amounts as text.
pub(super) fn resources(report: &mut Report, processor: &Spot<'_>) -> Option<Value> {
    let Some(spot) = processor.get("resources") else {
        report.note(
            processor,
            "has no `resources`, without which 52N runs nothing; the server's defaults are taken",
        );
        return None;
    };
    if !report.map(&spot) {
        return None;
    }
    report.unknown(&spot, &["limits", "requests"]);
    let mut resources = Map::new();
    for name in ["limits", "requests"] {
        let Some(member) = spot.get(name) else {
            report.note(&spot, format!("has no `{name}`, without which 52N runs nothing"));
            continue;
        };
        let amounts = amounts(report, &member);
        if !amounts.is_empty() {
            resources.insert(name.to_owned(), Value::Object(amounts));
        }
    }
    (!resources.is_empty()).then_some(Value::Object(resources))
}

/// Amounts by resource.
pub(crate) fn amounts(report: &mut Report, spot: &Spot<'_>) -> Map<String, Value> {
    if !report.map(spot) {
        return Map::new();
    }
    let amount = |member: Spot<'_>| Some((member.name.clone(), report.text(&member)?.into()));
    spot.members().into_iter().filter_map(amount).collect()
}

/// `tolerations` in Python's spelling or in Kubernetes'.
pub(crate) fn tolerations(report: &mut Report, processor: &Spot<'_>) -> Option<Value> {
    let mut tolerations = Vec::new();
    for item in report.list(&processor.some("tolerations")?) {
        if !report.map(&item) {
            continue;
        }
        report.unknown(
            &item,
            &["key", "operator", "value", "effect", "toleration_seconds", "tolerationSeconds"],
        );
        let mut toleration = Map::new();
        for name in ["key", "operator", "value", "effect"] {
            if let Some(text) = report.text_of(&item, name) {
                toleration.insert(name.to_owned(), text.into());
            }
        }
        let seconds = ["toleration_seconds", "tolerationSeconds"].iter().find_map(|name| item.some(name));
        if let Some(seconds) = seconds.and_then(|seconds| report.whole(&seconds)) {
            toleration.insert("tolerationSeconds".to_owned(), seconds.into());
        }
        tolerations.push(Value::Object(toleration));
    }
    (!tolerations.is_empty()).then_some(Value::Array(tolerations))
}

/// `image_pull_secrets`, or its older name; one name or several.
pub(crate) fn pull_secrets(report: &mut Report, processor: &Spot<'_>) -> Option<Value> {
    let mut secrets = Vec::new();
    for name in ["image_pull_secrets", "image_pull_secret"] {
        let Some(spot) = processor.some(name) else { continue };
        let spots = if spot.is_list() { spot.items() } else { vec![spot] };
        for spot in spots {
            // Kubernetes' own form is clear as well.
            let named = spot.get("name").unwrap_or(spot);
            if let Some(secret) = report.text(&named) {
                let secret = json!({"name": secret});
                if !secrets.contains(&secret) {
                    secrets.push(secret);
                }
            }
        }
    }
    (!secrets.is_empty()).then_some(Value::Array(secrets))
}

/// Volumes, and where the program's container has them.
pub(super) fn storage(report: &mut Report, processor: &Spot<'_>) -> (Vec<Value>, Vec<Value>) {
    let (mut volumes, mut mounts): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    let Some(spot) = processor.some("storage") else { return (volumes, mounts) };
    for item in report.list(&spot) {
        if !report.map(&item) {
            continue;
        }
        report.unknown(&item, &["name", "mount_path", "empty_dir", "persistent_volume_claim_name"]);
        let (name, path) = (report.text_of(&item, "name"), report.text_of(&item, "mount_path"));
        let (Some(name), Some(path)) = (name, path) else {
            report.doubt(&item, "needs `name` and `mount_path`; it is left out");
            continue;
        };
        let Some(volume) = volume(report, &item, &name) else { continue };
        match volumes.iter().find(|other| other["name"] == volume["name"]) {
            Some(other) if *other != volume => {
                report.doubt(&item, format!("the volume {name} is another one above, which counts"));
            }
            Some(_) => {}
            None => volumes.push(volume),
        }
        mounts.push(json!({"name": name, "mountPath": path}));
    }
    (volumes, mounts)
}

fn volume(report: &mut Report, spot: &Spot<'_>, name: &str) -> Option<Value> {
    if let Some(claim) = report.text_of(spot, "persistent_volume_claim_name") {
        if let Some(empty) = spot.get("empty_dir") {
            report.doubt(&empty, "stands beside a claim, which counts");
        }
        return Some(json!({"name": name, "persistentVolumeClaim": {"claimName": claim}}));
    }
    let Some(empty) = spot.get("empty_dir") else {
        report.doubt(spot, "needs `empty_dir` or `persistent_volume_claim_name`; it is left out");
        return None;
    };
    let mut source = Map::new();
    if report.map(&empty) {
        report.unknown(&empty, &["medium", "size_limit"]);
        for (from, to) in [("medium", "medium"), ("size_limit", "sizeLimit")] {
            if let Some(text) = report.text_of(&empty, from) {
                source.insert(to.to_owned(), text.into());
            }
        }
    }
    Some(json!({"name": name, "emptyDir": source}))
}

/// Members of an init container that 52N keeps.
const KEPT: [&str; 8] =
    ["name", "image", "imagePullPolicy", "command", "args", "env", "volumeMounts", "resources"];

/// `init_containers`, verbatim.
pub(super) fn init_containers(report: &mut Report, processor: &Spot<'_>) -> Vec<Value> {
    let mut containers = Vec::new();
    let Some(spot) = processor.some("init_containers") else { return containers };
    for item in report.list(&spot) {
        if !report.map(&item) {
            continue;
        }
        let Some(name) = report.text_of(&item, "name") else {
            report.doubt(&item, "has no `name`; it is left out");
            continue;
        };
        let mut container = Map::from_iter([("name".to_owned(), Value::from(name))]);
        for member in item.members() {
            if !KEPT.contains(&member.name.as_str()) {
                report.ignored(&member, "is dropped from init containers, as by pygeoapi");
            } else if member.name != "name" && !member.node.is_null() {
                container.insert(member.name.clone(), init_member(report, &member));
            }
        }
        containers.push(Value::Object(container));
    }
    containers
}

fn init_member(report: &mut Report, spot: &Spot<'_>) -> Value {
    match spot.name.as_str() {
        "command" | "args" => {
            report.list(spot).iter().map(|item| Value::from(python::text(item.node))).collect()
        }
        "env" => report.list(spot).iter().map(variable).collect(),
        "resources" => {
            let part = |part: Spot<'_>| (part.name.clone(), Value::Object(amounts(report, &part)));
            Value::Object(spot.members().into_iter().map(part).collect())
        }
        _ => spot.json(),
    }
}

/// Kubernetes takes text only.
fn variable(spot: &Spot<'_>) -> Value {
    let mut variable = spot.json();
    if let Some(value) = spot.some("value") {
        variable["value"] = python::text(value.node).into();
    }
    variable
}
