//! What EOX's two kinds of processes put into a pod: volumes, secrets, where it runs, and as whom.

use serde_json::{Map, Value, json};

use crate::{
    north::pod as common,
    remark::Report,
    spot::Spot,
    yaml::{Kind, Scalar},
};

/// Container of both kinds.
const CONTAINER: &str = "notebook";
/// Where everybody is at home.
pub(super) const HOME: &str = "/home/jovyan";
/// Label of a pod that its Job's controller sets.
const JOB_NAME: &str = "metadata.labels['batch.kubernetes.io/job-name']";

/// A pod while it is put together.
#[derive(Debug, Default)]
pub(super) struct Pod {
    pub(super) container: Map<String, Value>,
    pub(super) spec: Map<String, Value>,
    pub(super) env: Vec<Value>,
    volumes: Vec<Value>,
    mounts: Vec<Value>,
}

impl Pod {
    /// The member `kubernetes` of a unit.
    pub(super) fn kubernetes(mut self) -> Value {
        let mut container = Map::from_iter([("name".to_owned(), json!(CONTAINER))]);
        container.extend(self.container);
        self.env.insert(0, json!({"name": "JOB_NAME", "valueFrom": {"fieldRef": {"fieldPath": JOB_NAME}}}));
        for (name, items) in [("env", self.env), ("volumeMounts", self.mounts)] {
            if !items.is_empty() {
                container.insert(name.to_owned(), items.into());
            }
        }
        self.spec.insert("containers".to_owned(), json!([container]));
        self.spec.insert("shareProcessNamespace".to_owned(), true.into());
        self.spec.insert("enableServiceLinks".to_owned(), false.into());
        if !self.volumes.is_empty() {
            self.spec.insert("volumes".to_owned(), self.volumes.into());
        }
        json!({"security": "baseline", "podTemplate": {"spec": self.spec}})
    }

    pub(super) fn mount(&mut self, name: &str, source: Value, mount: Value) {
        let mut volume = Map::from_iter([("name".to_owned(), json!(name))]);
        volume.extend(source.as_object().cloned().unwrap_or_default());
        self.volumes.push(Value::Object(volume));
        self.mounts.push(mount);
    }

    /// Claims, volumes and mounts in their various spellings.
    pub(super) fn storage(&mut self, report: &mut Report, processor: &Spot<'_>) {
        if let Some(claim) = report.text_of(processor, "home_volume_claim_name") {
            let source = json!({"persistentVolumeClaim": {"claimName": claim}});
            self.mount("home", source, json!({"name": "home", "mountPath": HOME}));
        }
        for (at, item) in list(report, processor, "extra_pvcs").iter().enumerate() {
            let (claim, path) = (report.text_of(item, "claim_name"), report.text_of(item, "mount_path"));
            let (Some(claim), Some(path)) = (claim, path) else {
                report.doubt(item, "needs `claim_name` and `mount_path`; it is left out");
                continue;
            };
            let name = format!("extra-{at}");
            let mut mount = json!({"name": name, "mountPath": path});
            if let Some(part) = report.text_of(item, "sub_path") {
                mount["subPath"] = part.into();
            }
            self.mount(&name, json!({"persistentVolumeClaim": {"claimName": claim}}), mount);
        }
        self.volumes.extend(list(report, processor, "extra_volumes").iter().map(Spot::json));
        self.mounts.extend(list(report, processor, "extra_volume_mounts").iter().map(Spot::json));
    }

    /// Secrets as folders or as variables.
    pub(super) fn secrets(&mut self, report: &mut Report, processor: &Spot<'_>) {
        let mut from: Vec<Value> = Vec::new();
        for (at, item) in list(report, processor, "secrets").iter().enumerate() {
            let Some(name) = report.text_of(item, "name") else {
                report.doubt(item, "has no `name`; it is left out");
                continue;
            };
            match report.text_of(item, "access").as_deref() {
                Some("env") => from.push(json!({"secretRef": {"name": name}})),
                None | Some("mount") => {
                    let volume = format!("secret-{at}");
                    let mount = json!({"name": volume, "mountPath": format!("/secret/{name}")});
                    self.mount(&volume, json!({"secret": {"secretName": name}}), mount);
                }
                Some(_) => report.doubt(item, "`access` is mount or env; it is left out"),
            }
        }
        if !from.is_empty() {
            self.container.insert("envFrom".to_owned(), from.into());
        }
    }

    /// Pull secret, tolerations and the machines that are meant.
    pub(super) fn place(&mut self, report: &mut Report, processor: &Spot<'_>, further: &[&str]) {
        if let Some(secrets) = common::pull_secrets(report, processor) {
            self.spec.insert("imagePullSecrets".to_owned(), secrets);
        }
        let mut tolerations = common::tolerations(report, processor).unwrap_or_else(|| json!([]));
        let of_key = |key: &&str| json!({"key": key, "operator": "Exists", "effect": "NoSchedule"});
        if let Some(list) = tolerations.as_array_mut() {
            list.extend(further.iter().map(of_key));
        }
        if tolerations != json!([]) {
            self.spec.insert("tolerations".to_owned(), tolerations);
        }
        let key = report.text_of(processor, "node_purpose_label_key");
        let purpose = report.text_of(processor, "default_node_purpose");
        if let (Some(key), Some(purpose)) = (key, purpose) {
            let terms = json!([{"matchExpressions": [{"key": key, "operator": "In", "values": [purpose]}]}]);
            let required =
                json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}});
            self.spec.insert("affinity".to_owned(), json!({"nodeAffinity": required}));
        }
    }

    /// As whom it runs; files on volumes belong to the group of all notebooks.
    pub(super) fn user(&mut self, report: &mut Report, processor: &Spot<'_>) {
        let mut context = json!({"fsGroup": 100, "fsGroupChangePolicy": "OnRootMismatch"});
        for (from, to) in [("run_as_user", "runAsUser"), ("run_as_group", "runAsGroup")] {
            // YAML has no such word; a sample has it all the same.
            let member = processor.some(from).filter(|it| it.node.text() != Some("None"));
            if let Some(number) = member.and_then(|member| report.whole(&member)) {
                context[to] = number.into();
            }
        }
        self.spec.insert("securityContext".to_owned(), context);
    }

    pub(super) fn resources(&mut self, report: &mut Report, processor: &Spot<'_>) {
        let mut resources = Map::new();
        for (from, to) in [("extra_resource_limits", "limits"), ("extra_resource_requests", "requests")] {
            let amounts = processor.some(from).map(|it| common::amounts(report, &it)).unwrap_or_default();
            if !amounts.is_empty() {
                resources.insert(to.to_owned(), Value::Object(amounts));
            }
        }
        if !resources.is_empty() {
            self.container.insert("resources".to_owned(), Value::Object(resources));
        }
    }
}

/// The maps of a list. Charts leave what is empty without a value, or write `""`.
pub(super) fn list<'a>(report: &mut Report, processor: &Spot<'a>, name: &str) -> Vec<Spot<'a>> {
    let Some(spot) = processor.some(name).filter(|it| it.node.text() != Some("")) else { return Vec::new() };
    report.list(&spot).into_iter().filter(|item| report.map(item)).collect()
}

/// A key that says something: no `null`, no `""`, no `[]`, and not `false`.
pub(super) fn says_something<'a>(processor: &Spot<'a>, name: &str) -> Option<Spot<'a>> {
    processor.get(name).filter(|spot| match &spot.node.kind {
        Kind::Scalar(Scalar::Text(text)) => !text.is_empty() && text != "None",
        _ => spot.node.is_truthy(),
    })
}
