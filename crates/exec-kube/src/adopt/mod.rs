//! Taking over the Jobs of 52North's and EOX's servers: only when the operator asks, and after a look at what there is.
//!
//! A Job is given to an instance by one patch, which is all that is decided here: labels by which the instance's server knows it
//! for its own from then on, whenever that runs. Whoever is killed in between does the rest the next time.

mod orphans;
mod recognise;

use std::{collections::HashMap, path::Path};

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams},
    core::Resource,
};
use rutter_core::{
    executor::Adopted,
    id::{InstanceId, JobId},
};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{
    adopted::{THEIR_FINALIZER, told_by},
    config::KubernetesConfig,
    connect::{OpenError, connect},
    fault,
    names::{ADOPTED, FINALIZER, INSTANCE, owner_of},
    observe::{end_of_job, is_finished},
};
use recognise::recognise;

pub use recognise::System;

/// Objects of one answer.
const PAGE: u32 = 500;
/// Jobs that are given away at the same time.
const AT_ONCE: usize = 16;
/// How often a Job is tried that somebody changes meanwhile.
const TRIES: u32 = 6;
/// Pieces of the names of images of servers that make such Jobs.
const SERVERS: [&str; 3] = ["pygeoapi-k8s-manager", "pygeoapi-kubernetes-papermill", "pygeoapi-eoxhub"];

/// What there is in a namespace.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Jobs of the other systems, oldest first.
    pub jobs: Vec<TheirJob>,
    /// Jobs that have the prefix and are nobody's that is known: their names, and why.
    pub strangers: Vec<(String, String)>,
    /// Jobs of other names.
    pub others: usize,
    /// Pods that wait for 52North's server to read their log, and whose Jobs are gone.
    pub orphans: Vec<String>,
    /// Pods in which such a server seems to run, with their images.
    pub servers: Vec<(String, String)>,
}

/// A Job of another system.
#[derive(Clone, Debug)]
pub struct TheirJob {
    /// Its name.
    pub name: String,
    /// Id of its job.
    pub id: JobId,
    /// Who made it.
    pub system: System,
    /// What stands on it.
    pub told: Adopted,
    /// How it is.
    pub state: TheirState,
    /// What there is of its pod.
    pub pod: PodLeft,
    /// The instance that it belongs to: the label as it is.
    pub belongs_to: Option<String>,
}

/// How a Job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TheirState {
    /// Has not ended.
    Active,
    /// Ended well.
    Successful,
    /// Ended badly.
    Failed,
}

/// What there is of a Job's pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodLeft {
    /// Nothing.
    Gone,
    /// It is there.
    There,
    /// It is to be deleted, and waits for 52North's server to read its log.
    Hangs,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adopting {
    /// Jobs given to the instance.
    pub jobs: usize,
    /// Pods without a Job that were let go.
    pub orphans: usize,
}

impl TheirJob {
    /// Whether there is anything to adopt: it is nobody's, and has not ended before `ended_after`.
    pub fn is_free(&self, ended_after: Timestamp) -> bool {
        self.belongs_to.is_none() && self.told.ended.is_none_or(|ended| ended > ended_after)
    }
}

/// Look, and change nothing; `prefix` = beginning of the names of 52North's Jobs.
///
/// # Errors
/// The settings can't be used, or the cluster does not answer or refuses.
pub async fn survey(config: &KubernetesConfig, prefix: &str) -> Result<Survey, OpenError> {
    config.validate()?;
    look(&reach(config).await?, &config.namespace, prefix).await
}

/// Give every Job of the other systems to an instance, but those that ended before `ended_after`. What pods without a Job have
/// printed is written into the folder `logs`, then they are let go.
///
/// # Errors
/// As of [`survey`]; what was given by then stays so.
pub async fn adopt(
    config: &KubernetesConfig,
    prefix: &str,
    instance: InstanceId,
    ended_after: Timestamp,
    logs: &Path,
) -> Result<Adopting, OpenError> {
    config.validate()?;
    let client = reach(config).await?;
    let found = look(&client, &config.namespace, prefix).await?;
    let api: Api<Job> = Api::namespaced(client.clone(), &config.namespace);
    let free: Vec<&TheirJob> = found.jobs.iter().filter(|theirs| theirs.is_free(ended_after)).collect();
    let giving =
        stream::iter(free).map(|theirs| give(&api, theirs, prefix, instance)).buffer_unordered(AT_ONCE);
    let given: Vec<bool> = giving.try_collect().await.map_err(refused("give a Job to this installation"))?;
    let orphans = orphans::let_go(&client, &config.namespace, &found.orphans, logs).await?;
    Ok(Adopting { jobs: given.into_iter().filter(|given| *given).count(), orphans })
}

async fn reach(config: &KubernetesConfig) -> Result<Client, OpenError> {
    connect(&config.access, &std::sync::Arc::default()).await
}

