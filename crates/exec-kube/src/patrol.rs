//! What no event tells: waits that last too long, and pods on machines that do not answer. And what must be noted before
//! it is gone: pods that were taken from their machines, of which the cluster itself keeps no count.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Pod;
use rutter_core::{
    executor::{ExecutorError, Observation},
    id::LaunchName,
};
use tokio::time::MissedTickBehavior;

use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::{
    adopted,
    cache::Known,
    ending, fault,
    names::{self, DISRUPTED},
    observe::{disrupted, is_finished, waits_for_start},
    shared::Shared,
};

/// How often. It costs no request unless something is wrong.
const PERIOD: Duration = Duration::from_secs(5);

/// Look around for ever.
pub(crate) async fn patrol(shared: Arc<Shared>) {
    let mut period = tokio::time::interval(PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        period.tick().await;
        shared.reach.settle();
        for (launch, known) in shared.cache.all() {
            if waits_for_start(&shared.look(&known))
                && matches!(shared.seen(&known), Observation::Ended { .. })
            {
                shared.cache.tell(launch);
            }
            clear(&shared, &known).await;
            adopted::look_after(&shared, launch, &known).await;
            if let Err(error) = note_disruptions(&shared, launch, &known).await
                && !fault::is_away(&error)
            {
                tracing::warn!(
                    job.id = %launch.job,
                    error = &error as &dyn std::error::Error,
                    "could not note on a Job how often it was disrupted; trying again"
                );
            }
        }
    }
}

async fn clear(shared: &Shared, known: &Known) {
    for pod in known.pods.iter().filter(|pod| is_stuck(shared, pod)) {
        if let Err(error) = ending::force(shared, pod).await
            && !matches!(error, ExecutorError::Away { .. })
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "could not remove a pod of a lost machine"
            );
        }
    }
}

/// On the Job, so that another server counts on.
async fn note_disruptions(shared: &Shared, launch: LaunchName, known: &Known) -> Result<(), kube::Error> {
    let all = disrupted(&shared.look(known));
    if all.len() == names::disrupted(&known.job).count() || is_finished(&known.job) {
        return Ok(());
    }
    let uids: Vec<&str> = all.into_iter().collect();
    let patch =
        json!({"metadata": {"uid": known.job.metadata.uid, "annotations": {DISRUPTED: uids.join(",")}}});
    match shared.jobs.patch(&shared.name_of(launch), &PatchParams::default(), &Patch::Merge(patch)).await {
        Err(error) if !fault::is_gone(&error) && !fault::is_conflict(&error) => Err(error),
        _ => Ok(()),
    }
}

/// The time of deletion is when the grace is over.
fn is_stuck(shared: &Shared, pod: &Pod) -> bool {
    let limit = SignedDuration::try_from(shared.config.stuck_limit).unwrap_or(SignedDuration::MAX);
    let deleted = pod.metadata.deletion_timestamp.as_ref();
    deleted.is_some_and(|deleted| shared.clock.now().duration_since(deleted.0) > limit)
}
