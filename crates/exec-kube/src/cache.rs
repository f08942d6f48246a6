//! What the watches show of this instance's launches, and who is told when it changes.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{Event as ClusterEvent, Pod},
};
use kube::runtime::watcher::Event;
use rutter_core::{
    executor::{AttemptName, LaunchEnd},
    id::{InstanceId, JobId, LaunchName},
};
use tokio::sync::mpsc;

use crate::{
    kept::Kept,
    names::{self, FINALIZER, job_name},
    observe::{self, Notes},
    records,
};

/// Everything seen.
#[derive(Debug)]
pub(crate) struct Cache {
    instance: InstanceId,
    changes: mpsc::UnboundedSender<LaunchName>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    jobs: Kept<Job>,
    /// Names of Jobs that another system made, by the ids of their jobs.
    adopted: HashMap<JobId, String>,
    pods: Kept<Pod>,
    /// Names of pods by the name of their Job.
    pods_of: HashMap<String, BTreeSet<String>>,
    /// Why the cluster makes no pods, by the name of the Job.
    refused: HashMap<String, String>,
    /// Names of pods for which an image is fetched.
    pulling: HashSet<String>,
    /// How pods ended that are gone, by uid, by the name of their Job while that is there.
    gone: HashMap<String, HashMap<String, LaunchEnd>>,
}

/// What is known of one launch.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) job: Arc<Job>,
    pub(crate) pods: Vec<Arc<Pod>>,
    pub(crate) notes: Notes,
}

impl Cache {
    pub(crate) fn new(instance: InstanceId, changes: mpsc::UnboundedSender<LaunchName>) -> Self {
        Self { instance, changes, state: Mutex::default() }
    }

    /// What is known of a launch.
    pub(crate) fn known(&self, launch: LaunchName) -> Option<Known> {
        let state = self.state();
        let job = state.jobs.get(&state.name_of(launch))?;
        Some(state.known(job))
    }

    /// The name of a launch's Job.
    pub(crate) fn name_of(&self, launch: LaunchName) -> String {
        self.state().name_of(launch)
    }

    /// Of every launch of this instance.
    pub(crate) fn all(&self) -> Vec<(LaunchName, Known)> {
        let state = self.state();
        let ours = state.jobs.all().filter_map(|job| Some((names::launch_of(job, self.instance)?, job)));
        ours.map(|(launch, job)| (launch, state.known(job))).collect()
    }

    /// Whether the record of how it ended is on a launch's Job.
    pub(crate) fn has_record(&self, name: LaunchName) -> bool {
        let Some(known) = self.known(name) else { return false };
        known.job.metadata.annotations.as_ref().is_some_and(|found| found.contains_key(records::ENDED))
    }

    /// Launches that were not released yet; `records` = Jobs have the records of their jobs, unless those are still to be made.
    pub(crate) fn unreleased(&self, records: bool) -> Vec<LaunchName> {
        let state = self.state();
        let held = state.jobs.all().filter(|job| is_held(job, records));
        let mut launches: Vec<_> = held.filter_map(|job| names::launch_of(job, self.instance)).collect();
        launches.sort_unstable();
        launches
    }

    /// How an attempt ended, whether its pod is there or gone.
    pub(crate) fn end_of(&self, attempt: &AttemptName) -> Option<LaunchEnd> {
        let state = self.state();
        let name = state.name_of(attempt.launch);
        if let Some(end) = state.gone.get(&name).and_then(|gone| gone.get(&attempt.uid)) {
            return Some(end.clone());
        }
        let pods = state.pods_of.get(&name)?.iter().filter_map(|pod| state.pods.get(pod));
        let pod = pods.into_iter().find(|pod| pod.metadata.uid.as_deref() == Some(&attempt.uid))?;
        observe::end_of(pod)
    }

    pub(crate) fn pod(&self, name: &str) -> Option<Arc<Pod>> {
        self.state().pods.get(name).cloned()
    }

