//! Lost history: what a watcher meets that was away for too long.

use serde_json::Value;

use crate::{cluster::Cluster, component::Component, error::Error, http};

impl Cluster {
    /// Makes etcd forget all versions before the newest. A watch from an older version gets `410 Gone` as soon as the API
    /// server does not remember it either: see [`Cluster::expire_watches`].
    pub fn compact(&self) -> Result<(), Error> {
        let status = self.ask_etcd("/v3/maintenance/status", "{}")?;
        let unreadable = || Error::Unreadable { what: "the revision of etcd", text: status.to_string() };
        let revision = status["header"]["revision"].as_str().ok_or_else(unreadable)?;
        self.ask_etcd("/v3/kv/compaction", &format!(r#"{{"revision":"{revision}","physical":true}}"#))
            .map(drop)
    }

    /// Ends all watches, and makes every resource version seen so far too old to go on from: the API server is restarted on a
    /// compacted etcd.
    pub fn expire_watches(&self) -> Result<(), Error> {
        self.kill(Component::ApiServer)?;
        self.compact()?;
        self.start(Component::ApiServer)
    }

    fn ask_etcd(&self, path: &str, body: &str) -> Result<Value, Error> {
        let answer = http::ask(self.connect(([127, 0, 0, 1], 2379).into())?, path, Some(body))?;
        serde_json::from_str(&answer)
            .map_err(|_| Error::Unreadable { what: "an answer of etcd", text: answer })
    }
}
