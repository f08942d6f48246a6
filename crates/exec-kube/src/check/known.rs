//! Whether everything that a package says is known to Kubernetes: read as its types, written again, and compared.

use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec, VolumeMount};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use serde_path_to_error::Segment;

use super::{Faults, spec::pointer_of};
use crate::wishes;

/// Faults of members that Kubernetes would not understand.
pub(super) fn check(faults: &mut Faults<'_>, kubernetes: &Value) {
    let mut spec = wishes::spec_of(kubernetes);
    spec["containers"] = Value::Array(Vec::new());
    read::<PodSpec>(faults, spec, "/kubernetes");
    if let Some(mounts) = kubernetes.get("volumeMounts") {
        read::<Vec<VolumeMount>>(faults, mounts.clone(), "/kubernetes/volumeMounts");
    }
    if let Some(template) = kubernetes.get("podTemplate") {
        read::<PodTemplateSpec>(faults, template.clone(), "/kubernetes/podTemplate");
    }
}

fn read<T: DeserializeOwned + Serialize>(faults: &mut Faults<'_>, mut value: Value, at: &str) {
    wishes::quantities_as_text(&mut value);
    match serde_path_to_error::deserialize::<_, T>(&value) {
        Ok(read) => {
            let written = serde_json::to_value(read).unwrap_or_default();
            compare(faults, &value, &written, at);
        }
        Err(error) => {
            let pointer = error.path().iter().fold(at.to_owned(), |at, segment| match segment {
                Segment::Seq { index } => format!("{at}/{index}"),
                Segment::Map { key } => pointer_of(&at, key),
                Segment::Enum { .. } | Segment::Unknown => at,
            });
            let message = format!("is not as Kubernetes wants it: {}", error.inner());
            faults.add(&pointer, message, "see Kubernetes' reference of pods");
        }
    }
}

/// What was written and did not come back is unknown.
fn compare(faults: &mut Faults<'_>, value: &Value, read: &Value, at: &str) {
    match (value, read) {
        (Value::Object(members), Value::Object(known)) => {
            for (name, member) in members.iter().filter(|(_, member)| !member.is_null()) {
                let pointer = pointer_of(at, name);
                match known.get(name) {
                    Some(known) => compare(faults, member, known, &pointer),
                    None => faults.add(&pointer, "is unknown to Kubernetes", "check its spelling"),
                }
            }
        }
        (Value::Array(items), Value::Array(known)) => {
            for (index, (item, known)) in items.iter().zip(known).enumerate() {
                compare(faults, item, known, &format!("{at}/{index}"));
            }
        }
        _ => {}
    }
}
