//! Ending and forgetting launches.
//!
//! A Job that has our finalizer leaves its pods running when it is deleted, unless the deletion is `Foreground`.

use std::{fmt::Debug, sync::atomic::Ordering, time::Duration};

use k8s_openapi::{
    api::{batch::v1::Job, core::v1::Pod},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Resource,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use rutter_core::{executor::ExecutorError, id::LaunchName};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{
    adopted, fault,
    manifest::AGENT_GRACE,
    names::{FINALIZER, is_adopted},
    observe::{has_ended, is_finished},
    shared::Shared,
};

/// Finalizer that a `Foreground` deletion leaves until the pods are gone.
const FOREGROUND: &str = "foregroundDeletion";
/// How often a finalizer is taken off an object that somebody changes meanwhile: its controllers do, when it is deleted.
const TRIES: u32 = 6;
/// Pause after the first of these tries; the next are twice as long each.
const PAUSE: Duration = Duration::from_millis(50);

/// End the pods of a launch within `grace` and delete its Job.
pub(crate) async fn end(shared: &Shared, name: LaunchName, grace: Duration) -> Result<(), ExecutorError> {
    let Some(job) = shared.job(name).await? else { return Ok(()) };
    // Pods first: one that the deletion of its Job has given its own, longer grace does not always take a shorter one.
    end_pods(shared, name, grace).await?;
    if shared.config.records && !is_suspended(&job) {
        // Its record stands on it: it is ended by its deadline, and stays.
        return overdue(shared, name).await;
    }
    delete(shared, name, &job).await
}

fn is_suspended(job: &Job) -> bool {
    job.spec.as_ref().is_some_and(|spec| spec.suspend == Some(true))
}

async fn overdue(shared: &Shared, name: LaunchName) -> Result<(), ExecutorError> {
    let patch = json!({"spec": {"activeDeadlineSeconds": 1}});
    let patched =
        shared.jobs.patch(&shared.name_of(name), &PatchParams::default(), &Patch::Merge(patch)).await;
    done(patched, "end a job in the cluster")
}

/// Delete the Job of a launch, whatever it is at.
pub(crate) async fn remove(shared: &Shared, name: LaunchName) -> Result<(), ExecutorError> {
    match shared.job(name).await? {
        Some(job) => delete(shared, name, &job).await,
        None => Ok(()),
    }
}

/// Forget a launch: a Job that is over goes when its time is up, another one is deleted. So is one whose pods hold volumes of
/// their own: somebody pays for these until the pods are gone.
pub(crate) async fn release(shared: &Shared, name: LaunchName) -> Result<(), ExecutorError> {
    if shared.unsure().remove(&name) {
        // Not the end of a launch, but of a failed try to make it: the next try needs what this one may have made.
        return Ok(());
    }
    let Some(mut job) = shared.job(name).await? else { return Ok(()) };
    let is_kept = is_finished(&job) && (shared.config.records || !holds_volumes(&job));
    if !is_kept {
        // Once: it makes the cluster's own clearing change the Job again.
        delete(shared, name, &job).await?;
        let Some(deleted) = shared.job(name).await? else { return Ok(()) };
        job = deleted;
    }
    if is_adopted(&job) {
        adopted::free_pods(shared, name).await?;
    }
    let_go(&shared.jobs, job).await.map_err(fault::other("release a job in the cluster"))
}

fn holds_volumes(job: &Job) -> bool {
    let pod = job.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let volumes = pod.and_then(|pod| pod.volumes.as_ref());
    volumes.into_iter().flatten().any(|volume| volume.ephemeral.is_some())
}

/// Why our finalizer could not be taken off a Job.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotLetGo {
    /// Somebody changes it again and again.
    #[error("it changes all the time")]
    Busy,
    /// The cluster refused.
    #[error(transparent)]
    Refused(#[from] kube::Error),
}

/// Take our finalizer off a Job.
pub(crate) async fn let_go(jobs: &Api<Job>, job: Job) -> Result<(), NotLetGo> {
    take_off(jobs, job, FINALIZER).await
}

/// Take a finalizer off an object; when somebody changed it meanwhile, off what it is by then.
pub(crate) async fn take_off<K>(api: &Api<K>, mut object: K, finalizer: &str) -> Result<(), NotLetGo>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let (name, uid) = (object.meta().name.clone().unwrap_or_default(), object.meta().uid.clone());
    for attempt in 0..TRIES {
        let is_held = object.meta().finalizers.iter().flatten().any(|it| it == finalizer);
        if !is_held || take_finalizer(api, &name, object.meta(), finalizer).await? {
            return Ok(());
        }
        tokio::time::sleep(PAUSE * 2_u32.pow(attempt)).await;
        match api.get_opt(&name).await? {
            Some(now) if now.meta().uid == uid => object = now,
            _ => return Ok(()),
        }
    }
    Err(NotLetGo::Busy)
}

