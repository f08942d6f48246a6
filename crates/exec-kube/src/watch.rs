//! Watches: Jobs and pods of this instance, and two kinds of events. A watch that breaks is taken up again for ever.

use std::{fmt::Debug, sync::Arc, time::Duration};

use futures_util::{StreamExt, pin_mut};
use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{Event as ClusterEvent, Pod},
};
use kube::{
    Api, Client, Resource,
    runtime::watcher::{self, Event, watcher},
};
use rutter_core::id::InstanceId;
use serde::de::DeserializeOwned;
use tokio::{sync::watch, task::JoinSet};

use crate::{
    cache::{Cache, strip_job, strip_pod},
    fault,
    names::INSTANCE,
};

/// First and longest pause before a broken watch is taken up again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(3));

/// Whether Jobs and pods are known as they are.
#[derive(Debug)]
pub(crate) struct Ready {
    jobs: watch::Receiver<bool>,
    pods: watch::Receiver<bool>,
}

impl Ready {
    /// Wait until both are; false when they will never be.
    pub(crate) async fn wait(&mut self) -> bool {
        self.jobs.wait_for(|ready| *ready).await.is_ok() && self.pods.wait_for(|ready| *ready).await.is_ok()
    }
}

/// Start all watches in `tasks`.
pub(crate) fn start(
    tasks: &mut JoinSet<()>,
    client: &Client,
    namespace: &str,
    instance: InstanceId,
    cache: &Arc<Cache>,
) -> Ready {
    let ours = watcher::Config::default().labels(&format!("{INSTANCE}={instance}"));
    let (jobs_ready, jobs) = watch::channel(false);
    let (pods_ready, pods) = watch::channel(false);
    let api: Api<Job> = Api::namespaced(client.clone(), namespace);
    let seen = cache.clone();
    tasks.spawn(follow("jobs", api, ours.clone(), strip_job, move |event| {
        if seen.job_event(event) {
            jobs_ready.send_replace(true);
        }
    }));
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let seen = cache.clone();
    tasks.spawn(follow("pods", api, ours, strip_pod, move |event| {
        if seen.pod_event(event) {
            pods_ready.send_replace(true);
        }
    }));
    for (kind, reason) in [("Job", "FailedCreate"), ("Pod", "Pulling")] {
        let api: Api<ClusterEvent> = Api::namespaced(client.clone(), namespace);
        let selected =
            watcher::Config::default().fields(&format!("involvedObject.kind={kind},reason={reason}"));
        let seen = cache.clone();
        tasks.spawn(follow(
            "events",
            api,
            selected,
            |event| event.metadata.managed_fields = None,
            move |event| {
                seen.cluster_event(event);
            },
        ));
    }
    Ready { jobs, pods }
}

async fn follow<K>(
    what: &'static str,
    api: Api<K>,
    config: watcher::Config,
    strip: fn(&mut K),
    mut take: impl FnMut(Event<K>),
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let events = watcher(api, config);
    pin_mut!(events);
    let mut pause = PAUSES.0;
    // Breaks without an event between them, and whether they were told.
    let (mut breaks, mut told) = (0, false);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if told {
                    tracing::info!(what, "the cluster can be watched again");
                }
                (breaks, told) = (0, false);
                pause = PAUSES.0;
                take(event.modify(strip));
            }
            Err(error) => {
                breaks += 1;
                if !told && is_worth_a_word(&error, breaks) {
                    tracing::warn!(
                        what,
                        error = &error as &dyn std::error::Error,
                        "can't watch the cluster; trying again"
                    );
                    told = true;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

/// A cluster that is away is told by others, once for all that concerns; and any watch may break off, if the next holds.
fn is_worth_a_word(error: &watcher::Error, breaks: u32) -> bool {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(error) | WatchStartFailed(error) => !fault::is_away(error),
        WatchFailed(_) => breaks > 1,
        // What happened since was compacted: the list that follows makes up for it, or is told.
        WatchError(status) if status.code == 410 => false,
        _ => true,
    }
}
