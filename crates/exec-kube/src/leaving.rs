//! Leaving a cluster for good: without a server nobody archives Jobs, and with our finalizer they, and their namespace, could
//! never be deleted.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::batch::v1::Job;
use kube::{Api, api::ListParams};
use rutter_core::id::InstanceId;

use crate::{
    cache::has_finalizer,
    config::KubernetesConfig,
    connect::{OpenError, connect},
    ending::let_go,
    names::{INSTANCE, launch_of},
    observe::is_finished,
};

/// Jobs of one answer.
const PAGE: u32 = 500;
/// Jobs that are let go at the same time.
const AT_ONCE: usize = 16;

/// What was let go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Jobs that had our finalizer.
    pub released: usize,
    /// Jobs of the instance that have not ended: they go on until somebody deletes them.
    pub unfinished: usize,
}

/// Take our finalizer off every Job of an instance. Nothing is deleted, and nothing of anybody else is touched. The instance's
/// server must have stopped: it would make further Jobs.
///
/// # Errors
/// The settings can't be used, or the cluster does not answer or refuses; what was let go by then stays so.
pub async fn leave(config: &KubernetesConfig, instance: InstanceId) -> Result<Left, OpenError> {
    config.validate()?;
    let jobs: Api<Job> = Api::namespaced(connect(&config.access, &Arc::default()).await?, &config.namespace);
    let mut left = Left::default();
    let mut page = ListParams::default().labels(&format!("{INSTANCE}={instance}")).limit(PAGE);
    loop {
        let found = jobs.list(&page).await.map_err(refused("list the jobs of this installation"))?;
        let ours: Vec<Job> =
            found.items.into_iter().filter(|job| launch_of(job, instance).is_some()).collect();
        left.unfinished += ours.iter().filter(|job| !is_finished(job)).count();
        let held: Vec<Job> = ours.into_iter().filter(has_finalizer).collect();
        left.released += held.len();
        let letting_go =
            stream::iter(held).map(Ok).try_for_each_concurrent(AT_ONCE, |job| let_go(&jobs, job));
        letting_go.await.map_err(refused("release a job of this installation"))?;
        match found.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page.continue_token = Some(token),
            None => return Ok(left),
        }
    }
}

fn refused<E>(doing: &'static str) -> impl FnOnce(E) -> OpenError
where
    E: std::error::Error + Send + Sync + 'static,
{
    move |error| OpenError::Cluster { doing, source: error.into() }
}
