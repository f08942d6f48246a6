//! Strategic merge, as Kubernetes merges objects: members by name, lists by what names their items.
//!
//! Done on JSON: a package's template is merged as written, so nothing in it has to be known here.

use serde_json::{Map, Value};

/// `patch` over `base`: what both have is the patch's, `null` removes.
pub(crate) fn merge(base: &mut Value, patch: Value) {
    merge_member("", base, patch);
}

fn merge_member(name: &str, base: &mut Value, patch: Value) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => merge_objects(base, patch),
        (Value::Array(base), Value::Array(patch)) => match list_of(name) {
            List::Keyed(key) => merge_keyed(name, key, base, patch),
            List::Set => {
                let new: Vec<Value> = patch.into_iter().filter(|item| !base.contains(item)).collect();
                base.extend(new);
            }
            List::Whole => *base = patch,
        },
        (base, patch) => *base = without_nulls(patch),
    }
}

fn merge_objects(base: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        if value.is_null() {
            base.shift_remove(&name);
        } else if let Some(before) = base.get_mut(&name) {
            merge_member(&name, before, value);
        } else {
            base.insert(name, without_nulls(value));
        }
    }
}

/// Items of one key are one item. What comes first runs first: new containers of preparation go to the front.
fn merge_keyed(name: &str, key: &str, base: &mut Vec<Value>, patch: Vec<Value>) {
    let mut front = 0;
    for item in patch {
        let same =
            base.iter_mut().find(|before| before.get(key).is_some() && before.get(key) == item.get(key));
        match same {
            Some(before) => merge_member("", before, item),
            None if name == "initContainers" => {
                base.insert(front, without_nulls(item));
                front += 1;
            }
            None => base.push(without_nulls(item)),
        }
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

enum List {
    /// Items are told apart by a member.
    Keyed(&'static str),
    /// Every item once.
    Set,
    /// One value.
    Whole,
}

/// How the lists of a pod's specification are merged (`patchStrategy` and `patchMergeKey` of its types; tolerations,
/// which Kubernetes takes whole, are put together).
fn list_of(name: &str) -> List {
    match name {
        "containers" | "initContainers" | "volumes" | "env" | "imagePullSecrets" | "resourceClaims" => {
            List::Keyed("name")
        }
        "volumeMounts" => List::Keyed("mountPath"),
        "volumeDevices" => List::Keyed("devicePath"),
        "ports" => List::Keyed("containerPort"),
        "hostAliases" => List::Keyed("ip"),
        "topologySpreadConstraints" => List::Keyed("topologyKey"),
        "tolerations" | "envFrom" => List::Set,
        _ => List::Whole,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(mut base: Value, patch: Value) -> Value {
        merge(&mut base, patch);
        base
    }

    #[test]
    fn lists_are_merged_by_what_names_their_items() {
        let base = json!({"containers": [{"name": "a", "image": "x", "env": [{"name": "E", "value": "1"}],
            "volumeMounts": [{"name": "v", "mountPath": "/v"}], "args": ["1", "2"]}, {"name": "b"}]});
        let patch = json!({"containers": [{"name": "a", "env": [{"name": "F", "value": "2"}, {"name": "E", "value": "3"}],
            "volumeMounts": [{"name": "w", "mountPath": "/w"}], "args": ["3"]}, {"name": "c"}]});
        let wanted = json!({"containers": [{"name": "a", "image": "x",
            "env": [{"name": "E", "value": "3"}, {"name": "F", "value": "2"}],
            "volumeMounts": [{"name": "v", "mountPath": "/v"}, {"name": "w", "mountPath": "/w"}], "args": ["3"]},
            {"name": "b"}, {"name": "c"}]});
        assert_eq!(merged(base, patch), wanted);
    }

    #[test]
    fn preparation_comes_first_and_in_order() {
        let base = json!({"initContainers": [{"name": "theirs"}]});
        let patch = json!({"initContainers": [{"name": "one"}, {"name": "two"}]});
        let names: Vec<Value> = merged(base, patch)["initContainers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["name"].clone())
            .collect();
        assert_eq!(names, ["one", "two", "theirs"]);
    }

    #[test]
    fn null_removes_and_twice_is_once() {
        assert_eq!(merged(json!({"a": {"b": 1, "c": 2}}), json!({"a": {"b": null}})), json!({"a": {"c": 2}}));
        assert_eq!(merged(json!({}), json!({"a": {"b": null}})), json!({"a": {}}));
        let patch = json!({"tolerations": [{"key": "gpu"}], "volumes": [{"name": "v", "emptyDir": {}}]});
        let once = merged(json!({"tolerations": [{"key": "spot"}]}), patch.clone());
        assert_eq!(once["tolerations"], json!([{"key": "spot"}, {"key": "gpu"}]));
        assert_eq!(merged(once.clone(), patch), once);
    }
}
