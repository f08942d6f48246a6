//! The template of a launch's pods.

use rutter_core::{
    plan::Plan,
    process::{EnvEntry, EnvValue},
};
use rutter_types::agent::{Arg, ENV_CA, ENV_CONTACT, ENV_FOLDER, ENV_SERVER, ENV_TOKEN_FILE, Part, Variable};
use serde_json::{Value, json};

use super::{Image, deadline, resources};
use crate::{
    config::KubernetesConfig, identity::AUDIENCE, merge::merge, program::Program, security::Security,
    wishes::Wishes,
};

/// Container that brings the agent, and the volume that it brings it in.
const AGENT: &str = "rutter-agent";
/// Volume of inputs, work and outputs.
const ATTEMPT: &str = "rutter-attempt";
/// Volume of the pod's token.
const TOKEN: &str = "rutter-token";
/// What [`AGENT`]'s `install` puts everything below.
const ROOT: &str = "/rutter";
/// Where the agent is.
const AGENT_FOLDER: &str = "/rutter/bin";
/// The agent's program in the program's container.
const AGENT_PROGRAM: &str = "/rutter/bin/rutter-agent";
/// Where the attempt's folders are.
const ATTEMPT_FOLDER: &str = "/rutter/attempt";
/// Where the token is.
const TOKEN_FOLDER: &str = "/rutter/token";
/// Seconds that a token holds; the kubelet renews it in time.
const TOKEN_SECONDS: u32 = 3600;
/// Seconds that the agent has for its own end after the program's grace.
pub(crate) const AGENT_GRACE: u64 = 5;

/// The template: our defaults, then what the package says, then what must be so.
pub(super) fn template(
    plan: &Plan,
    image: Image<'_>,
    wishes: &Wishes,
    labels: &Value,
    config: &KubernetesConfig,
) -> Value {
    let security = wishes.security.unwrap_or(config.security);
    let mut template = defaults(plan, image, wishes, security, config);
    merge(&mut template, wishes.template.clone());
    protect(&mut template, security);
    tell_first_ones(&mut template, image);
    merge(&mut template, fixed(plan, image, wishes.program(), labels, config));
    if *image.program != Program::Alone {
        merge(&mut template, with_agent(plan, image.program, wishes.program(), labels, config));
        open_the_volume(&mut template, plan, config);
    }
    template
}

/// What a package may change.
fn defaults(
    plan: &Plan,
    image: Image<'_>,
    wishes: &Wishes,
    security: Security,
    config: &KubernetesConfig,
) -> Value {
    let mut resources = resources::of_program(plan, image, config);
    resources::leave_to_template(&mut resources, &wishes.template["spec"]["containers"][0]["resources"]);
    let pull_secrets: Vec<Value> =
        config.image_pull_secrets.iter().map(|name| json!({"name": name})).collect();
    json!({
        // Automatic scaling waits for jobs instead of ending them.
        "metadata": {"annotations": {
            "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
            "karpenter.sh/do-not-disrupt": "true",
        }},
        "spec": {
            "serviceAccountName": config.service_account,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "securityContext": security.of_pod(user(plan, image.program, security, config)),
            "nodeSelector": config.node_selector,
            "imagePullSecrets": pull_secrets,
            "containers": [{
                "name": wishes.program(),
                "resources": resources,
            }],
        },
    })
}

/// Whom the program runs as unless the package says it; `None` = whom its image names.
fn user(plan: &Plan, program: &Program, security: Security, config: &KubernetesConfig) -> Option<i64> {
    match program {
        // They were always run so, most of them as root.
        _ if !plan.contract.is_ours() && security != Security::Restricted => None,
        Program::OfImage(own) if own.has_user => None,
        _ => config.user,
    }
}

/// Every container of the package has the level's settings: at the level `restricted` in any case, else where the
/// package says nothing else.
fn protect(template: &mut Value, security: Security) {
    if security == Security::Restricted {
        let context = template["spec"].get("securityContext").cloned();
        template["spec"]["securityContext"] = security.of_pod(None);
        merge(&mut template["spec"], json!({"securityContext": context.unwrap_or_else(|| json!({}))}));
        template["spec"]["securityContext"]["runAsNonRoot"] = json!(true);
    }
    for list in ["containers", "initContainers"] {
        let Some(containers) = template["spec"].get_mut(list).and_then(Value::as_array_mut) else { continue };
        for container in containers {
            let own = json!({"securityContext": security.of_container()});
            if security == Security::Restricted {
                merge(container, own);
            } else {
                let theirs = std::mem::replace(container, own);
                merge(container, theirs);
            }
        }
    }
}

/// What must be so, whatever a package says.
fn fixed(plan: &Plan, image: Image<'_>, container: &str, labels: &Value, config: &KubernetesConfig) -> Value {
    json!({
        "metadata": {"labels": labels},
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": deadline::of_pod_alone(plan),
            "terminationGracePeriodSeconds": plan.limits.grace_seconds.saturating_add(AGENT_GRACE),
            "nodeSelector": {"kubernetes.io/arch": config.architecture},
            "containers": [{
                "name": container,
                "image": image.reference,
                "command": command_alone(plan),
                "args": null,
                "env": plan.env.iter().filter_map(variable).chain(told(image.variables)).collect::<Vec<_>>(),
            }],
        },
    })
}