/// Take pods away that should have ended long ago: their machine does not answer. If one still runs after all, what it
/// reports is not published twice.
///
/// A pod of a Job stays, even when it is deleted by force, and is not replaced, until somebody has written that it failed.
pub(crate) async fn force(shared: &Shared, pod: &Pod) -> Result<(), ExecutorError> {
    let Some(name) = pod.metadata.name.as_deref() else { return Ok(()) };
    if !has_ended(pod) {
        let failed = json!({"metadata": {"uid": pod.metadata.uid}, "status": {"phase": "Failed"}});
        let patched = shared.pods.patch_status(name, &PatchParams::default(), &Patch::Merge(failed)).await;
        done(patched, "note that a pod of a lost machine failed")?;
    }
    let parameters =
        DeleteParams { preconditions: same(pod.metadata.uid.clone()), ..DeleteParams::default() };
    done(shared.pods.delete(name, &parameters.grace_period(0)).await, "remove a pod of a lost machine")
}

async fn delete(shared: &Shared, name: LaunchName, job: &Job) -> Result<(), ExecutorError> {
    if job.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FOREGROUND) {
        return Ok(());
    }
    let parameters =
        DeleteParams { preconditions: same(job.metadata.uid.clone()), ..DeleteParams::foreground() };
    done(shared.jobs.delete(&shared.name_of(name), &parameters).await, "delete a job in the cluster")
}

/// Those that have a machine: it takes a moment to end them, so that none is replaced before the Job is deleted. Others go
/// with the Job.
async fn end_pods(shared: &Shared, name: LaunchName, grace: Duration) -> Result<(), ExecutorError> {
    let seconds = grace.as_secs().saturating_add(AGENT_GRACE);
    let grace = u32::try_from(seconds).unwrap_or(u32::MAX);
    let placed = |pod: &Pod| pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
    for pod in shared.pods_of(name).await?.into_iter().filter(placed) {
        let Some(pod_name) = pod.metadata.name.as_deref() else { continue };
        let parameters =
            DeleteParams { preconditions: same(pod.metadata.uid.clone()), ..DeleteParams::default() };
        match shared.pods.delete(pod_name, &parameters.grace_period(grace)).await {
            Err(error) if fault::is_forbidden(&error) => {
                if !shared.told_of_pods.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "this server may not delete pods: the program has the grace of its pod and not the server's; allow `delete` of `pods`"
                    );
                }
                return Ok(());
            }
            deleted => done(deleted, "end a pod")?,
        }
    }
    Ok(())
}

/// `false` = somebody changed the object meanwhile, so nothing was done.
async fn take_finalizer<K>(
    api: &Api<K>,
    name: &str,
    meta: &ObjectMeta,
    finalizer: &str,
) -> Result<bool, kube::Error>
where
    K: Clone + DeserializeOwned + Debug,
{
    let others: Vec<&String> = meta.finalizers.iter().flatten().filter(|it| *it != finalizer).collect();
    let patch = json!({"metadata": {"resourceVersion": meta.resource_version, "finalizers": others}});
    match api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await {
        Ok(_) => Ok(true),
        Err(error) if fault::is_gone(&error) => Ok(true),
        Err(error) if fault::is_conflict(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

fn same(uid: Option<String>) -> Option<Preconditions> {
    Some(Preconditions { uid, resource_version: None })
}

/// What is not there, or another one by now, needs no deletion.
fn done<T>(result: Result<T, kube::Error>, doing: &'static str) -> Result<(), ExecutorError> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if fault::is_gone(&error) || fault::is_conflict(&error) => Ok(()),
        Err(error) => Err(fault::unavailable(doing)(error)),
    }
}
