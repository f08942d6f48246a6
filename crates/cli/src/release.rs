//! `rutter release`: lets go of the Jobs of an installation, so that they and their namespace can be deleted.
//!
//! Every Job has a finalizer until its job is archived. Once the server is uninstalled nobody takes it off.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use clap::Args;
use rutter_core::{
    archive,
    clock::{Clock, SystemClock},
    id::InstanceId,
    process::UnitKind,
    results::Objects,
};
use rutter_store::SqliteStore;

use crate::{
    config::{Config, ExecutorKind},
    serve,
};

/// Arguments of `rutter release`.
#[derive(Args, Debug)]
pub(crate) struct ReleaseArgs {
    /// Configuration file of the server; ./rutter.yaml when it exists.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the server's data [default: as configured].
    #[arg(long, value_name = "DIR", conflicts_with = "instance")]
    data: Option<PathBuf>,
    /// Id of the installation, where its data are lost: the label `rutter.dev/instance` of its Jobs.
    #[arg(long, value_name = "ID")]
    instance: Option<InstanceId>,
}

/// Let go of everything, and say of how much.
pub(crate) fn run(args: ReleaseArgs) -> anyhow::Result<ExitCode> {
    let instance = args.instance;
    let read = serve::ServeArgs { config: args.config, data: args.data, ..serve::ServeArgs::default() };
    let config = serve::configuration(read)?;
    if config.executor != ExecutorKind::Kubernetes {
        bail!(
            "`executor` is not kubernetes in this configuration: there is nothing to release; name another with --config"
        );
    }
    serve::runtime()?.block_on(async {
        // Held until the end: a server that starts meanwhile would make further Jobs.
        let mut store = None;
        let instance = match instance {
            Some(instance) => instance,
            None => installation(&config, &mut store).await?,
        };
        let settings = config.kubernetes.executor_config(None);
        let namespace = settings.namespace.clone();
        let left = rutter_exec_kube::leave(&settings, instance)
            .await
            .with_context(|| format!("could not release the Jobs in namespace {namespace}; try again"))?;
        println!("{} Jobs of installation {instance} were released in namespace {namespace}.", left.released);
        if left.unfinished > 0 {
            println!(
                "{} of its Jobs have not ended: delete them with kubectl delete jobs --namespace {namespace} --selector \
                 {}={instance}, or with their namespace.",
                left.unfinished,
                rutter_exec_kube::INSTANCE,
            );
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Whose data these are; takes the store, so that no server uses it meanwhile.
async fn installation(config: &Config, store: &mut Option<SqliteStore>) -> anyhow::Result<InstanceId> {
    let data = std::path::absolute(config.data.clone().unwrap_or_else(|| "rutter-data".into()))?;
    let folder = data.join("objects");
    if !folder.join("instance.json").is_file() {
        bail!(
            "{} holds no installation; name its folder with --data, or its id with --instance",
            data.display()
        );
    }
    let taken =
        serve::open_store(&data).await.context("stop the server first: it would make further Jobs")?;
    let objects = Objects::in_folder(&folder)?;
    let keys_from = serve::settings(config, false, UnitKind::Docker.into()).keys_from(SystemClock.now());
    let instance = archive::open(&*store.insert(taken), &objects, keys_from).await?;
    Ok(instance)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn released(yaml: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("rutter.yaml");
        std::fs::write(&config, yaml).unwrap();
        let args =
            ReleaseArgs { config: Some(config), data: Some(folder.path().join("data")), instance: None };
        format!("{:#}", run(args).unwrap_err())
    }

    #[test]
    fn what_is_not_there_is_told_and_not_made() {
        assert!(released("executor: local").contains("nothing to release"));
        let told =
            released("{executor: kubernetes, kubernetes: {agentImage: 'a:1', serverUrl: 'http://rutter'}}");
        assert!(told.contains("holds no installation") && told.contains("--instance"), "{told}");
    }
}
