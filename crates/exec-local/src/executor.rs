//! The executor itself: every call finds what earlier ones did, in this run of the server or before.

use std::{
    fs, io,
    path::{self, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use rutter_core::{
    executor::{AttemptName, Executor, ExecutorError, Observation, Waiting},
    id::LaunchName,
    plan::{Plan, PlannedUnit},
};
use tokio::{sync::mpsc, task};

use crate::{
    config::LocalConfig,
    container::{ContainerRecord, remove_strays},
    fault::failed,
    folder::LaunchRecord,
    found, launching, process,
    remover::Remover,
    shared::{Begun, Shared},
    supervise::Supervisor,
};

/// Runs launches as processes of this machine.
#[derive(Debug)]
pub struct LocalExecutor {
    shared: Arc<Shared>,
    changes: Mutex<Option<mpsc::UnboundedReceiver<LaunchName>>>,
}

/// Why the executor could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder can't be used.
    #[error("could not use the folder of attempts {folder}: make it readable and writable for the server", folder = .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The system lacks something.
    #[error("this system can't watch processes: Linux 5.4 or later with /proc mounted is needed")]
    System {
        /// What failed.
        #[source]
        source: io::Error,
    },
}

impl LocalExecutor {
    /// Open the folder of launches, made when it is missing, and find again what runs. Needs a Tokio runtime.
    pub async fn open(config: LocalConfig) -> Result<Self, OpenError> {
        let opened = task::spawn_blocking(move || open(config)).await;
        opened.unwrap_or_else(|error| Err(OpenError::System { source: io::Error::other(error) }))
    }
}

fn open(mut config: LocalConfig) -> Result<LocalExecutor, OpenError> {
    let system = |source| OpenError::System { source };
    process::supported().map_err(system)?;
    let boot = process::boot_id().map_err(system)?;
    let remover = Remover::start().map_err(system)?;
    let folder = config.folder.clone();
    let unusable = |source| OpenError::Folder { folder: folder.clone(), source };
    make_absolute(&mut config).map_err(unusable)?;
    prepare(&config).map_err(unusable)?;
    let (sender, receiver) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared::new(config, boot, remover, sender));
    let found = found::find_all(&shared).map_err(unusable)?;
    if let Some(containers) = shared.config.containers.clone() {
        let (shared, guard) = (shared.clone(), shared.strays.clone().try_write_owned());
        tokio::spawn(async move {
            let _guard = guard;
            remove_strays(&shared, &containers).await;
        });
    }
    for (supervisor, standing) in found {
        tokio::spawn(supervisor.run(standing));
    }
    Ok(LocalExecutor { shared, changes: Mutex::new(Some(receiver)) })
}

/// Agents may be told paths only as they hold in every directory.
fn make_absolute(config: &mut LocalConfig) -> io::Result<()> {
    for path in [&mut config.folder, &mut config.socket, &mut config.program_path, &mut config.agent.program]
    {
        *path = path::absolute(&*path)?;
    }
    if let Some(containers) = &mut config.containers {
        for path in [&mut containers.agent, &mut containers.socket_folder] {
            *path = path::absolute(&*path)?;
        }
    }
    Ok(())
}

fn prepare(config: &LocalConfig) -> io::Result<()> {
    if let Some(parent) = config.folder.parent() {
        fs::create_dir_all(parent)?;
    }
    crate::folder::make_private(&config.folder)?;
    Ok(())
}

#[async_trait]
impl Executor for LocalExecutor {
    fn admit(&self, waiting: &[Waiting]) -> Vec<LaunchName> {
        self.shared.admit(waiting)
    }

    async fn launch(&self, name: LaunchName, plan: &Plan) -> Result<(), ExecutorError> {
        let record = LaunchRecord::new(name.job, plan, self.container(plan)?);
        let shared = self.shared.clone();
        // In one piece, so that a caller who stops waiting leaves nothing half done.
        blocking(move || launch(&shared, name, record)).await?
    }

    async fn end(&self, name: LaunchName, grace: Duration) -> Result<(), ExecutorError> {
        self.shared.end(name, grace);
        Ok(())
    }

    async fn observe(&self, name: LaunchName) -> Result<Option<Observation>, ExecutorError> {
        Ok(self.shared.observe(name))
    }

    async fn list(&self) -> Result<Vec<LaunchName>, ExecutorError> {
        Ok(self.shared.list())
    }

    async fn release(&self, name: LaunchName) -> Result<(), ExecutorError> {
        if !self.shared.release(name) {
            return Ok(());
        }
        let shared = self.shared.clone();
        blocking(move || {
            let folder = shared.folder(name);
            shared.remover.remove(folder.path()).map_err(failed("remove", folder.path()))
        })
        .await?
    }

    async fn room(&self, name: LaunchName) {
        self.shared.room(name).await;
    }

    fn program_ended(&self, name: LaunchName) {
        self.shared.make_room(name);
    }

    fn changes(&self) -> Option<mpsc::UnboundedReceiver<LaunchName>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn identify(&self, token: &str) -> Result<Option<AttemptName>, ExecutorError> {
        Ok(self.shared.identify(token))
    }
}

impl LocalExecutor {
    fn container(&self, plan: &Plan) -> Result<Option<ContainerRecord>, ExecutorError> {
        if matches!(plan.unit, PlannedUnit::Command) {
            return Ok(None);
        }
        let containers = self.shared.config.containers.as_ref();
        let record = containers.and_then(|containers| ContainerRecord::of(plan, &containers.engine));
        let reason = "this server runs no containers: set `local.containerEngine`".to_owned();
        record.map(Some).ok_or(ExecutorError::Impossible { reason })
    }
}

impl Drop for LocalExecutor {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}

fn launch(shared: &Arc<Shared>, name: LaunchName, record: LaunchRecord) -> Result<(), ExecutorError> {
    let Begun::New(orders) = shared.begin(name, record.needs) else { return Ok(()) };
    match launching::make(shared, name, &record) {
        Ok((attempt, standing)) => {
            shared.note(name, standing.observation());
            tokio::spawn(Supervisor::new(shared.clone(), name, record, orders, attempt).run(standing));
            Ok(())
        }
        Err(error) => {
            let folder = shared.folder(name);
            if let Err(error) = shared.remover.remove(folder.path()) {
                tracing::warn!(job.id = %name.job, %error, "could not remove the folder of a failed launch");
            }
            shared.withdraw(name);
            Err(error)
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ExecutorError> {
    task::spawn_blocking(work).await.map_err(|source| ExecutorError::Unavailable {
        doing: "the server is about to stop".to_owned(),
        source: Box::new(source),
    })
}
