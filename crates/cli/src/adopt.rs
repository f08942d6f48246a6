//! `rutter adopt`: Jobs that 52North's or EOX's server left in the namespace become jobs of this installation.
//!
//! The command only gives them to it, by labels in the cluster. Its server does the rest: at once where it runs, else when it is
//! started.

mod table;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::{ArgGroup, Args};
use jiff::{SignedDuration, Timestamp};
use rutter_core::{
    clock::{Clock, SystemClock},
    id::InstanceId,
    process::{Process, Processes, Registry, told_as},
};
use rutter_exec_kube::KubernetesConfig;
use serde_json::Value;

use crate::{
    config::{Config, ExecutorKind},
    place, pygeoapi, serve,
};

/// Folder for logs of pods of which no job can be made, in the data folder.
const LOGS: &str = "adopted";

/// Arguments of `rutter adopt`.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("how").required(true).args(["dry_run", "yes"])))]
pub(crate) struct AdoptArgs {
    /// Show what there is and what would be done; nothing is changed.
    #[arg(long)]
    dry_run: bool,
    /// Do it.
    #[arg(long)]
    yes: bool,
    /// Configuration file of the server; ./rutter.yaml when it exists.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// pygeoapi's configuration file, as the server is started with it [env: PYGEOAPI_CONFIG].
    #[arg(long, value_name = "FILE")]
    pygeoapi: Option<PathBuf>,
    /// Folder of the server's data [default: as configured].
    #[arg(long, value_name = "DIR", conflicts_with = "instance")]
    data: Option<PathBuf>,
    /// Id of the installation, where its data can't be seen: the label `rutter.dev/instance` of its Jobs.
    #[arg(long, value_name = "ID")]
    instance: Option<InstanceId>,
}

/// Look, tell, and do it where that is asked.
pub(crate) fn run(args: AdoptArgs) -> anyhow::Result<ExitCode> {
    let read = serve::ServeArgs {
        config: args.config,
        pygeoapi: args.pygeoapi,
        data: args.data,
        ..serve::ServeArgs::default()
    };
    let config = serve::configuration(read)?;
    if config.executor != ExecutorKind::Kubernetes {
        bail!(
            "`executor` is not kubernetes in this configuration: there are no Jobs to adopt; name another with --config"
        );
    }
    let data = std::path::absolute(config.data.clone().unwrap_or_else(|| "rutter-data".into()))?;
    let known = args.instance.map_or_else(|| installation(&config, &data), |named| Ok(Some(named)))?;
    serve::runtime()?.block_on(async {
        let settings = config.kubernetes.executor_config(None);
        let prefix = &config.kubernetes.adopt_prefix;
        let survey = rutter_exec_kube::survey(&settings, prefix).await;
        let survey = survey.with_context(|| failed(&settings))?;
        let names = Names::of(&config)?;
        let since = kept_since(&config);
        print!("{}", table::Table { survey: &survey, names: &names, known, since, config: &config });
        if !args.yes {
            println!("\nNothing was changed: this was a dry run. Do it with --yes.");
            return Ok(ExitCode::SUCCESS);
        }
        let Some(instance) = known else {
            bail!(
                "{} holds no installation: start the server once, or name the folder of its data with --data, or its id with --instance",
                data.display()
            );
        };
        let done = rutter_exec_kube::adopt(&settings, prefix, instance, since, &data.join(LOGS)).await;
        let done = done.with_context(|| failed(&settings))?;
        println!("\n{} Jobs were given to installation {instance}; its server shows them when it runs.", done.jobs);
        if done.orphans > 0 {
            println!("{} pods without a Job were let go; their logs are in {}.", done.orphans, data.join(LOGS).display());
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// The same before a server looks at its Jobs, where the configuration says so.
pub(crate) async fn at_start(
    config: &Config,
    settings: &KubernetesConfig,
    instance: InstanceId,
    data: &Path,
) -> anyhow::Result<()> {
    let prefix = &config.kubernetes.adopt_prefix;
    let survey = rutter_exec_kube::survey(settings, prefix).await.with_context(|| failed(settings))?;
    for (pod, image) in &survey.servers {
        tracing::warn!(
            pod,
            image,
            "kubernetes.adopt: a server of the former system seems to run still: stop it, both would work on the same Jobs"
        );
    }
    let done =
        rutter_exec_kube::adopt(settings, prefix, instance, kept_since(config), &data.join(LOGS)).await;
    let done = done.with_context(|| failed(settings))?;
    if done.jobs > 0 || done.orphans > 0 {
        tracing::info!(jobs = done.jobs, pods = done.orphans, "Jobs of another system were adopted");
    }
    Ok(())
}

fn failed(settings: &KubernetesConfig) -> String {
    format!("could not adopt the Jobs in namespace {}", settings.namespace)
}

/// What ended before would be removed at once.
fn kept_since(config: &Config) -> Timestamp {
    let keep = SignedDuration::from_secs_f64(config.jobs.keep_days * 86400.0);
    SystemClock.now().checked_sub(keep).unwrap_or(Timestamp::MIN)
}

/// Which installation that is, though its server may run; `None` = there is none yet.
fn installation(config: &Config, data: &Path) -> anyhow::Result<Option<InstanceId>> {
    let path = data.join("objects/instance.json");
    match std::fs::read(&path) {
        Ok(text) => {
            let document: Value =
                serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
            let id = document["id"].as_str().and_then(|id| id.parse().ok());
            Ok(Some(id.with_context(|| format!("{}: names no installation", path.display()))?))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(config.kubernetes.records_on_jobs.then(|| serve::new_instance(config)))
        }
        Err(error) => Err(error).with_context(|| format!("{}: can't be read", path.display())),
    }
}

/// What processes are called here.
pub(crate) struct Names {
    of_folders: std::sync::Arc<Processes>,
    of_theirs: Vec<Process>,
}

impl Names {
    fn of(config: &Config) -> anyhow::Result<Self> {
        let runs = place::runs(config, &place::containers(config));
        let of_folders = Registry::load(serve::package_folders(config)?, runs).snapshot();
        let theirs = config.pygeoapi.iter().flat_map(|theirs| &theirs.processes);
        let of_theirs = theirs.filter_map(|it| pygeoapi::process(&it.package).ok()).collect();
        Ok(Self { of_folders, of_theirs })
    }

    /// The process whose program is told this id.
    fn told_as(&self, told: &str, image: Option<&str>) -> Option<&Process> {
        let all = self.of_theirs.iter().chain(self.of_folders.iter().map(|process| &**process));
        told_as(all, told, image)
    }
}
