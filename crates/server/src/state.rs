//! What every handler works with.

use std::{fmt, sync::Arc};

use rutter_core::{engine::Engine, process::Registry};
use tokio::sync::watch;

use crate::{cache::Cache, config::ServerConfig, metrics::Metrics, statuses::Statuses, ui::Pages};

/// What every handler works with; cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// Submits, finds, lists, waits, dismisses.
    pub engine: Engine,
    /// Knows the processes.
    pub registry: Arc<Registry>,
    /// What the configuration told.
    pub config: Arc<ServerConfig>,
    /// Pages for people.
    pub pages: Arc<Pages>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Documents made from the processes, kept until those change.
    pub(crate) cache: Arc<Cache>,
    /// Statuses of jobs, kept until those change.
    pub(crate) statuses: Arc<Statuses>,
    stopping: Arc<watch::Sender<bool>>,
}

impl AppState {
    /// State of a server.
    pub fn new(engine: Engine, registry: Arc<Registry>, config: ServerConfig) -> Self {
        Self {
            engine,
            registry,
            config: Arc::new(config),
            pages: Arc::new(Pages::new()),
            metrics: Arc::new(Metrics::new()),
            cache: Arc::new(Cache::default()),
            statuses: Arc::new(Statuses::default()),
            stopping: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Turns true when the server stops: answers without an end (event streams) must then end.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }
}

impl fmt::Debug for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppState").field("config", &self.config).finish_non_exhaustive()
    }
}
