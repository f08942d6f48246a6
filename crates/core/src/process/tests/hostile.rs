//! Files that were made to hurt, and files that are no packages at all.

use std::path::Path;

use proptest::prelude::*;

use super::{super::file, package, read};

#[test]
fn hostile_files_are_refused_with_a_line_of_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("package.yaml");
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        bomb.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            vec![format!("*a{}", level - 1); 10].join(", ")
        ));
    }
    let files: [(Vec<u8>, &str); 7] = [
        (bomb.into_bytes(), "too large or too complex"),
        (b"{".repeat(100_000), ""),
        (vec![0x7f, b'E', b'L', b'F', 0, 1, 2], "control character"),
        (b"a: 1\nb: \xff".to_vec(), ":2:4: is no text in utf-8"),
        (vec![b'a'; 5 * 1024 * 1024], "longer than"),
        (b"a: *nothing\n".to_vec(), ""),
        (b"a: !!python/object:os.system x\n".to_vec(), ""),
    ];
    for (bytes, wanted) in files {
        std::fs::write(&path, &bytes).unwrap();
        let checked = file::check(&path);
        let faults = checked.result.map(|_| ()).unwrap_err();
        assert_eq!(faults.len(), 1);
        let told = faults[0].to_string();
        assert!(told.to_lowercase().contains(wanted) && !told.contains('\n'), "{wanted}: {told}");
    }
}

#[test]
fn a_folder_or_a_device_is_no_package() {
    assert!(file::check(Path::new("/dev/zero")).result.is_err());
    assert!(file::check(Path::new("/")).result.is_err());
    assert!(file::check(Path::new("/nowhere/package.yaml")).result.is_err());
}

#[test]
fn one_file_tells_a_bounded_number_of_faults() {
    let members: String = (0..10_000).map(|at| format!("m{at}: 1\n")).collect();
    assert!(read(&members).unwrap_err().len() <= 100);
}

/// Values that are likely to reach deep into the reader, besides plain nonsense.
fn value() -> impl Strategy<Value = serde_json::Value> {
    let word = prop::sample::select(vec![
        "$(inputs.x)",
        "$(",
        "$$(",
        "$(inputs.",
        "$(self.path)",
        "unbounded",
        "docker",
        "command",
        "#/$defs/a",
        "#",
        "",
        "byValue",
        "a/../b",
        "\u{1F30A}",
        "1",
        "sync-execute",
        "string",
        "object",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        word.prop_map(Into::into),
        ".{0,8}".prop_map(Into::into),
    ];
    let key = prop::sample::select(vec![
        "processDescription",
        "process",
        "id",
        "version",
        "inputs",
        "outputs",
        "schema",
        "default",
        "href",
        "minOccurs",
        "maxOccurs",
        "executionUnit",
        "type",
        "value",
        "command",
        "image",
        "env",
        "name",
        "config",
        "cpuMin",
        "bindings",
        "inputBindings",
        "outputBindings",
        "glob",
        "stdout",
        "prefix",
        "valueFrom",
        "itemSeparator",
        "x",
        "y",
        "$ref",
        "$defs",
        "oneOf",
        "items",
        "examples",
        "title",
        "metadata",
        "links",
        "properties",
        "",
    ]);
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::hash_map(key.clone(), inner, 0..6).prop_map(|map| {
                serde_json::Value::Object(
                    map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
                )
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn any_bent_yaml_is_read_or_refused(at in 0usize..400, with in "[-:{}\\[\\]&*!|>'\"#%@,?a-z0-9 \n\t]{0,6}") {
        let whole = package("{type: string, default: a}", "  command: [m, $(inputs.x)]\n  config: {cpuMin: 2}");
        let at = at.min(whole.len());
        let _ = read(&format!("{}{with}{}", &whole[..at], &whole[at..]));
        let _ = read(&whole[..at]);
    }

    #[test]
    fn any_document_is_read_or_refused(value in value()) {
        if let Err(faults) = read(&value.to_string()) {
            prop_assert!(!faults.is_empty());
        }
    }

    #[test]
    fn any_members_are_read_or_refused(inputs in value(), unit in value(), schema in value()) {
        let text = serde_json::json!({
            "processDescription": {"process": {
                "id": "p",
                "inputs": {"x": {"schema": schema.clone()}, "y": inputs},
                "outputs": {"y": {"schema": schema}},
            }},
            "executionUnit": {"type": "command", "command": ["m"], "env": unit.clone(), "bindings": unit.clone(), "config": unit},
        });
        if let Err(faults) = read(&text.to_string()) {
            prop_assert!(faults.iter().all(|fault| fault.line > 0));
        }
    }

    #[test]
    fn any_schema_has_a_translation(schema in value()) {
        let _ = super::super::dialect::to_v1(&schema);
    }
}
