//! How a cluster is to be.

/// What to start; [`Options::new`] is right for most tests.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub(crate) name: Option<String>,
    pub(crate) users: Vec<(String, Vec<String>)>,
    pub(crate) keep: bool,
}

impl Options {
    /// A cluster without a name that ends with its handle.
    pub fn new() -> Self {
        Self::default()
    }

    /// A name, by which other processes find it. A running cluster of this name is ended first.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// One more user of the API server, who may do what his groups and the RBAC rules of the test allow, that is nothing at first.
    /// See [`Cluster::kubeconfig_of`](crate::Cluster::kubeconfig_of).
    pub fn user(mut self, name: &str, groups: &[&str]) -> Self {
        self.users.push((name.into(), groups.iter().map(|&group| group.into()).collect()));
        self
    }

    /// Let it run when the handle is dropped and the process ends, until somebody calls [`Cluster::down`](crate::Cluster::down).
    pub fn keep(mut self) -> Self {
        self.keep = true;
        self
    }
}
