//! Jobs that another system made and that were given to this instance: what they say, and what is done to their pods.
//!
//! Such a Job has one pod, which its maker labelled with nothing of ours, and which may have a finalizer that keeps it until its
//! log was read. So the pods are labelled when they are found, and the finalizer is taken off when the job is archived. That
//! there is no pod is concluded from a consistent read only: what it printed would be lost.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::api::{Patch, PatchParams};
use rutter_core::{
    executor::{Adopted, AloneAttempt, AloneEnd, ExecutorError, KeptResult, Observation},
    id::LaunchName,
};
use serde_json::{Value, json};

use crate::{
    adopt::System,
    cache::{Known, belongs},
    ending, fault,
    names::{ADOPTED, INSTANCE, is_adopted},
    observe::{end_of_adopted, end_of_job, ended_at, is_finished, last_pod},
    shared::Shared,
};

/// Finalizer of 52North's pods, until their log was read.
pub(crate) const THEIR_FINALIZER: &str = "pygeoapi.io/finalizer-log-retrieval";
/// Annotation: id of the process.
const PROCESS: &str = "pygeoapi.io/process_id";
/// Annotation of 52North's: when it was asked for.
pub(crate) const STARTED: &str = "pygeoapi.io/started";
/// The same of EOX's.
pub(crate) const STARTED_BY_EOX: &str = "pygeoapi.io/job_start_datetime";
/// Annotation: the inputs.
const PARAMETERS: &str = "pygeoapi.io/parameters";
/// Annotation: the result.
const RESULT: &str = "pygeoapi.io/result-value";
/// Annotation: its media type.
const RESULT_TYPE: &str = "pygeoapi.io/result-mimetype";
/// EOX's process whose parameters are variables.
const EOX_IMAGE: &str = "execute-image";

/// What stands on such a Job.
pub(crate) fn told(job: &Job) -> Adopted {
    let system = job.metadata.labels.as_ref().and_then(|labels| labels.get(ADOPTED));
    told_by(job, system.is_some_and(|system| system == System::Eox.label()))
}

/// The same of one that is not adopted yet.
pub(crate) fn told_by(job: &Job, is_eox: bool) -> Adopted {
    let noted =
        |name: &str| job.metadata.annotations.as_ref().and_then(|all| all.get(name)).map(String::as_str);
    let made = job.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
    let began = noted(if is_eox { STARTED_BY_EOX } else { STARTED }).and_then(time).unwrap_or(made);
    let process = noted(PROCESS).unwrap_or_default().to_owned();
    let inputs = noted(PARAMETERS).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let inputs = inputs.map(|inputs| match inputs {
        Value::Object(variables) if process == EOX_IMAGE => json!({ "parameters_env": variables }),
        inputs => inputs,
    });
    let pod = job.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let result = noted(RESULT).filter(|text| !is_eox && !text.is_empty());
    Adopted {
        process,
        image: pod.and_then(|pod| pod.containers.first()).and_then(|program| program.image.clone()),
        inputs: inputs.filter(Value::is_object),
        began,
        ended: ended_at(job),
        prints_results: !is_eox,
        result: result.map(|text| KeptResult {
            media_type: noted(RESULT_TYPE).filter(|it| !it.is_empty()).map(str::to_owned),
            text: text.to_owned(),
        }),
    }
}

/// With a zone or, as universal time, without.
fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| format!("{text}Z").parse().ok())
}

/// The pod of such a Job.
pub(crate) fn pod(known: &Known) -> Option<&Arc<Pod>> {
    last_pod(&known.pods)
}

/// Its only attempt, as far as somebody must speak for it. It is called as the Job is: its pod may be gone.
pub(crate) fn attempt(shared: &Shared, launch: LaunchName, known: &Known) -> Option<AloneAttempt> {
    let uid = known.job.metadata.uid.clone()?;
    let of_job = || AloneEnd { end: end_of_job(&known.job), message: None };
    let end = match pod(known) {
        Some(pod) => end_of_adopted(pod)?,
        None if is_over(&known.job) && shared.podless().contains(&launch) => Some(of_job()),
        None => return None,
    };
    // A pod that was deleted when its Job had ended well says less than its Job.
    let end = end.map(|end| {
        if is_finished(&known.job) && is_complete(known) {
            AloneEnd { end: end_of_job(&known.job), ..end }
        } else {
            end
        }
    });
    Some(AloneAttempt { uid, end })
}

fn is_complete(known: &Known) -> bool {
    end_of_job(&known.job) == rutter_core::executor::LaunchEnd::Exited { code: 0 }
}

fn is_over(job: &Job) -> bool {
    is_finished(job) || job.metadata.deletion_timestamp.is_some()
}

