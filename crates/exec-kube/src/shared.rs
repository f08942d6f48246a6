//! What all parts of the executor use.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{Api, Client, api::ListParams};
use rutter_core::{
    clock::Clock,
    executor::{ExecutorError, Observation},
    id::{InstanceId, LaunchName},
};
use tokio::{sync::Semaphore, time::error::Elapsed};

use crate::{
    adopted,
    cache::{Cache, Known, belongs},
    config::KubernetesConfig,
    fault,
    identity::Keys,
    names::{is_adopted, launch_of},
    observe::{Notes, Seen, observe},
    program::Programs,
    reach::Reach,
};

/// Label that Kubernetes gives to the pods of a Job.
const JOB_NAME: &str = "batch.kubernetes.io/job-name";

pub(crate) struct Shared {
    pub(crate) config: KubernetesConfig,
    pub(crate) instance: InstanceId,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) client: Client,
    pub(crate) jobs: Api<Job>,
    pub(crate) pods: Api<Pod>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) reach: Arc<Reach>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) creates: Semaphore,
    pub(crate) programs: Programs,
    /// Launches of which the last try to create them failed, so that nobody knows whether there is a Job.
    unsure: Mutex<HashSet<LaunchName>>,
    /// Whether it was said that pods may not be deleted.
    pub(crate) told_of_pods: AtomicBool,
    /// Adopted launches that are over and of which no pod is left, by a consistent read.
    podless: Mutex<HashSet<LaunchName>>,
}

impl Shared {
    pub(crate) fn new(
        config: KubernetesConfig,
        instance: InstanceId,
        clock: Arc<dyn Clock>,
        client: Client,
        cache: Arc<Cache>,
        reach: Arc<Reach>,
    ) -> Self {
        Self {
            jobs: Api::namespaced(client.clone(), &config.namespace),
            pods: Api::namespaced(client.clone(), &config.namespace),
            creates: Semaphore::new(config.creates_in_flight.max(1)),
            keys: Arc::default(),
            programs: Programs::new(&config, &client),
            unsure: Mutex::default(),
            told_of_pods: AtomicBool::new(false),
            podless: Mutex::default(),
            config,
            instance,
            clock,
            client,
            cache,
            reach,
        }
    }

    /// What there is of a launch: by the watch, or else by a consistent read.
    pub(crate) async fn observe(&self, launch: LaunchName) -> Result<Option<Observation>, ExecutorError> {
        if let Some(known) = self.cache.known(launch) {
            if launch_of(&known.job, self.instance).is_none() {
                return Ok(None);
            }
            return adopted::observe(self, launch, &known).await.map(Some);
        }
        let Some(job) = self.job(launch).await? else { return Ok(None) };
        let pods = self.pods_of(launch).await?.into_iter().filter(|pod| belongs(pod, &job)).map(Arc::new);
        let known = Known { pods: pods.collect(), job: Arc::new(job), notes: Notes::default() };
        Ok(Some(self.seen(&known)))
    }

    pub(crate) fn seen(&self, known: &Known) -> Observation {
        observe(&self.look(known))
    }

    pub(crate) fn look<'a>(&self, known: &'a Known) -> Seen<'a> {
        Seen {
            job: &known.job,
            pods: &known.pods,
            notes: &known.notes,
            now: self.clock.now(),
            // Who made an adopted Job did not limit its waiting.
            pending_budget: if is_adopted(&known.job) { Duration::MAX } else { self.config.pending_budget },
        }
    }

    /// The Job of a launch as the cluster has it now, if it is this instance's.
    pub(crate) async fn job(&self, launch: LaunchName) -> Result<Option<Job>, ExecutorError> {
        let found =
            self.jobs.get_opt(&self.name_of(launch)).await.map_err(fault::unavailable("look up a job"))?;
        Ok(found.filter(|job| launch_of(job, self.instance) == Some(launch)))
    }

    /// The name of a launch's Job.
    pub(crate) fn name_of(&self, launch: LaunchName) -> String {
        self.cache.name_of(launch)
    }

    /// All pods that have the label of a launch's Job.
    pub(crate) async fn pods_of(&self, launch: LaunchName) -> Result<Vec<Pod>, ExecutorError> {
        let selected = ListParams::default().labels(&format!("{JOB_NAME}={}", self.name_of(launch)));
        let found =
            self.pods.list(&selected).await.map_err(fault::unavailable("look up the pods of a job"))?;
        Ok(found.items)
    }

    /// A call had no answer in time.
    pub(crate) fn late(&self, doing: &'static str, elapsed: Elapsed) -> ExecutorError {
        self.reach.failed("no answer in time");
        fault::away(doing)(elapsed)
    }

    pub(crate) fn unsure(&self) -> MutexGuard<'_, HashSet<LaunchName>> {
        self.unsure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn podless(&self) -> MutexGuard<'_, HashSet<LaunchName>> {
        self.podless.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("config", &self.config)
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}
