//! What no event tells: waits that last too long, and pods on machines that do not answer.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Pod;
use rutter_core::executor::Observation;
use tokio::time::MissedTickBehavior;

use crate::{cache::Known, ending, observe::waits_for_start, shared::Shared};

/// How often. It costs no request unless something is wrong.
const PERIOD: Duration = Duration::from_secs(5);

/// Look around for ever.
pub(crate) async fn patrol(shared: Arc<Shared>) {
    let mut period = tokio::time::interval(PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        period.tick().await;
        for (launch, known) in shared.cache.all() {
            if waits_for_start(&known.job, &known.pods)
                && matches!(shared.seen(&known), Observation::Ended { .. })
            {
                shared.cache.tell(launch);
            }
            clear(&shared, &known).await;
        }
    }
}

async fn clear(shared: &Shared, known: &Known) {
    for pod in known.pods.iter().filter(|pod| is_stuck(shared, pod)) {
        if let Err(error) = ending::force(shared, pod).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "could not remove a pod of a lost machine"
            );
        }
    }
}

/// The time of deletion is when the grace is over.
fn is_stuck(shared: &Shared, pod: &Pod) -> bool {
    let limit = SignedDuration::try_from(shared.config.stuck_limit).unwrap_or(SignedDuration::MAX);
    let deleted = pod.metadata.deletion_timestamp.as_ref();
    deleted.is_some_and(|deleted| shared.clock.now().duration_since(deleted.0) > limit)
}
