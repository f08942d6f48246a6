//! Whose token it is: verified offline against the cluster's published keys, then pod, Job, launch.

mod keys;
mod token;

use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use rutter_core::{
    executor::{AttemptName, ExecutorError},
    id::LaunchName,
};

pub(crate) use keys::Keys;
use token::PodClaim;

use crate::{
    fault,
    names::{launch_of, launch_of_name, owner_of},
    shared::Shared,
};

/// Audience of the tokens of our pods.
pub(crate) const AUDIENCE: &str = "rutter";

/// The attempt that a token belongs to; `None` = none of ours.
pub(crate) async fn identify(shared: &Shared, token: &str) -> Result<Option<AttemptName>, ExecutorError> {
    let now = shared.clock.now();
    let Some(claim) = shared.keys.verify(&shared.client, token, now).await? else { return Ok(None) };
    if claim.namespace != shared.config.namespace {
        return Ok(None);
    }
    let Some(owner) = owner(shared, &claim.pod).await? else { return Ok(None) };
    let Some(launch) = launch(shared, &owner).await? else { return Ok(None) };
    Ok(Some(AttemptName { launch, uid: claim.pod.uid }))
}

/// The Job that controls a pod.
struct Owner {
    job: String,
    uid: String,
}

/// By the watch, or else by a look: an agent may ask before the watch has shown its pod.
async fn owner(shared: &Shared, pod: &PodClaim) -> Result<Option<Owner>, ExecutorError> {
    let read = |found: &Pod| {
        let (job, uid) = owner_of(found).filter(|_| found.metadata.uid.as_deref() == Some(&pod.uid))?;
        Some(Owner { job: job.to_owned(), uid: uid.to_owned() })
    };
    if let Some(owner) = shared.cache.pod(&pod.name).as_deref().and_then(read) {
        return Ok(Some(owner));
    }
    let found = shared.pods.get_opt(&pod.name).await.map_err(fault::unavailable("look up a pod"))?;
    Ok(found.as_ref().and_then(read))
}

async fn launch(shared: &Shared, owner: &Owner) -> Result<Option<LaunchName>, ExecutorError> {
    let Some(named) = launch_of_name(&owner.job) else { return Ok(None) };
    let same = |job: &Job| job.metadata.uid.as_deref() == Some(&owner.uid);
    if let Some(known) = shared.cache.known(named)
        && same(&known.job)
    {
        return Ok(launch_of(&known.job, shared.instance));
    }
    let found = shared.jobs.get_opt(&owner.job).await.map_err(fault::unavailable("look up a job"))?;
    Ok(found.filter(same).and_then(|job| launch_of(&job, shared.instance)))
}
