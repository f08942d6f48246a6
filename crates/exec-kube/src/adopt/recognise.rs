//! Whether a Job was made by 52North's or EOX's server, by what stands on it. A pure function.

use k8s_openapi::api::batch::v1::Job;
use rutter_core::id::JobId;

use crate::adopted::{STARTED, STARTED_BY_EOX};

/// Annotation: id of the job.
const IDENTIFIER: &str = "pygeoapi.io/identifier";

/// Who made a Job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// 52North's pygeoapi-k8s-manager.
    North,
    /// EOX's pygeoapi-kubernetes-papermill.
    Eox,
}

impl System {
    /// Value of the label of adopted Jobs.
    pub fn label(self) -> &'static str {
        match self {
            Self::North => "52north",
            Self::Eox => "eox",
        }
    }

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::North => "52North",
            Self::Eox => "EOX",
        }
    }
}

/// Why a Job with the prefix is nobody's that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stranger {
    #[error("has no annotation `pygeoapi.io/identifier`: it was made by something else")]
    NoIdentifier,
    #[error("has another id in its annotation `pygeoapi.io/identifier` than in its name")]
    OtherIdentifier,
    #[error("has an id that is no UUID, so it can't be the id of a job here")]
    NoUuid,
    #[error("has neither the annotations nor the container that 52North's or EOX's server gives")]
    Unknown,
}

/// Of a Job whose name begins with `prefix`; `None` = it does not.
pub(crate) fn recognise(job: &Job, prefix: &str) -> Option<Result<(System, JobId), Stranger>> {
    let rest = job.metadata.name.as_deref()?.strip_prefix(prefix)?;
    Some(of_rest(job, rest))
}

fn of_rest(job: &Job, rest: &str) -> Result<(System, JobId), Stranger> {
    let noted = |name: &str| job.metadata.annotations.as_ref().and_then(|all| all.get(name));
    let identifier = noted(IDENTIFIER).ok_or(Stranger::NoIdentifier)?;
    if identifier != rest {
        return Err(Stranger::OtherIdentifier);
    }
    let pod = job.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let has = |names: &[&str]| {
        pod.is_some_and(|pod| pod.containers.iter().any(|it| names.contains(&it.name.as_str())))
    };
    let system = if noted(STARTED).is_some() && has(&["generic-image-processor", "hello-world-k8s"]) {
        System::North
    } else if noted(STARTED_BY_EOX).is_some() && has(&["notebook"]) {
        System::Eox
    } else {
        return Err(Stranger::Unknown);
    };
    let id = identifier.parse().map_err(|_| Stranger::NoUuid)?;
    Ok((system, id))
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    pub(crate) const ID: &str = "99755242-31af-11f0-80bd-0255ac10006c";

    /// As 52North makes it; `change` = a merge patch.
    pub(crate) fn job(change: &Value) -> Job {
        let mut job = json!({
            "metadata": {"name": format!("pygeoapi-job-{ID}"), "annotations": {
                IDENTIFIER: ID, "pygeoapi.io/process_id": "route-tool", STARTED: "2026-11-25T10:00:00.5Z"}},
            "spec": {"template": {"spec": {"containers": [{"name": "generic-image-processor", "image": "a:1"}]}}},
        });
        json_patch(&mut job, change);
        serde_json::from_value(job).unwrap()
    }

    fn json_patch(target: &mut Value, change: &Value) {
        match (target, change) {
            (Value::Object(members), Value::Object(changes)) => {
                for (name, change) in changes {
                    if change.is_null() {
                        members.remove(name);
                    } else {
                        json_patch(members.entry(name.clone()).or_insert(Value::Null), change);
                    }
                }
            }
            (target, change) => *target = change.clone(),
        }
    }

    fn found(change: &Value) -> Option<Result<(System, JobId), Stranger>> {
        recognise(&job(change), "pygeoapi-job-")
    }

    fn container(name: &str) -> Value {
        json!({"template": {"spec": {"containers": [{"name": name}]}}})
    }

    #[test]
    fn jobs_of_both_systems_are_known() {
        let id = ID.parse().unwrap();
        assert_eq!(found(&json!({})), Some(Ok((System::North, id))));
        assert_eq!(found(&json!({"spec": container("hello-world-k8s")})), Some(Ok((System::North, id))));
        let eox = json!({"metadata": {"annotations": {STARTED: null, STARTED_BY_EOX: "2026-11-25T10:00:00.5Z"}},
            "spec": container("notebook")});
        assert_eq!(found(&eox), Some(Ok((System::Eox, id))));
        let other = format!("models-{ID}");
        assert_eq!(
            recognise(&job(&json!({"metadata": {"name": other}})), "models-"),
            Some(Ok((System::North, id)))
        );
    }

    #[test]
    fn everything_else_is_a_stranger_or_not_even_that() {
        let annotations = |change: Value| json!({"metadata": {"annotations": change}});
        assert_eq!(found(&json!({"metadata": {"name": "howis-ingest-29178065"}})), None);
        assert_eq!(found(&json!({"metadata": {"name": format!("rutter-{ID}-1")}})), None);
        for (change, why) in [
            (annotations(json!({IDENTIFIER: null})), Stranger::NoIdentifier),
            (annotations(json!({IDENTIFIER: "other"})), Stranger::OtherIdentifier),
            (annotations(json!({STARTED: null})), Stranger::Unknown),
            (json!({"spec": container("main")}), Stranger::Unknown),
            (json!({"spec": container("notebook")}), Stranger::Unknown),
            (
                json!({"metadata": {"name": "pygeoapi-job-1", "annotations": {IDENTIFIER: "1"}}}),
                Stranger::NoUuid,
            ),
            (
                json!({"metadata": {"name": format!("pygeoapi-job-{}", ID.to_uppercase()), "annotations": {IDENTIFIER: ID.to_uppercase()}}}),
                Stranger::NoUuid,
            ),
        ] {
            assert_eq!(found(&change), Some(Err(why)), "{change}");
        }
    }
}
