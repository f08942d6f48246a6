//! How much a pod may do: three levels, and what each of them writes into a pod.

use std::fmt;

use serde_json::{Value, json};

/// How much a pod may do. Ordered: the weakest protection is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// Whatever its package says.
    None,
    /// No more rights than its user, who may be root.
    Baseline,
    /// As the profile `restricted` of Kubernetes' Pod Security Standards asks.
    Restricted,
}

impl Security {
    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "none" => Some(Self::None),
            "baseline" => Some(Self::Baseline),
            "restricted" => Some(Self::Restricted),
            _ => None,
        }
    }

    /// `securityContext` of the pod, unless the package has its own; `user` = whom it runs as.
    pub(crate) fn of_pod(self, user: Option<i64>) -> Value {
        let mut context = json!({});
        if self >= Self::Baseline {
            context["seccompProfile"] = json!({"type": "RuntimeDefault"});
        }
        if self == Self::Restricted {
            context["runAsNonRoot"] = json!(true);
            if let Some(user) = user {
                context["runAsUser"] = json!(user);
                context["runAsGroup"] = json!(user);
            }
        }
        context
    }

    /// `securityContext` of each container, unless the package has its own.
    pub(crate) fn of_container(self) -> Value {
        if self >= Self::Baseline {
            json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}})
        } else {
            json!({})
        }
    }
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        })
    }
}
