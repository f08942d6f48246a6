//! Executor for a Kubernetes cluster: every launch is one Job.
//!
//! What goes to the cluster ([`manifest`]) and what is read from it ([`observe`]) are pure functions; between them are
//! watches that keep what there is ([`cache`]), and calls that may all be repeated. The truth about a launch is its Job:
//! it carries a finalizer until its job is archived, so that nothing ends unseen, whoever deletes it.
//!
//! The server's account needs, in the namespace of jobs: create, get, list, watch, patch and delete of Jobs; get, list,
//! watch and delete of pods, get of their logs, patch of their status (those on lost machines); list and watch of events; get of
//! the namespace. And get of the namespace `kube-system`, whose uid stands for the cluster. Where commands of private images are
//! looked up: get of the Secrets for them. The published keys of service accounts are open to every service account.

mod adopt;
mod adopted;
mod alone;
#[cfg(test)]
mod bench;
mod cache;
mod check;
mod config;
mod connect;
mod ending;
mod executor;
mod fault;
mod identity;
mod image;
mod kept;
mod launching;
mod leaving;
mod manifest;
mod merge;
mod names;
mod observe;
mod patrol;
mod program;
mod reach;
mod records;
mod secrets;
mod security;
mod shared;
mod watch;
mod wishes;

pub use adopt::{Adopting, PodLeft, Survey, System, TheirJob, TheirState, adopt, survey};
pub use check::{UnitFault, check_unit};
pub use config::{Access, ConfigError, KubernetesConfig, Registries, Scratch};
pub use connect::OpenError;
pub use executor::KubernetesExecutor;
pub use leaving::{Left, leave};
pub use names::{ADOPTED, FINALIZER, INSTANCE, PROCESS, job_name, launch_of};
pub use observe::{Notes, Seen, observe};
pub use secrets::{NoPattern, Secrets};
pub use security::Security;