/// What is seen of a launch; of an adopted one, when it is known whether its pod is there.
pub(crate) async fn observe(
    shared: &Shared,
    launch: LaunchName,
    known: &Known,
) -> Result<Observation, ExecutorError> {
    let is_open = is_adopted(&known.job) && known.pods.is_empty();
    if !is_open || shared.podless().contains(&launch) {
        return Ok(shared.seen(known));
    }
    let is_there = claim_pods(shared, launch, &known.job).await? > 0;
    if !is_there && !is_over(&known.job) {
        return Ok(shared.seen(known));
    }
    if !is_there {
        shared.podless().insert(launch);
    }
    // Now somebody can speak for it.
    shared.cache.tell(launch);
    Ok(Observation::Pending { reason: None })
}

/// Of an adopted Job the pod may come later.
pub(crate) async fn look_after(shared: &Shared, launch: LaunchName, known: &Known) {
    if !is_adopted(&known.job) || !known.pods.is_empty() || is_over(&known.job) {
        return;
    }
    match claim_pods(shared, launch, &known.job).await {
        Ok(0) => {}
        Ok(_) => shared.cache.tell(launch),
        Err(ExecutorError::Away { .. }) => {}
        Err(error) => tracing::warn!(
            job.id = %launch.job,
            error = &error as &dyn std::error::Error,
            "could not take the pod of an adopted Job; trying again"
        ),
    }
}

/// Label the pods of an adopted Job, so that they are watched. Gives how many there are.
async fn claim_pods(shared: &Shared, launch: LaunchName, job: &Job) -> Result<usize, ExecutorError> {
    let pods = shared.pods_of(launch).await?.into_iter().filter(|pod| belongs(pod, job));
    let mut count = 0;
    for pod in pods {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let patch =
            json!({"metadata": {"uid": pod.metadata.uid, "labels": {INSTANCE: shared.instance.to_string()}}});
        match shared.pods.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Ok(pod) => {
                shared.cache.add_pod(pod);
                count += 1;
            }
            Err(error) if fault::is_gone(&error) => {}
            Err(error) => {
                let doing = "label the pod of an adopted Job (needs `patch` of `pods`)";
                return Err(fault::unavailable(doing)(error));
            }
        }
    }
    Ok(count)
}

/// Take 52North's finalizer off the pods of an adopted Job: their log was read.
pub(crate) async fn free_pods(shared: &Shared, launch: LaunchName) -> Result<(), ExecutorError> {
    for pod in shared.pods_of(launch).await? {
        let freed = ending::take_off(&shared.pods, pod, THEIR_FINALIZER).await;
        freed.map_err(fault::other("release the pod of an adopted Job"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(annotations: &Value) -> Job {
        let job = json!({
            "metadata": {"name": "pygeoapi-job-x", "annotations": annotations, "creationTimestamp": "2026-11-25T09:00:00Z"},
            "spec": {"template": {"spec": {"containers": [{"name": "notebook", "image": "a:1"}]}}},
            "status": {"conditions": [{"type": "Failed", "status": "True", "lastTransitionTime": "2026-11-25T11:00:01Z"}]},
        });
        serde_json::from_value(job).unwrap()
    }

    #[test]
    fn what_52north_noted_is_read() {
        let north = job(
            &json!({PROCESS: "route-tool", STARTED: "2026-11-25T10:00:00.25Z", PARAMETERS: r#"{"a": 1}"#,
            RESULT: "[1]", RESULT_TYPE: "application/json"}),
        );
        let found = told_by(&north, false);
        assert_eq!((found.process.as_str(), found.image.as_deref()), ("route-tool", Some("a:1")));
        assert_eq!(
            (found.began.to_string().as_str(), found.ended.unwrap().to_string().as_str()),
            ("2026-11-25T10:00:00.25Z", "2026-11-25T11:00:01Z")
        );
        assert_eq!(found.inputs, Some(json!({"a": 1})));
        let kept = KeptResult { media_type: Some("application/json".to_owned()), text: "[1]".to_owned() };
        assert_eq!((found.prints_results, found.result), (true, Some(kept)));
    }

    #[test]
    fn what_eox_noted_is_read_and_what_was_cut_off_is_left_out() {
        let eox = job(
            &json!({PROCESS: "execute-image", STARTED_BY_EOX: "2026-11-25T10:00:00.25", PARAMETERS: r#"{"A": "1"}"#, RESULT: "x"}),
        );
        let found = told_by(&eox, true);
        assert_eq!(found.began.to_string(), "2026-11-25T10:00:00.25Z");
        assert_eq!(found.inputs, Some(json!({"parameters_env": {"A": "1"}})));
        assert_eq!((found.prints_results, found.result), (false, None));
        for cut in [r#"{"notebook": "a"#, "null", "[1]", ""] {
            assert_eq!(
                told_by(&job(&json!({PROCESS: "execute-notebook", PARAMETERS: cut})), true).inputs,
                None,
                "{cut}"
            );
        }
    }

    #[test]
    fn what_nobody_noted_is_taken_from_the_job() {
        let found = told_by(&job(&json!({RESULT: ""})), false);
        assert_eq!((found.process.as_str(), found.result, found.inputs), ("", None, None));
        assert_eq!(found.began.to_string(), "2026-11-25T09:00:00Z");
    }
}
