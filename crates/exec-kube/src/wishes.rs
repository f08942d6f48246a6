//! What a package says to the cluster (`kubernetes` of its unit), brought into one form: a template of a pod.
//!
//! Members such as `nodeSelector` are short for the same members of `podTemplate.spec`.

use serde_json::{Map, Value, json};

use crate::{merge::merge, security::Security};

/// Members that stand in a pod's specification under the same name.
pub(crate) const OF_SPEC: [&str; 9] = [
    "nodeSelector",
    "tolerations",
    "affinity",
    "volumes",
    "initContainers",
    "serviceAccountName",
    "imagePullSecrets",
    "priorityClassName",
    "runtimeClassName",
];

/// What a package says, in one form.
#[derive(Clone, Debug)]
pub(crate) struct Wishes {
    /// A template of a pod with at least one container, which has a name: the program's.
    pub(crate) template: Value,
    /// Level of security, when it names one.
    pub(crate) security: Option<Security>,
    /// Queue of the cluster.
    pub(crate) queue: Option<String>,
}

impl Wishes {
    /// Of the member as written. What is wrong in it is passed over here, and told by the check.
    pub(crate) fn read(kubernetes: Option<&Value>) -> Self {
        let none = json!({});
        let kubernetes = kubernetes.unwrap_or(&none);
        let mut template = kubernetes.get("podTemplate").cloned().unwrap_or_else(|| json!({}));
        merge(&mut template, json!({"metadata": {}, "spec": spec_of(kubernetes)}));
        name_the_program(&mut template);
        if let Some(mounts) = kubernetes.get("volumeMounts") {
            let name = program_name(&template).to_owned();
            merge(&mut template, json!({"spec": {"containers": [{"name": name, "volumeMounts": mounts}]}}));
        }
        quantities_as_text(&mut template);
        let text = |name: &str| kubernetes.get(name).and_then(Value::as_str);
        Self {
            template,
            security: text("security").and_then(Security::named),
            queue: text("queue").map(ToOwned::to_owned),
        }
    }

    /// Name of the container that the program runs in.
    pub(crate) fn program(&self) -> &str {
        program_name(&self.template)
    }
}

/// The members that are short for those of a specification.
pub(crate) fn spec_of(kubernetes: &Value) -> Value {
    let member = |name: &&str| Some(((*name).to_owned(), kubernetes.get(*name)?.clone()));
    Value::Object(OF_SPEC.iter().filter_map(member).collect::<Map<_, _>>())
}

fn program_name(template: &Value) -> &str {
    template.pointer("/spec/containers/0/name").and_then(Value::as_str).unwrap_or("main")
}

fn name_the_program(template: &mut Value) {
    let spec = &mut template["spec"];
    if spec["containers"].as_array().is_none_or(|containers| containers.is_empty()) {
        spec["containers"] = json!([{}]);
    }
    if let Some(first) = spec.pointer_mut("/containers/0").filter(|first| first.is_object())
        && first.get("name").is_none()
    {
        first["name"] = json!("main");
    }
}

/// Authors write `cpu: 2`; Kubernetes' types have text there.
pub(crate) fn quantities_as_text(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), &mut *member) {
                    ("limits" | "requests", Value::Object(amounts)) => amounts.values_mut().for_each(as_text),
                    ("sizeLimit", amount) => as_text(amount),
                    _ => quantities_as_text(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(quantities_as_text),
        _ => {}
    }
}

fn as_text(amount: &mut Value) {
    if let Value::Number(number) = amount {
        *amount = Value::String(number.to_string());
    }
}
