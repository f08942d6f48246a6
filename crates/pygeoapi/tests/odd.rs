//! Configurations that nobody would write: whatever stands in them, they are read, and what comes out is used.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use proptest::{prelude::*, sample::select};
use rutter_pygeoapi::{Level, Remark, read};
use serde_json::{Map, Value, json};

/// Members of processors and of what stands in them.
const KEYS: &[&str] = &[
    "metadata",
    "command",
    "image_pull_secrets",
    "image_pull_secret",
    "env",
    "resources",
    "storage",
    "init_containers",
    "tolerations",
    "check_auth",
    "mimetype",
    "pod_security_context",
    "container_security_context",
    "output_directory",
    "secrets",
    "extra_pvcs",
    "extra_volumes",
    "extra_volume_mounts",
    "s3",
    "checkout_git_repo",
    "run_as_user",
    "extra_resource_limits",
    "parameters_env",
    "inputs",
    "title",
    "version",
];
const INNER: &[&str] = &[
    "name",
    "value",
    "secret_name",
    "secret_key",
    "valueFrom",
    "secretKeyRef",
    "key",
    "limits",
    "requests",
    "cpu",
    "mount_path",
    "empty_dir",
    "size_limit",
    "persistent_volume_claim_name",
    "image",
    "args",
    "volumeMounts",
    "operator",
    "effect",
    "toleration_seconds",
    "runAsUser",
    "capabilities",
    "add",
    "id",
    "version",
    "title",
    "description",
    "keywords",
    "links",
    "href",
    "inputs",
    "outputs",
    "schema",
    "type",
    "minOccurs",
    "maxOccurs",
    "default",
    "example",
    "jobControlOptions",
    "en",
    "de",
    "x*",
    "outputTransmission",
    "claim_name",
    "access",
    "url",
];
const WORDS: &[&str] = &[
    "",
    "a",
    "a b",
    "number",
    "object",
    "sync-execute",
    "$(x)",
    "$(inputs.a)",
    "$$(",
    "$(KEY",
    "100m",
    "-1",
    "ä\n",
    "RUTTER_X",
    "X",
    "unbounded",
    "env",
    "None",
    "image/tiff",
    "http://x/",
    "https://[",
    "name-with.dots",
    "/rutter/x",
    "application/json",
];
const CLASSES: &[&str] = &[
    "pygeoapi_k8s_manager.process.GenericImageProcessor",
    "pygeoapi_k8s_manager.process.HelloWorldK8sProcessor",
    "pygeoapi_kubernetes_papermill.PapermillNotebookKubernetesProcessor",
    "pygeoapi_kubernetes_papermill.ContainerImageKubernetesProcessor",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2_i64..5).prop_map(Value::from),
        (-2.0..5.0_f64).prop_map(Value::from),
        select(WORDS).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((select(INNER), inner), 0..6).prop_map(object),
        ]
    })
}

fn object(members: Vec<(&str, Value)>) -> Value {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
}

/// A map with some of these members, whose values are mostly leaves.
fn some(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    proptest::collection::vec((select(names), value()), 0..5).prop_map(object)
}

fn list_of(item: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    proptest::collection::vec(item, 0..4).prop_map(Value::Array)
}

/// A value of about the shape that a member should have.
fn member() -> impl Strategy<Value = (&'static str, Value)> {
    let schema = some(&[
        "type",
        "default",
        "enum",
        "minimum",
        "items",
        "properties",
        "$ref",
        "format",
        "contentMediaType",
        "required",
    ]);
    let part = some(&["title", "description", "keywords", "minOccurs", "maxOccurs", "metadata"]);
    let described = (part, schema).prop_map(|(mut part, schema)| {
        part["schema"] = schema;
        part
    });
    let ids = select(&["a", "b", "x*", "token"][..]);
    let values = proptest::collection::vec((ids, described), 0..3).prop_map(object).boxed();
    let head = some(&[
        "id",
        "version",
        "title",
        "description",
        "keywords",
        "jobControlOptions",
        "links",
        "example",
        "outputTransmission",
    ]);
    let metadata = (head, values.clone(), values).prop_map(|(mut head, inputs, outputs)| {
        head["inputs"] = inputs;
        head["outputs"] = outputs;
        head
    });
    let words = || list_of(select(WORDS).prop_map(Value::from));
    let env = || list_of(some(&["name", "name", "value", "secret_name", "secret_key", "valueFrom"]));
    prop_oneof![
        3 => metadata.prop_map(|it| ("metadata", it)),
        2 => words().prop_map(|it| ("command", it)),
        3 => env().prop_map(|it| ("env", it)),
        1 => list_of(some(&["name", "mount_path", "empty_dir", "persistent_volume_claim_name"])).prop_map(|it| ("storage", it)),
        1 => list_of(some(&["name", "image", "command", "args", "env", "volumeMounts", "resources", "x"]))
            .prop_map(|it| ("init_containers", it)),
        1 => list_of(some(&["key", "operator", "effect", "toleration_seconds"])).prop_map(|it| ("tolerations", it)),
        1 => some(&["runAsUser", "privileged", "capabilities", "seccompProfile"]).prop_map(|it| ("container_security_context", it)),
        1 => some(&["limits", "requests"]).prop_map(|it| ("resources", it)),
        1 => list_of(some(&["name", "access"])).prop_map(|it| ("secrets", it)),
        1 => some(&["A", "B-C"]).prop_map(|it| ("parameters_env", it)),
        4 => (select(KEYS), value()),
    ]
}

fn processor() -> impl Strategy<Value = Value> {
    (select(CLASSES), proptest::collection::vec(member(), 0..6)).prop_map(|(class, members)| {
        let mut processor = object(members);
        let filled = json!({"output_directory": "out", "command": "run", "default_image": "a:1"});
        for (name, value) in filled.as_object().unwrap() {
            if processor[name].is_null() {
                processor[name] = value.clone();
            }
        }
        processor["name"] = class.into();
        processor
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn processors_of_any_shape_become_packages(processor in processor()) {
        let text = json!({"resources": {"p": {"type": "process", "processor": processor}}}).to_string();
        let configuration = read(&text, Path::new("f"), &|_| None).unwrap();
        let left_out: Vec<_> = configuration.remarks.iter().filter(|remark| remark.level == Level::LeftOut).collect();
        prop_assert!(configuration.processes.len() == 1 || !left_out.is_empty());
        // Nothing that stands in one member may cost the whole process, but a command that names no program.
        let lost = |remark: &&&Remark| {
            remark.text.starts_with("makes no package") && !remark.text.ends_with("the program has no name")
        };
        prop_assert!(left_out.iter().find(lost).is_none(), "{:?}", left_out);
    }

    #[test]
    fn whole_files_of_any_shape_are_read(top in value(), server in value(), metadata in value()) {
        let text = json!({"server": server, "metadata": metadata, "resources": top, "logging": {}}).to_string();
        prop_assert!(read(&text, Path::new("f"), &|_| None).is_ok());
    }
}
