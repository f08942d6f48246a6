//! A connection to the cluster.

use std::{sync::Arc, time::Duration};

use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig},
};
use tower::util::MapResultLayer;

use crate::{
    config::{Access, ConfigError},
    reach::Reach,
};

/// Longest time for making a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Why the cluster can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no way to the cluster.
    #[error("no access to a cluster: run the server in a pod with a service account, or name a kubeconfig")]
    Access {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The cluster does not answer, or refuses.
    #[error("could not {doing}: check that the cluster answers and that the server's account may do that")]
    Cluster {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A client that tries everything once: who calls decides about another try. What it meets with is noted in `reach`.
pub(crate) async fn connect(access: &Access, reach: &Arc<Reach>) -> Result<Client, OpenError> {
    let mut config = read(access).await?;
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    let client =
        ClientBuilder::try_from(config).map_err(|error| OpenError::Access { source: error.into() })?;
    let reach = reach.clone();
    Ok(client.with_layer(&MapResultLayer::new(move |answer| reach.heard(answer))).build())
}

/// Where the cluster is.
pub(crate) async fn url_of(access: &Access) -> Result<String, OpenError> {
    Ok(read(access).await?.cluster_url.to_string())
}

async fn read(access: &Access) -> Result<Config, OpenError> {
    let unusable = |source: Box<dyn std::error::Error + Send + Sync>| OpenError::Access { source };
    match access {
        Access::InCluster => Config::incluster().map_err(|error| unusable(error.into())),
        Access::Kubeconfig { path, context } => {
            let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
            let made = match path {
                Some(path) => match Kubeconfig::read_from(path) {
                    Ok(file) => Config::from_custom_kubeconfig(file, &options).await,
                    Err(error) => Err(error),
                },
                None => Config::from_kubeconfig(&options).await,
            };
            made.map_err(|error| unusable(error.into()))
        }
    }
}
