//! What a container may not say.

use serde_json::Value;

use super::{
    Faults, is_set,
    spec::{items, pointer_of},
};
use crate::security::Security;

/// Below this everything is mounted by the server.
const ROOT: &str = "/rutter";

impl Faults<'_> {
    pub(super) fn container(&mut self, container: &Value, is_program: bool, at: &str) {
        if let Some(name) = container["name"].as_str() {
            self.own_name(name, &format!("{at}/name"));
        }
        if is_program {
            self.program(container, at);
        }
        for (index, variable) in items(&container["env"]).enumerate() {
            if variable["name"].as_str().is_some_and(|name| name.starts_with("RUTTER_")) {
                let remedy = "choose another name";
                self.add(
                    &format!("{at}/env/{index}/name"),
                    "names that begin with RUTTER_ are set by the server",
                    remedy,
                );
            }
        }
        self.mounts(&container["volumeMounts"], &format!("{at}/volumeMounts"));
        if self.security > Security::None {
            for (index, port) in items(&container["ports"]).enumerate() {
                if is_set(&port["hostPort"]) {
                    self.forbid(&format!("{at}/ports/{index}/hostPort"), "takes a port of the machine");
                }
            }
            self.container_security(&container["securityContext"], &format!("{at}/securityContext"));
        }
    }

    /// What the unit itself says, or the agent is, must not be said again.
    fn program(&mut self, container: &Value, at: &str) {
        for (member, why) in [
            ("image", "stands in `image` of the unit"),
            ("command", "stands in `command` of the unit"),
            ("args", "stands in `command` of the unit"),
            ("restartPolicy", "is set by the server"),
        ] {
            if is_set(&container[member]) {
                self.forbid(&pointer_of(at, member), why);
            }
        }
    }

    pub(super) fn mounts(&mut self, mounts: &Value, at: &str) {
        for (index, mount) in items(mounts).enumerate() {
            if let Some(name) = mount["name"].as_str() {
                self.own_name(name, &format!("{at}/{index}/name"));
            }
            let path = mount["mountPath"].as_str().unwrap_or_default();
            if lies_below(path) {
                let message = "folders below /rutter are the server's";
                self.add(&format!("{at}/{index}/mountPath"), message, "mount it somewhere else");
            }
        }
    }

    fn container_security(&mut self, context: &Value, at: &str) {
        for (member, why) in [
            ("privileged", "gives the program the machine"),
            ("procMount", "weakens the protection of the machine"),
            ("windowsOptions", "changes the machine"),
        ] {
            if is_set(&context[member]) && context[member] != "Default" {
                self.forbid(&format!("{at}/{member}"), why);
            }
        }
        if items(&context["capabilities"]["add"]).next().is_some() {
            self.forbid(&format!("{at}/capabilities/add"), "gives the program rights over the machine");
        }
        self.user_and_profiles(context, at);
        if self.security == Security::Restricted {
            self.restricted(context, at);
        }
    }

    fn restricted(&mut self, context: &Value, at: &str) {
        let remedy = "remove it, or write `security: baseline`";
        if is_set(&context["allowPrivilegeEscalation"]) {
            self.add(
                &format!("{at}/allowPrivilegeEscalation"),
                "is not allowed at the level `restricted`",
                remedy,
            );
        }
        let drop = &context["capabilities"]["drop"];
        if drop.is_array() && !items(drop).any(|capability| capability == "ALL") {
            self.add(&format!("{at}/capabilities/drop"), "must have ALL at the level `restricted`", remedy);
        }
    }

    /// What pods and containers have in common.
    pub(super) fn user_and_profiles(&mut self, context: &Value, at: &str) {
        for profile in ["seccompProfile", "appArmorProfile"] {
            if context[profile]["type"] == "Unconfined" {
                self.forbid(&format!("{at}/{profile}"), "weakens the protection of the machine");
            }
        }
        if is_set(&context["seLinuxOptions"]) {
            self.forbid(&format!("{at}/seLinuxOptions"), "changes the protection of the machine");
        }
        if self.security != Security::Restricted {
            return;
        }
        let remedy = "name a user that is not root, or write `security: baseline`";
        if context["runAsNonRoot"] == false {
            self.add(&format!("{at}/runAsNonRoot"), "is not allowed at the level `restricted`", remedy);
        }
        if context["runAsUser"] == 0 {
            self.add(&format!("{at}/runAsUser"), "root is not allowed at the level `restricted`", remedy);
        }
    }
}

/// Whether a path is `/rutter` or below it, however it is spelt.
fn lies_below(path: &str) -> bool {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.first() == Some(&ROOT.trim_start_matches('/'))
}