async fn look(client: &Client, namespace: &str, prefix: &str) -> Result<Survey, OpenError> {
    let pods: Vec<Pod> =
        all(&Api::namespaced(client.clone(), namespace)).await.map_err(refused("list pods"))?;
    let jobs: Vec<Job> =
        all(&Api::namespaced(client.clone(), namespace)).await.map_err(refused("list Jobs"))?;
    Ok(of(&jobs, &pods, prefix))
}

async fn all<K>(api: &Api<K>) -> Result<Vec<K>, kube::Error>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut found = Vec::new();
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let listed = api.list(&page).await?;
        found.extend(listed.items);
        match listed.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page.continue_token = Some(token),
            None => return Ok(found),
        }
    }
}

/// What the objects of a namespace are.
fn of(jobs: &[Job], pods: &[Pod], prefix: &str) -> Survey {
    let pod_of: HashMap<&str, &Pod> = pods.iter().filter_map(|pod| Some((owner_of(pod)?.1, pod))).collect();
    let mut survey =
        Survey { orphans: orphans::among(pods, jobs, prefix), servers: servers(pods), ..Survey::default() };
    for job in jobs {
        let name = job.metadata.name.clone().unwrap_or_default();
        match recognise(job, prefix) {
            None => survey.others += 1,
            Some(Err(why)) => survey.strangers.push((name, why.to_string())),
            Some(Ok((system, id))) => {
                let pod = job.metadata.uid.as_deref().and_then(|uid| pod_of.get(uid));
                survey.jobs.push(theirs(job, name, system, id, pod.copied()));
            }
        }
    }
    survey.strangers.sort();
    survey.jobs.sort_by_key(|job| (job.told.began, job.id));
    survey
}

fn theirs(job: &Job, name: String, system: System, id: JobId, pod: Option<&Pod>) -> TheirJob {
    let state = match (is_finished(job), end_of_job(job)) {
        (false, _) => TheirState::Active,
        (true, rutter_core::executor::LaunchEnd::Exited { .. }) => TheirState::Successful,
        (true, _) => TheirState::Failed,
    };
    let pod = match pod {
        None => PodLeft::Gone,
        Some(pod) if pod.metadata.deletion_timestamp.is_some() && waits_for_reader(pod) => PodLeft::Hangs,
        Some(_) => PodLeft::There,
    };
    let labels = job.metadata.labels.as_ref();
    TheirJob {
        name,
        id,
        system,
        told: told_by(job, system == System::Eox),
        state,
        pod,
        belongs_to: labels.and_then(|labels| labels.get(INSTANCE)).cloned(),
    }
}

fn waits_for_reader(pod: &Pod) -> bool {
    pod.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == THEIR_FINALIZER)
}

fn servers(pods: &[Pod]) -> Vec<(String, String)> {
    let image = |pod: &Pod| {
        let runs = pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running");
        let mut containers = pod.spec.iter().filter(|_| runs).flat_map(|spec| &spec.containers);
        containers
            .find_map(|it| it.image.clone().filter(|image| SERVERS.iter().any(|piece| image.contains(piece))))
    };
    pods.iter().filter_map(|pod| Some((pod.metadata.name.clone()?, image(pod)?))).collect()
}

/// One patch, of the Job as it was looked at. `false` = it is gone, or somebody else's by now.
async fn give(
    api: &Api<Job>,
    theirs: &TheirJob,
    prefix: &str,
    instance: InstanceId,
) -> Result<bool, kube::Error> {
    for _ in 0..TRIES {
        let Some(job) = api.get_opt(&theirs.name).await? else { return Ok(false) };
        let is_theirs = matches!(recognise(&job, prefix), Some(Ok((_, id))) if id == theirs.id);
        let is_free = job.metadata.labels.as_ref().is_none_or(|labels| !labels.contains_key(INSTANCE));
        if !is_theirs || !is_free {
            return Ok(false);
        }
        match api.patch(&theirs.name, &PatchParams::default(), &gift(&job, theirs.system, instance)).await {
            Err(error) if fault::is_conflict(&error) => {}
            Err(error) if fault::is_gone(&error) => return Ok(false),
            given => return given.map(|_| true),
        }
    }
    // It changes all the time; another start, or another call, finds it.
    Ok(false)
}

fn gift(job: &Job, system: System, instance: InstanceId) -> Patch<serde_json::Value> {
    let mut finalizers: Vec<&str> = job.metadata.finalizers.iter().flatten().map(String::as_str).collect();
    // One that is being deleted takes no further finalizer; it stays until its pod is let go.
    if job.metadata.deletion_timestamp.is_none() && !finalizers.contains(&FINALIZER) {
        finalizers.push(FINALIZER);
    }
    Patch::Merge(json!({"metadata": {
        "resourceVersion": job.metadata.resource_version,
        "labels": {INSTANCE: instance.to_string(), ADOPTED: system.label()},
        "finalizers": finalizers,
    }}))
}

fn refused<E>(doing: &'static str) -> impl FnOnce(E) -> OpenError
where
    E: std::error::Error + Send + Sync + 'static,
{
    move |error| OpenError::Cluster { doing, source: error.into() }
}

#[cfg(test)]
mod tests;
