//! What a pod's specification may not say.

use serde_json::Value;

use super::{Faults, is_set};
use crate::{
    names::{OWN_KEYS, OWN_NAMES},
    security::Security,
};

/// Members that reach out of the pod.
const OF_THE_MACHINE: [&str; 3] = ["hostNetwork", "hostPID", "hostIPC"];
/// Volumes that hold nothing of the machine's and nothing of other namespaces'.
const HARMLESS: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

impl Faults<'_> {
    pub(super) fn metadata(&mut self, metadata: &Value, at: &str) {
        for (name, member) in members(metadata) {
            let pointer = format!("{at}/{name}");
            if !matches!(name, "labels" | "annotations") {
                self.forbid(&pointer, "pods get this from their Job");
                continue;
            }
            for (key, _) in members(member) {
                if key.starts_with(OWN_KEYS) || key.starts_with("batch.kubernetes.io/") {
                    self.forbid(&pointer_of(&pointer, key), "is set by the server");
                } else if key.starts_with("container.apparmor.security.beta.kubernetes.io/") {
                    self.forbid(&pointer_of(&pointer, key), "weakens the protection of the machine");
                }
            }
        }
    }

    /// A specification, or the part of one that stands directly below `kubernetes`.
    pub(super) fn spec(&mut self, spec: &Value, at: &str) {
        for name in OF_THE_MACHINE {
            if is_set(&spec[name]) && self.security > Security::None {
                self.forbid(&format!("{at}/{name}"), "reaches out of the pod into the machine");
            }
        }
        self.placed_by_server(spec, at);
        self.account(spec, at);
        self.pod_security(&spec["securityContext"], &format!("{at}/securityContext"));
        for (index, volume) in items(&spec["volumes"]).enumerate() {
            self.volume(volume, &format!("{at}/volumes/{index}"));
        }
        for list in ["containers", "initContainers"] {
            for (index, container) in items(&spec[list]).enumerate() {
                let is_program = list == "containers" && index == 0;
                self.container(container, is_program, &format!("{at}/{list}/{index}"));
            }
        }
    }

    fn placed_by_server(&mut self, spec: &Value, at: &str) {
        for (name, why) in [
            ("nodeName", "passes over the cluster's scheduler"),
            ("ephemeralContainers", "belongs to running pods"),
            ("activeDeadlineSeconds", "is set by `config.jobTimeout`"),
            ("terminationGracePeriodSeconds", "is set by the server"),
        ] {
            if is_set(&spec[name]) {
                self.forbid(&format!("{at}/{name}"), why);
            }
        }
        if spec["restartPolicy"].as_str().is_some_and(|policy| policy != "Never") {
            let remedy = "remove it; further attempts are made by `config.retries`";
            self.add(&format!("{at}/restartPolicy"), "must be Never", remedy);
        }
        if spec["priorityClassName"].as_str().is_some_and(|class| class.starts_with("system-")) {
            self.forbid(&format!("{at}/priorityClassName"), "is the cluster's own");
        }
    }

    fn account(&mut self, spec: &Value, at: &str) {
        let allowed = |name: &str| {
            let own = self.config.service_account.as_deref() == Some(name);
            own || self.config.allowed_service_accounts.iter().any(|allowed| allowed == name)
        };
        let refused: Vec<&str> = ["serviceAccountName", "serviceAccount"]
            .into_iter()
            .filter(|member| spec[member].as_str().is_some_and(|name| !allowed(name)))
            .collect();
        for member in refused {
            let remedy = "remove it, or ask the operator to allow it (`allowedServiceAccounts`)";
            self.add(&format!("{at}/{member}"), "is not allowed by this server", remedy);
        }
        if is_set(&spec["automountServiceAccountToken"]) && !self.may_use_accounts(spec) {
            self.forbid(
                &format!("{at}/automountServiceAccountToken"),
                "would give the program the pod's account",
            );
        }
    }

    /// Whether the operator gave this package an account of its own.
    fn may_use_accounts(&self, spec: &Value) -> bool {
        let named = spec["serviceAccountName"].as_str();
        named.is_some_and(|name| self.config.allowed_service_accounts.iter().any(|allowed| allowed == name))
    }

    fn pod_security(&mut self, context: &Value, at: &str) {
        if self.security == Security::None {
            return;
        }
        for name in ["sysctls", "windowsOptions"] {
            if is_set(&context[name]) {
                self.forbid(&format!("{at}/{name}"), "changes the machine");
            }
        }
        self.user_and_profiles(context, at);
    }

    fn volume(&mut self, volume: &Value, at: &str) {
        if let Some(name) = volume["name"].as_str() {
            self.own_name(name, &format!("{at}/name"));
        }
        for (kind, source) in members(volume).filter(|(kind, _)| *kind != "name") {
            let pointer = format!("{at}/{kind}");
            if kind == "hostPath" && !self.config.allow_host_paths {
                self.forbid(&pointer, "reaches out of the pod into the machine");
            } else if kind == "projected" {
                self.projected(source, &pointer);
            } else if kind != "hostPath" && !HARMLESS.contains(&kind) && self.security == Security::Restricted
            {
                let message = "is not allowed at the level `restricted`";
                self.add(&pointer, message, "use a persistentVolumeClaim, or write `security: baseline`");
            }
        }
    }

    fn projected(&mut self, source: &Value, at: &str) {
        for (index, item) in items(&source["sources"]).enumerate() {
            if is_set(&item["serviceAccountToken"]) {
                let pointer = format!("{at}/sources/{index}/serviceAccountToken");
                self.forbid(&pointer, "would give the program the pod's account");
            }
        }
    }

    pub(super) fn own_name(&mut self, name: &str, at: &str) {
        if name.starts_with(OWN_NAMES) {
            self.add(at, "names that begin with rutter- are the server's", "choose another name");
        }
    }
}

pub(super) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// One step further, escaped as pointers are.
pub(super) fn pointer_of(at: &str, member: &str) -> String {
    format!("{at}/{}", member.replace('~', "~0").replace('/', "~1"))
}
