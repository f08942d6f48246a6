//! The executor itself: every launch one Job, every call repeatable.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};
use rutter_core::{
    clock::Clock,
    executor::{
        Adopted, AloneAttempt, AttemptName, Executor, ExecutorError, LaunchEnd, Observation, Printed,
        Results, Waiting,
    },
    id::{InstanceId, LaunchName},
    plan::Plan,
};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use crate::{
    adopted, alone,
    cache::Cache,
    config::KubernetesConfig,
    connect::{self, OpenError, connect},
    ending, fault, identity, launching,
    names::is_adopted,
    patrol::patrol,
    reach::Reach,
    records,
    shared::Shared,
    watch,
};

/// Longest time for a call that may need several answers of the cluster.
const ANSWER: Duration = Duration::from_secs(30);
/// Longest time for learning what there is.
const FIRST_LOOK: Duration = Duration::from_secs(60);

/// Runs launches as Jobs of a Kubernetes cluster.
#[derive(Debug)]
pub struct KubernetesExecutor {
    shared: Arc<Shared>,
    place: String,
    by_name: String,
    changes: Mutex<Option<mpsc::UnboundedReceiver<LaunchName>>>,
    /// Ends with the executor.
    _tasks: JoinSet<()>,
}

impl KubernetesExecutor {
    /// Connect, and learn what there is of this instance. Needs a Tokio runtime.
    ///
    /// # Errors
    /// The settings can't be used, or the cluster does not answer or refuses.
    pub async fn open(
        config: KubernetesConfig,
        instance: InstanceId,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        config.validate()?;
        let reach = Arc::new(Reach::default());
        let client = connect(&config.access, &reach).await?;
        let by_name = format!("{} {}", connect::url_of(&config.access).await?, config.namespace);
        let place = place(&client, &config.namespace, &by_name).await?;
        let (sender, changes) = mpsc::unbounded_channel();
        let cache = Arc::new(Cache::new(instance, sender));
        let mut tasks = JoinSet::new();
        let mut ready = watch::start(&mut tasks, &client, &config.namespace, instance, &cache);
        let shared = Arc::new(Shared::new(config, instance, clock, client, cache, reach));
        let refused =
            |doing| move |source: ExecutorError| OpenError::Cluster { doing, source: source.into() };
        if shared.config.agents {
            shared.keys.read(&shared.client).await.map_err(refused("read the keys of service accounts"))?;
        }
        let late = |source| OpenError::Cluster { doing: "watch jobs and pods", source };
        match timeout(FIRST_LOOK, ready.wait()).await {
            Ok(true) => {}
            Ok(false) => return Err(late("the watch ended".into())),
            Err(elapsed) => return Err(late(elapsed.into())),
        }
        tasks.spawn(patrol(shared.clone()));
        Ok(Self { shared, place, by_name, changes: Mutex::new(Some(changes)), _tasks: tasks })
    }

    /// A cluster that takes a call and never answers it must not hold up all other jobs.
    async fn answered<T>(
        &self,
        doing: &'static str,
        call: impl Future<Output = Result<T, ExecutorError>>,
    ) -> Result<T, ExecutorError> {
        timeout(ANSWER, call).await.unwrap_or_else(|elapsed| Err(self.shared.late(doing, elapsed)))
    }

    /// Which cluster and namespace this is: the same text only for the same ones. Nothing may be concluded about
    /// launches that were made in another place.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The same by names alone: what [`KubernetesExecutor::place`] is for a server that may not read namespaces.
    pub fn place_by_name(&self) -> &str {
        &self.by_name
    }
}

/// Names can be given anew; these identifiers are not. Whoever may not read them is told apart by names.
async fn place(client: &Client, namespace: &str, by_name: &str) -> Result<String, OpenError> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let both = [namespaces.get(namespace).await, namespaces.get("kube-system").await];
    if both.iter().any(|found| found.as_ref().is_err_and(fault::is_forbidden)) {
        tracing::warn!(
            namespace,
            "this server may not read its namespace: a start for another cluster with a namespace of that name would not be noticed; \
             allow `get` of `namespaces` to have it noticed"
        );
        return Ok(by_name.to_owned());
    }
    let [namespace, cluster] = both;
    let uid = |name: &'static str, found: Result<Namespace, kube::Error>| match found {
        Ok(found) => Ok(found.metadata.uid.unwrap_or_default()),
        Err(error) => Err(OpenError::Cluster { doing: name, source: error.into() }),
    };
    let cluster = uid("read the namespace kube-system", cluster)?;
    let namespace = uid("read the namespace of jobs", namespace)?;
    Ok(format!("{cluster}/{namespace}"))
}

