//! Puts what callers may choose into a unit's template (`kubernetes.fromInputs`).

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::{
    id::InputId,
    process::{CHOSEN_IMAGE, DockerUnit},
    validate::{Content, ValidInput},
};

/// The unit's image and its member `kubernetes`, with the values that were given.
pub(super) fn of(unit: &DockerUnit, inputs: &IndexMap<InputId, ValidInput>) -> (String, Option<Value>) {
    let (mut image, mut kubernetes) = (unit.image.clone(), unit.kubernetes.clone());
    let chosen =
        kubernetes.as_mut().and_then(Value::as_object_mut).and_then(|it| it.shift_remove("fromInputs"));
    let Some(Value::Object(chosen)) = chosen else { return (image, kubernetes) };
    for (id, places) in chosen {
        let Some(value) = inputs.get(id.as_str()).and_then(text) else { continue };
        let places = if let Value::Array(places) = places { places } else { vec![places] };
        for place in places.iter().filter_map(Value::as_str) {
            if place == CHOSEN_IMAGE {
                image.clone_from(&value);
            } else if let Some(kubernetes) = &mut kubernetes {
                put(kubernetes, &format!("/podTemplate{place}"), Value::String(value.clone()));
            }
        }
    }
    (image, kubernetes)
}

/// Kubernetes has text wherever something can be chosen.
fn text(input: &ValidInput) -> Option<String> {
    match &input.values.first()?.content {
        Content::Json(Value::String(text)) => Some(text.clone()),
        Content::Json(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    }
}

/// Sets what a pointer names; objects on its way that are missing are made, items of lists are not.
fn put(root: &mut Value, pointer: &str, value: Value) {
    let mut node = root;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        if node.is_null() {
            *node = Value::Object(Map::new());
        }
        let next = match node {
            Value::Object(members) => Some(members.entry(step).or_insert(Value::Null)),
            Value::Array(items) => step.parse::<usize>().ok().and_then(|at| items.get_mut(at)),
            _ => None,
        };
        let Some(next) = next else { return };
        node = next;
    }
    *node = value;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{
        plan::{Plan, PlannedUnit, plan, tests::defaults},
        process::UnitKind,
        validate::tests::{check, process},
    };

    const PACKAGE: &str = r#"
processDescription:
  process:
    id: notebook
    version: 1.0.0
    inputs:
      memory: {schema: {type: [string, number], pattern: "^[0-9]+(Gi)?$"}, minOccurs: 0}
      machine: {schema: {type: string, pattern: "^(?:c1|gpu)$"}, minOccurs: 0}
      image: {schema: {enum: ["a:1", "b:2"]}, minOccurs: 0}
executionUnit:
  type: docker
  image: a:1
  command: [run]
  kubernetes:
    podTemplate: {spec: {containers: [{name: main}], nodeSelector: {machine: c1}}}
    fromInputs:
      memory: [/spec/containers/0/resources/limits/memory, /metadata/annotations/example.org~1memory]
      machine: /spec/nodeSelector/machine
      image: image
"#;

    fn planned(inputs: serde_json::Value) -> Plan {
        let process = process(PACKAGE);
        let valid =
            check(&process, json!({ "inputs": inputs })).unwrap_or_else(|faults| panic!("{faults:#?}"));
        plan(&process, process.unit_for(UnitKind::Docker).unwrap(), &valid, &defaults())
    }

    fn unit(plan: Plan) -> (String, serde_json::Value) {
        let PlannedUnit::Docker { image, kubernetes, .. } = plan.unit else { panic!() };
        (image, kubernetes.unwrap())
    }

    #[test]
    fn what_is_given_stands_in_the_template() {
        let (image, kubernetes) = unit(planned(json!({"memory": "4Gi", "machine": "gpu", "image": "b:2"})));
        assert_eq!(image, "b:2");
        let wanted = json!({"podTemplate": {
            "metadata": {"annotations": {"example.org/memory": "4Gi"}},
            "spec": {"containers": [{"name": "main", "resources": {"limits": {"memory": "4Gi"}}}], "nodeSelector": {"machine": "gpu"}},
        }});
        assert_eq!(kubernetes, wanted);
        let (_, number) = unit(planned(json!({"memory": 5})));
        assert_eq!(
            number.pointer("/podTemplate/spec/containers/0/resources/limits/memory"),
            Some(&json!("5"))
        );
    }

    #[test]
    fn what_is_not_given_leaves_it_as_it_is() {
        let (image, kubernetes) = unit(planned(json!({})));
        assert_eq!(image, "a:1");
        let wanted = json!({"podTemplate": {"spec": {"containers": [{"name": "main"}], "nodeSelector": {"machine": "c1"}}}});
        assert_eq!(kubernetes, wanted);
    }

    #[test]
    fn what_the_schema_does_not_allow_never_comes_so_far() {
        let process = process(PACKAGE);
        for inputs in
            [json!({"machine": "gpu, or any"}), json!({"memory": "4Gi\n"}), json!({"image": "evil:1"})]
        {
            assert!(check(&process, json!({ "inputs": inputs })).is_err(), "{inputs}");
        }
    }
}