/// What must be so where an agent stands in front of the program.
fn with_agent(
    plan: &Plan,
    program: &Program,
    container: &str,
    labels: &Value,
    config: &KubernetesConfig,
) -> Value {
    let mut attempt = resources::attempt_volume(plan, config, labels);
    attempt["name"] = json!(ATTEMPT);
    json!({"spec": {
        "activeDeadlineSeconds": deadline::of_pod(plan, config),
        "initContainers": [install(config)],
        "containers": [{
            "name": container,
            "command": command(program),
            "env": agents_env(plan, config),
            "volumeMounts": [
                {"name": AGENT, "mountPath": AGENT_FOLDER, "readOnly": true},
                {"name": ATTEMPT, "mountPath": ATTEMPT_FOLDER},
                {"name": TOKEN, "mountPath": TOKEN_FOLDER, "readOnly": true},
            ],
        }],
        "volumes": [
            {"name": AGENT, "emptyDir": resources::agent_volume()},
            attempt,
            {"name": TOKEN, "projected": {"sources": [{"serviceAccountToken": {
                "audience": AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": "token",
            }}]}},
        ],
    }})
}

/// The package's own words; an agent that stands in front takes their place.
fn command_alone(plan: &Plan) -> Option<Vec<String>> {
    let word = |arg: &Arg| {
        let text = arg
            .0
            .iter()
            .filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None });
        literal(&text.collect::<String>())
    };
    (!plan.command.is_empty()).then(|| plan.command.iter().map(word).collect())
}

/// A volume of its own belongs to root where it is new, and nobody here is root: the cluster gives it to a group that all
/// containers are in. Other volumes of the pod keep theirs where it fits. (Without a user of ours the cluster chooses the group too.)
fn open_the_volume(template: &mut Value, plan: &Plan, config: &KubernetesConfig) {
    if resources::volume_for(plan, config).is_none() {
        return;
    }
    let context = &mut template["spec"]["securityContext"];
    if let (Some(user), true) = (config.user, context["fsGroup"].is_null()) {
        context["fsGroup"] = json!(user);
        context["fsGroupChangePolicy"] = json!("OnRootMismatch");
    }
}

/// The agent, and what it is to run where its order says nothing.
fn command(program: &Program) -> Vec<String> {
    let mut words = vec![AGENT_PROGRAM.to_owned(), "run".to_owned()];
    if let Program::OfImage(own) = program {
        words.push("--".to_owned());
        words.extend(own.words.iter().map(|word| literal(word)));
    }
    words
}

/// Copies the agent to [`AGENT_FOLDER`] and makes the folders of the attempt, writable for whoever the program runs as.
fn install(config: &KubernetesConfig) -> Value {
    let mut security = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": true,
        "runAsNonRoot": true,
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    if let Some(user) = config.user {
        security["runAsUser"] = json!(user);
    }
    json!({
        "name": AGENT,
        "image": config.agent_image,
        "command": [config.agent_program, "install", ROOT],
        "resources": resources::of_install(),
        "securityContext": security,
        "volumeMounts": [
            {"name": AGENT, "mountPath": AGENT_FOLDER},
            {"name": ATTEMPT, "mountPath": ATTEMPT_FOLDER},
        ],
    })
}

/// The agent's own variables.
fn agents_env(plan: &Plan, config: &KubernetesConfig) -> Vec<Value> {
    let mut env = Vec::new();
    let mut own = |name: &str, value: &str| env.push(json!({"name": name, "value": literal(value)}));
    own(ENV_SERVER, config.server_url.trim_end_matches('/'));
    own(ENV_TOKEN_FILE, &format!("{TOKEN_FOLDER}/token"));
    own(ENV_FOLDER, ATTEMPT_FOLDER);
    // Pods start without the server, too.
    own(ENV_CONTACT, &plan.limits.contact_seconds.to_string());
    if let Some(ca) = &config.server_ca {
        own(ENV_CA, ca);
    }
    env
}

/// The server's own variables are not passed on: they would stand in the pod for everybody to read.
fn variable(entry: &EnvEntry) -> Option<Value> {
    match &entry.value {
        EnvValue::Text(text) => Some(json!({"name": entry.name, "value": literal(text)})),
        EnvValue::Secret { name, key } => Some(json!({
            "name": entry.name,
            "valueFrom": {"secretKeyRef": {"name": name, "key": key}},
        })),
        EnvValue::Inherit => None,
    }
}

fn told(variables: &[Variable]) -> impl Iterator<Item = Value> {
    variables.iter().map(|told| json!({"name": told.name, "value": literal(&told.value)}))
}

/// Containers of the package that run before its program have their own variables, and then those that all have.
fn tell_first_ones(template: &mut Value, image: Image<'_>) {
    let first_ones = template["spec"]["initContainers"].as_array_mut();
    for container in first_ones.into_iter().flatten().filter(|_| !image.ids.is_empty()) {
        match container["env"].as_array_mut() {
            Some(env) => env.extend(told(image.ids)),
            None => container["env"] = told(image.ids).collect(),
        }
    }
}

/// Kubernetes replaces `$(NAME)` in values and commands, and reads `$$` as `$`.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}