    /// A pod that was just found, before the watch shows it.
    pub(crate) fn add_pod(&self, mut pod: Pod) {
        strip_pod(&mut pod);
        let mut state = self.state();
        state.pods.add(pod.clone());
        state.note_pod(&pod);
    }

    /// A Job that was just created.
    pub(crate) fn add(&self, mut job: Job) {
        strip_job(&mut job);
        self.state().jobs.add(job);
    }

    /// Tell that a launch is worth a look.
    pub(crate) fn tell(&self, launch: LaunchName) {
        let _ = self.changes.send(launch);
    }

    /// A Job changed. True when everything that there was at the start is known.
    pub(crate) fn job_event(&self, event: Event<Job>) -> bool {
        let mut state = self.state();
        let news = state.jobs.take(event);
        for job in &news.changed {
            let name = job.metadata.name.as_deref().unwrap_or_default();
            let launch = names::launch_of(job, self.instance).filter(|_| names::is_adopted(job));
            if state.jobs.get(name).is_none() {
                state.refused.remove(name);
                state.gone.remove(name);
                launch.and_then(|launch| state.adopted.remove(&launch.job));
            } else if let Some(launch) = launch {
                state.adopted.insert(launch.job, name.to_owned());
            }
        }
        drop(state);
        for launch in news.changed.iter().filter_map(|job| names::launch_of(job, self.instance)) {
            self.tell(launch);
        }
        news.complete
    }

    /// A pod changed.
    pub(crate) fn pod_event(&self, event: Event<Pod>) -> bool {
        let mut state = self.state();
        let news = state.pods.take(event);
        let mut launches = BTreeSet::new();
        for pod in &news.changed {
            launches.extend(state.note_pod(pod));
        }
        drop(state);
        launches.into_iter().for_each(|launch| self.tell(launch));
        news.complete
    }

