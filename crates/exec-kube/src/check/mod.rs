//! What a package may not say to the cluster, told when the package is loaded.
//!
//! Packages can come by HTTP from people who may run programs but do not own the cluster; whatever gives a pod more than
//! its own container is refused unless the server's settings allow it. Misspelt members are refused too: Kubernetes' own
//! types would pass over them.

mod containers;
mod known;
mod spec;

use rutter_core::process::{DockerUnit, EnvEntry, EnvValue, Process, why_not_alone};
use serde_json::Value;

use crate::{config::KubernetesConfig, secrets, security::Security, wishes};

/// What keeps a unit from being run on this cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitFault {
    /// JSON pointer from the unit, such as `/kubernetes/podTemplate/spec/hostNetwork`.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

/// Every fault of a process's unit, by what this server allows.
pub fn check_unit(process: &Process, unit: &DockerUnit, config: &KubernetesConfig) -> Vec<UnitFault> {
    let mut faults = check(&unit.env, unit.kubernetes.as_ref(), config);
    if let Some((cause, remedy)) = alone(unit, config)
        && let Some(why) = why_not_alone(process, unit)
    {
        let message = format!("{cause}, and without that {why}");
        faults.push(UnitFault { pointer: String::new(), message, remedy: remedy.to_owned() });
    }
    faults
}

/// Why a unit runs without the agent, whatever its registry says, and what would change it.
fn alone(unit: &DockerUnit, config: &KubernetesConfig) -> Option<(&'static str, &'static str)> {
    if !config.agents {
        return Some(("pods do not reach this server", "the operator can set kubernetes.serverUrl"));
    }
    let unknown = unit.command.is_empty() && config.registries.is_none();
    unknown.then_some((
        "has no command, this server does not look up those of images",
        "write the image's program below `command`",
    ))
}

/// The same of the parts that a plan has as well.
pub(crate) fn check(
    env: &[EnvEntry],
    kubernetes: Option<&Value>,
    config: &KubernetesConfig,
) -> Vec<UnitFault> {
    let mut faults = Faults { config, security: config.security, found: Vec::new() };
    for (at, entry) in env.iter().enumerate() {
        if entry.value == EnvValue::Inherit {
            let message = format!("{} would stand in the cluster for everybody to read", entry.name);
            faults.add(&format!("/env/{at}"), message, "write `value`, or secretName and secretKey");
        }
        if let EnvValue::Secret { name, .. } = &entry.value {
            faults.secret(&format!("/env/{at}"), name);
        }
    }
    if let Some(kubernetes) = kubernetes {
        faults.security(kubernetes);
        known::check(&mut faults, kubernetes);
        faults.spec(&wishes::spec_of(kubernetes), "/kubernetes");
        faults.mounts(&kubernetes["volumeMounts"], "/kubernetes/volumeMounts");
        if let Some(template) = kubernetes.get("podTemplate") {
            faults.metadata(&template["metadata"], "/kubernetes/podTemplate/metadata");
            faults.spec(&template["spec"], "/kubernetes/podTemplate/spec");
        }
        let mut named = Vec::new();
        secrets::named_in(kubernetes, "/kubernetes", &mut named);
        named.iter().for_each(|(at, name)| faults.secret(at, name));
    }
    faults.found
}

/// What was found so far, and by which measure.
struct Faults<'a> {
    config: &'a KubernetesConfig,
    /// The unit's level.
    security: Security,
    found: Vec<UnitFault>,
}

impl Faults<'_> {
    fn add(&mut self, pointer: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.found.push(UnitFault {
            pointer: pointer.to_owned(),
            message: message.into(),
            remedy: remedy.into(),
        });
    }

    /// A member that is not allowed at all.
    fn forbid(&mut self, pointer: &str, why: &str) {
        self.add(pointer, why, "remove it");
    }

    fn secret(&mut self, pointer: &str, name: &str) {
        let Some(allowed) = &self.config.secrets else { return };
        if !allowed.iter().any(|it| it.has(name)) {
            let remedy = "name one that is, or ask the operator to allow it (`kubernetes.secrets`)";
            self.add(
                pointer,
                format!("names the Secret {name}, which is not allowed by this server"),
                remedy,
            );
        }
    }

    fn security(&mut self, kubernetes: &Value) {
        let Some(wanted) = kubernetes["security"].as_str().and_then(Security::named) else { return };
        let weakest = self.config.weakest_security;
        if wanted < weakest {
            let message = format!("is {wanted}; this server allows {weakest} at the least");
            self.add("/kubernetes/security", message, format!("write {weakest}, or ask the operator"));
        }
        self.security = wanted.max(weakest);
    }
}

/// Whether a member is there and says something.
fn is_set(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

#[cfg(test)]
mod tests;