#[async_trait]
impl Executor for KubernetesExecutor {
    /// Whatever waits may start: the cluster has a queue of its own.
    fn admit(&self, waiting: &[Waiting]) -> Vec<LaunchName> {
        waiting.iter().map(|waiting| waiting.name).collect()
    }

    async fn launch(&self, name: LaunchName, plan: &Plan) -> Result<(), ExecutorError> {
        launching::launch(&self.shared, name, plan, None).await
    }

    async fn launch_on_record(
        &self,
        name: LaunchName,
        plan: &Plan,
        record: &(dyn Fn() -> Vec<u8> + Send + Sync),
    ) -> Result<(), ExecutorError> {
        let record = self.shared.config.records.then(record);
        launching::launch(&self.shared, name, plan, record.as_deref()).await
    }

    async fn keep_record(
        &self,
        name: LaunchName,
        record: &(dyn Fn(Results) -> Vec<u8> + Send + Sync),
    ) -> Result<(), ExecutorError> {
        if !self.shared.config.records || self.shared.cache.has_record(name) {
            return Ok(());
        }
        self.answered("keep the record of a job", records::keep(&self.shared, name, record, true)).await
    }

    async fn keep_ahead(
        &self,
        name: LaunchName,
        record: &(dyn Fn(Results) -> Vec<u8> + Send + Sync),
    ) -> Result<(), ExecutorError> {
        if !self.shared.config.records {
            return Ok(());
        }
        let kept = records::keep(&self.shared, name, record, false);
        self.answered("keep the results of a job in the cluster", kept).await
    }

    fn keeps_records(&self) -> bool {
        self.shared.config.records
    }

    async fn records(&self) -> Result<Vec<Vec<u8>>, ExecutorError> {
        if self.shared.config.records { records::all(&self.shared).await } else { Ok(Vec::new()) }
    }

    async fn forget(&self, name: LaunchName) -> Result<(), ExecutorError> {
        let forgotten = async {
            let known = self.shared.cache.known(name);
            if self.shared.config.records || known.is_some_and(|known| is_adopted(&known.job)) {
                // It would come back with the next start.
                ending::remove(&self.shared, name).await?;
            }
            ending::release(&self.shared, name).await
        };
        self.answered("forget a job in the cluster", forgotten).await
    }

    async fn end(&self, name: LaunchName, grace: Duration) -> Result<(), ExecutorError> {
        self.answered("end a job in the cluster", ending::end(&self.shared, name, grace)).await
    }

    async fn observe(&self, name: LaunchName) -> Result<Option<Observation>, ExecutorError> {
        self.answered("look up a job", self.shared.observe(name)).await
    }

    async fn list(&self) -> Result<Vec<LaunchName>, ExecutorError> {
        Ok(self.shared.cache.unreleased(self.shared.config.records))
    }

    async fn release(&self, name: LaunchName) -> Result<(), ExecutorError> {
        self.answered("release a job in the cluster", ending::release(&self.shared, name)).await
    }

    fn changes(&self) -> Option<mpsc::UnboundedReceiver<LaunchName>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn alone(&self, name: LaunchName) -> Vec<AloneAttempt> {
        alone::attempts(&self.shared, name)
    }

    async fn printed(&self, attempt: &AttemptName) -> Result<Printed, ExecutorError> {
        alone::printed(&self.shared, attempt).await
    }

    fn adopted(&self, name: LaunchName) -> Option<Adopted> {
        let known = self.shared.cache.known(name)?;
        is_adopted(&known.job).then(|| adopted::told(&known.job))
    }

    async fn identify(&self, token: &str) -> Result<Option<AttemptName>, ExecutorError> {
        self.answered("look up a pod", identity::identify(&self.shared, token)).await
    }

    fn end_of(&self, attempt: &AttemptName) -> Option<LaunchEnd> {
        self.shared.cache.end_of(attempt)
    }
}

#[cfg(test)]
mod tests;