    /// The cluster told of something; only two kinds of events are asked for.
    pub(crate) fn cluster_event(&self, event: Event<ClusterEvent>) -> bool {
        let event = match event {
            Event::Apply(event) | Event::InitApply(event) => event,
            Event::InitDone => return true,
            Event::Init | Event::Delete(_) => return false,
        };
        let Some(name) = event.involved_object.name else { return false };
        let mut state = self.state();
        let launch = match event.reason.as_deref() {
            Some("FailedCreate") if state.jobs.get(&name).is_some() => {
                let message = event.message.unwrap_or_default();
                tracing::warn!(job = name, reason = message, "the cluster makes no pod of a job");
                let launch = names::launch_of_either(&name);
                state.refused.insert(name, message);
                launch
            }
            Some("Pulling") => match state.pods.get(&name).cloned() {
                Some(pod) if state.pulling.insert(name) => launch_of_pod(&pod),
                _ => None,
            },
            _ => None,
        };
        drop(state);
        launch.into_iter().for_each(|launch| self.tell(launch));
        false
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn name_of(&self, launch: LaunchName) -> String {
        self.adopted.get(&launch.job).cloned().unwrap_or_else(|| job_name(launch))
    }

    fn known(&self, job: &Arc<Job>) -> Known {
        let name = job.metadata.name.as_deref().unwrap_or_default();
        let named = self.pods_of.get(name).into_iter().flatten();
        let pods = named.filter_map(|pod| self.pods.get(pod)).filter(|pod| belongs(pod, job)).cloned();
        let pods: Vec<_> = pods.collect();
        let pulling =
            pods.iter().any(|pod| self.pulling.contains(pod.metadata.name.as_deref().unwrap_or_default()));
        let gone = || self.gone.get(name).into_iter().flatten();
        let disrupted = gone().filter(|(_, end)| is_disruption(end)).map(|(uid, _)| uid.clone());
        let notes = Notes {
            refused: self.refused.get(name).cloned(),
            pulling,
            disrupted: disrupted.collect(),
            lost: gone().any(|(_, end)| *end == LaunchEnd::NodeLost),
        };
        Known { job: job.clone(), pods, notes }
    }

    /// Keep the index of pods true; gives the launch.
    fn note_pod(&mut self, pod: &Pod) -> Option<LaunchName> {
        let name = pod.metadata.name.as_deref()?;
        let (job, _) = names::owner_of(pod)?;
        if self.pods.get(name).is_some() {
            self.refused.remove(job);
            self.pods_of.entry(job.to_owned()).or_default().insert(name.to_owned());
        } else {
            self.pulling.remove(name);
            self.note_end(job, pod);
            let pods = self.pods_of.get_mut(job);
            if pods.is_some_and(|pods| pods.remove(name) && pods.is_empty()) {
                self.pods_of.remove(job);
            }
        }
        names::launch_of_either(job)
    }
}

impl State {
    /// A pod is gone. Whoever comes after it may ask how it ended, and its Job may count it.
    fn note_end(&mut self, job: &str, pod: &Pod) {
        let known = self.jobs.get(job).is_some_and(|job| belongs(pod, job));
        if let (true, Some(uid), Some(end)) = (known, &pod.metadata.uid, observe::end_of(pod)) {
            self.gone.entry(job.to_owned()).or_default().insert(uid.clone(), end);
        }
    }
}

fn is_disruption(end: &LaunchEnd) -> bool {
    matches!(end, LaunchEnd::Disrupted { .. } | LaunchEnd::NodeLost)
}

fn launch_of_pod(pod: &Pod) -> Option<LaunchName> {
    names::launch_of_either(names::owner_of(pod)?.0)
}

/// Whether a pod is of this very Job, not of an earlier one of its name.
pub(crate) fn belongs(pod: &Pod, job: &Job) -> bool {
    names::owner_of(pod).is_some_and(|(_, uid)| job.metadata.uid.as_deref() == Some(uid))
}

pub(crate) fn has_finalizer(job: &Job) -> bool {
    job.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}

/// Whether something is still to be done about a Job. To one that was being deleted no finalizer can be given.
fn is_held(job: &Job, records: bool) -> bool {
    let has_record =
        || job.metadata.annotations.as_ref().is_some_and(|found| found.contains_key(records::ENDED));
    let is_open = || job.metadata.deletion_timestamp.is_some() || (records && !has_record());
    has_finalizer(job) || (names::is_adopted(job) && is_open())
}

/// What nobody reads is not kept: with thousands of Jobs it would be most of the memory.
pub(crate) fn strip_job(job: &mut Job) {
    job.metadata.managed_fields = None;
    if let Some(annotations) = &mut job.metadata.annotations {
        annotations.retain(|name, _| name != records::ORDER && name != records::FINAL);
    }
    let adopted = names::is_adopted(job);
    if let Some(spec) = &mut job.spec {
        let containers =
            spec.template.spec.as_mut().map(|spec| spec.containers.iter_mut().map(bare).collect());
        spec.template = Default::default();
        if let Some(containers) = containers.filter(|_| adopted) {
            let kept = k8s_openapi::api::core::v1::PodSpec { containers, ..Default::default() };
            spec.template.spec = Some(kept);
        }
        spec.pod_failure_policy = None;
        spec.selector = None;
    }
}

/// As [`strip_job`]: names and images of the containers remain.
pub(crate) fn strip_pod(pod: &mut Pod) {
    pod.metadata.managed_fields = None;
    pod.metadata.annotations = None;
    let Some(spec) = &mut pod.spec else { return };
    let mut kept =
        k8s_openapi::api::core::v1::PodSpec { node_name: spec.node_name.take(), ..Default::default() };
    for (from, to) in [
        (Some(&mut spec.containers), &mut kept.containers),
        (spec.init_containers.as_mut(), kept.init_containers.get_or_insert_default()),
    ] {
        *to = from.into_iter().flatten().map(bare).collect();
    }
    *spec = kept;
}

fn bare(container: &mut k8s_openapi::api::core::v1::Container) -> k8s_openapi::api::core::v1::Container {
    k8s_openapi::api::core::v1::Container {
        name: std::mem::take(&mut container.name),
        image: container.image.take(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests;
