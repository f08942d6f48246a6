//! Security contexts: key of the processor, else variable of the server, else baseline; nobody asks for a user that is not root.

use serde_json::{Map, Value, json};

use crate::{fault::FaultText, remark::Report, spot::Spot, yaml::Environment};

/// What 52N's server is told for all processors.
const POD: &str = "PYGEOAPI_K8S_MANAGER_JOB_POD_SECURITY_CONTEXT";
const CONTAINER: &str = "PYGEOAPI_K8S_MANAGER_JOB_CONTAINER_SECURITY_CONTEXT";

/// A context as somebody wants it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Wanted {
    #[default]
    Baseline,
    /// None at all.
    Nothing,
    These(Map<String, Value>),
}

/// What the server's variables say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Defaults {
    pod: Wanted,
    container: Wanted,
}

/// What a package says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Security {
    /// `security` of `kubernetes`.
    pub(super) level: &'static str,
    /// `securityContext` of the pod.
    pub(super) pod: Option<Value>,
    /// That of every container.
    pub(super) container: Option<Value>,
}

impl Defaults {
    /// # Errors
    /// A variable is no JSON object: whoever set it wanted protection, and must not go without.
    pub(crate) fn read(environment: &Environment<'_>) -> Result<Self, FaultText> {
        Ok(Self { pod: of_variable(POD, environment)?, container: of_variable(CONTAINER, environment)? })
    }
}

fn of_variable(name: &str, environment: &Environment<'_>) -> Result<Wanted, FaultText> {
    let Some(text) = environment(name).filter(|text| !text.trim().is_empty()) else {
        return Ok(Wanted::Baseline);
    };
    if matches!(text.trim().to_lowercase().as_str(), "off" | "none") {
        return Ok(Wanted::Nothing);
    }
    match serde_json::from_str(&text) {
        Ok(members) => Ok(Wanted::These(members)),
        Err(error) => Err(FaultText {
            message: format!("the variable {name} is no JSON object: {error}"),
            remedy: "write for example {\"runAsNonRoot\": true}, or off".to_owned(),
        }),
    }
}

/// What a processor's pods get.
pub(super) fn read(report: &mut Report, processor: &Spot<'_>, defaults: &Defaults) -> Security {
    let pod = of_key(report, processor, "pod_security_context").unwrap_or_else(|| defaults.pod.clone());
    let container = of_key(report, processor, "container_security_context");
    let container = container.unwrap_or_else(|| defaults.container.clone());
    if pod.is_weak() || container.is_weak() {
        return Security {
            level: "none",
            pod: pod.written(pod_baseline),
            container: container.written(of_container),
        };
    }
    let nothing = || None;
    Security { level: "baseline", pod: pod.written(nothing), container: container.written(nothing) }
}

/// `null` is an answer as well: no context.
fn of_key(report: &mut Report, processor: &Spot<'_>, name: &str) -> Option<Wanted> {
    let spot = processor.get(name)?;
    if spot.node.is_null() {
        report
            .note(&spot, "is empty: no security context at all; the server must allow the level `none`, and does so where it serves this file");
        return Some(Wanted::Nothing);
    }
    if !report.map(&spot) {
        return None;
    }
    let Value::Object(members) = spot.json() else { return None };
    let wanted = Wanted::These(members);
    if wanted.is_weak() {
        report.note(
            &spot,
            "says more than the level `baseline` allows; the server must allow the level `none`, and does so where it serves this file",
        );
    } else {
        report.note(&spot, "the settings of the level `baseline` stay where it says nothing else");
    }
    Some(wanted)
}

impl Wanted {
    /// Whether the level `baseline` would refuse it, or add what is not wanted.
    fn is_weak(&self) -> bool {
        let Self::These(context) = self else { return *self == Self::Nothing };
        let is_set = |name: &str| context.get(name).is_some_and(|it| !it.is_null() && *it != false);
        let unconfined =
            |name: &str| context.get(name).is_some_and(|profile| profile["type"] == "Unconfined");
        let adds = context
            .get("capabilities")
            .is_some_and(|it| it["add"].as_array().is_some_and(|it| !it.is_empty()));
        ["privileged", "procMount", "windowsOptions", "seLinuxOptions", "sysctls"].into_iter().any(is_set)
            || ["seccompProfile", "appArmorProfile"].into_iter().any(unconfined)
            || adds
    }

    fn written(self, baseline: impl Fn() -> Option<Value>) -> Option<Value> {
        match self {
            Self::Baseline => baseline(),
            Self::Nothing => None,
            Self::These(members) => Some(Value::Object(members)),
        }
    }
}

/// What the level `baseline` writes; at the level `none` it has to be said.
fn pod_baseline() -> Option<Value> {
    Some(json!({"seccompProfile": {"type": "RuntimeDefault"}}))
}

fn of_container() -> Option<Value> {
    Some(json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}))
}
