//! Pods of 52North's whose Jobs were deleted: they hang until somebody takes their finalizer off, and no job can be made of them.
//! Their log is kept in a file.

use std::{collections::HashSet, path::Path};

use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{Api, Client, api::LogParams};

use super::{refused, waits_for_reader};
use crate::{
    adopted::THEIR_FINALIZER,
    connect::OpenError,
    ending::take_off,
    names::{launch_of_adopted, owner_of},
};

/// Their names.
pub(super) fn among(pods: &[Pod], jobs: &[Job], prefix: &str) -> Vec<String> {
    let there: HashSet<&str> = jobs.iter().filter_map(|job| job.metadata.uid.as_deref()).collect();
    let is_orphan = |pod: &&Pod| {
        let Some((job, uid)) = owner_of(pod) else { return false };
        let is_theirs = job.starts_with(prefix) && launch_of_adopted(job).is_some();
        is_theirs && waits_for_reader(pod) && !there.contains(uid)
    };
    pods.iter().filter(is_orphan).filter_map(|pod| pod.metadata.name.clone()).collect()
}

/// Keep their logs, then let them go. Gives how many.
pub(super) async fn let_go(
    client: &Client,
    namespace: &str,
    names: &[String],
    logs: &Path,
) -> Result<usize, OpenError> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut count = 0;
    for name in names {
        let Some(pod) = api.get_opt(name).await.map_err(refused("look up a pod"))? else { continue };
        keep_log(&api, name, &pod, logs).await?;
        take_off(&api, pod, THEIR_FINALIZER)
            .await
            .map_err(refused("let a pod go (needs `patch` of `pods`)"))?;
        count += 1;
    }
    Ok(count)
}

async fn keep_log(api: &Api<Pod>, name: &str, pod: &Pod, logs: &Path) -> Result<(), OpenError> {
    let program = pod.spec.as_ref().and_then(|spec| spec.containers.first()).map(|it| it.name.clone());
    let parameters = LogParams { container: program, ..LogParams::default() };
    let text = match api.logs(name, &parameters).await {
        Ok(text) => text,
        // What its machine does not have any more, nobody will ever read.
        Err(error) => {
            tracing::warn!(
                pod = name,
                error = &error as &dyn std::error::Error,
                "the log of a pod can't be read any more"
            );
            return Ok(());
        }
    };
    let path = logs.join(format!("{name}.log"));
    let written = std::fs::create_dir_all(logs).and_then(|()| std::fs::write(&path, text));
    written.map_err(refused("keep the log of a pod in the data folder"))
}
