//! kubectl, and the few things that tests do with it all the time.

use std::{ffi::OsStr, path::PathBuf, process::Command, time::Duration};

use serde_json::Value;

use crate::{cluster::Cluster, error::Error, run};

/// How kubectl is called: all that outlives a borrow of the cluster.
#[derive(Debug, Clone)]
pub(crate) struct Kubectl {
    network: PathBuf,
    program: PathBuf,
    folder: PathBuf,
}

impl Kubectl {
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.network.display())).arg("--").arg(&self.program);
        command.arg("--kubeconfig").arg(self.folder.join("kubeconfig"));
        // Its cache would go into the home folder.
        command.arg("--cache-dir").arg(self.folder.join("kubectl-cache"));
        command
    }
}

impl Cluster {
    pub(crate) fn kubectl_program(&self) -> Kubectl {
        Kubectl {
            network: self.holder.network(),
            program: self.programs.join("kubectl"),
            folder: self.layout.folder.clone(),
        }
    }

    /// kubectl as administrator, not yet run: for callers that give it their own input and output.
    pub fn kubectl_command(&self) -> Command {
        self.kubectl_program().command()
    }

    /// What kubectl prints, as administrator, in the default namespace unless the arguments name another.
    pub fn kubectl<I, S>(&self, arguments: I) -> Result<String, Error>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        run::output(self.kubectl_command().args(arguments), None)
    }

    /// Creates or changes an object.
    pub fn apply(&self, manifest: &Value) -> Result<(), Error> {
        let mut kubectl = self.kubectl_command();
        kubectl.args(["apply", "--filename", "-"]);
        run::output(&mut kubectl, Some(manifest.to_string().as_bytes())).map(drop)
    }

    /// An object such as `job/hello`, or a list such as `pods`; nothing when the object is not there.
    pub fn get(&self, what: &str) -> Result<Option<Value>, Error> {
        let text = self.kubectl(["get", what, "--ignore-not-found", "--output", "json"])?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        let unreadable = |_| Error::Unreadable { what: "an object", text: text.clone() };
        serde_json::from_str(&text).map(Some).map_err(unreadable)
    }

    /// Asks for an object until it is as wanted, and returns it; an error that shows it when that takes too long.
    pub fn wait_for_object(
        &self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value, Error> {
        let mut last = Value::Null;
        let waited = run::wait_until(what, limit, || {
            last = self.get(what)?.unwrap_or(Value::Null);
            Ok(wanted(&last))
        });
        match waited {
            Err(Error::Late { what, limit, log }) => {
                Err(Error::Late { what, limit, log: format!("{log}; it is {last:#}") })
            }
            other => other.map(|()| last),
        }
    }
}
