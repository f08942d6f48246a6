//! What a right package becomes.

use std::path::Path;

use rutter_types::{JobControl, TransmissionMode, agent::FileField};
use serde_json::json;

use super::{
    super::{CommandItem, EnvValue, ExecutionUnit, OutputBinding, Template, TemplatePart, UnitKind, file},
    lines, package, right,
};

const WHOLE: &str = r#"
processDescription:
  process:
    id: flood
    legacyId: FloodProcess
    title: Flood
    inputs:
      level: {schema: {type: number, default: 360}}
      dem: {schema: {type: string, contentMediaType: image/tiff}, minOccurs: 1, maxOccurs: unbounded}
      names: {schema: {type: array, items: {type: string}}, minOccurs: 0}
      mode: {schema: {type: string}, minOccurs: 0}
    outputs:
      depth: {schema: {type: string, contentMediaType: image/tiff}, maxOccurs: 3}
      log: {schema: {type: string}}
executionUnit:
  - type: docker
    value:
      image: ghcr.io/example/flood:1.0
      kubernetes: {nodeSelector: {a: b}}
  - type: command
    command: [flood, --level, $(inputs.level), [--dem, $(inputs.dem.path)], "--x=$(inputs.mode)!", $$(HOME), ""]
    env:
      - {name: OMP_NUM_THREADS, value: "4"}
      - {name: HOME_PAGE, inherit: true}
      - {name: KEY, secretName: s3, secretKey: key}
    config: {cpuMin: 0.5, cpuMax: 4, memoryMin: 4, memoryMax: 8, gpus: 1, storageTempMin: 10, jobTimeout: 3600, retries: 1}
    bindings:
      inputBindings:
        mode: {prefix: --mode, position: 2}
        names: {prefix: "--names=", itemSeparator: ",", position: 1}
        level: {valueFrom: "$(self) m"}
      outputBindings:
        depth: {glob: ["depth*.tif", "tiles/*.tif"], whenFailed: true}
        log: {stdout: true}
answer: [log, depth]
examples:
  - title: One
    inputs: {dem: [{href: "https://example.org/dem.tif"}]}
"#;

fn text(text: &str) -> TemplatePart {
    TemplatePart::Text(text.to_owned())
}

fn value(id: &str) -> TemplatePart {
    TemplatePart::Value(id.parse().unwrap())
}

#[test]
fn a_package_becomes_a_process() {
    let (process, notices) = right(WHOLE);
    assert_eq!((process.id.as_str(), process.legacy_id.as_deref()), ("flood", Some("FloodProcess")));
    assert_eq!(process.description.summary.version, "1.0.0");
    let controls = [JobControl::SyncExecute, JobControl::AsyncExecute, JobControl::Dismiss];
    assert_eq!(process.description.summary.job_control_options, controls);
    let modes = [TransmissionMode::Value, TransmissionMode::Reference];
    assert_eq!(process.description.summary.output_transmission, modes);
    assert_eq!(
        process.inputs.keys().map(|id| id.as_str()).collect::<Vec<_>>(),
        ["level", "dem", "names", "mode"]
    );
    assert_eq!(process.inputs["level"].default, Some(json!(360)));
    let dem = &process.inputs["dem"];
    assert_eq!((dem.is_file, dem.min_occurs, dem.max_occurs), (true, 1, None));
    assert!(dem.by_value && dem.by_reference);
    assert_eq!(process.outputs["depth"].media_types, ["image/tiff"]);
    assert!(process.outputs["depth"].is_many() && !process.outputs["log"].is_many());
    assert_eq!(process.answer.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["log", "depth"]);
    assert_eq!(process.examples[0].inputs["dem"][0]["href"], "https://example.org/dem.tif");
    assert_eq!(notices.len(), 1, "cpuMin below 1 is told: {}", lines(&notices));
    assert_eq!(notices[0].path, "executionUnit[1].config.cpuMin");
}

#[test]
fn units_are_read_in_order_flat_or_wrapped() {
    let (process, _) = right(WHOLE);
    assert!(process.runnable(UnitKind::Docker) && process.runnable(UnitKind::Command));
    let Some(ExecutionUnit::Docker(docker)) = process.unit_for(UnitKind::Docker) else { panic!() };
    assert_eq!(docker.image, "ghcr.io/example/flood:1.0");
    assert_eq!(docker.kubernetes, Some(json!({"nodeSelector": {"a": "b"}})));
    let Some(ExecutionUnit::Command(unit)) = process.unit_for(UnitKind::Command) else { panic!() };
    assert_eq!(unit.config.job_timeout, Some(3600.0));
    assert_eq!(unit.env[1].value, EnvValue::Inherit);
    assert_eq!(unit.env[2].value, EnvValue::Secret { name: "s3".to_owned(), key: "key".to_owned() });
    let globs = OutputBinding::Glob(vec!["depth*.tif".to_owned(), "tiles/*.tif".to_owned()]);
    assert_eq!(unit.outputs["depth"], globs);
    assert_eq!(unit.outputs["log"], OutputBinding::Stdout);
    assert_eq!(unit.when_failed.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["depth"]);
}

#[test]
fn commands_are_arguments_and_bindings_follow_by_position() {
    let (process, _) = right(WHOLE);
    let one = |parts: Vec<TemplatePart>| CommandItem::One(Template(parts));
    let dem = TemplatePart::File("dem".parse().unwrap(), FileField::Path);
    let wanted = [
        one(vec![text("flood")]),
        one(vec![text("--level")]),
        one(vec![value("level")]),
        CommandItem::Together(vec![Template(vec![text("--dem")]), Template(vec![dem])]),
        one(vec![text("--x="), value("mode"), text("!")]),
        one(vec![text("$(HOME)")]),
        one(vec![]),
        one(vec![value("level"), text(" m")]),
        one(vec![text("--names="), TemplatePart::Joined("names".parse().unwrap(), ",".to_owned())]),
        CommandItem::Together(vec![Template(vec![text("--mode")]), Template(vec![value("mode")])]),
    ];
    assert_eq!(process.unit_for(UnitKind::Command).unwrap().command(), wanted);
}

#[test]
fn both_shapes_of_the_description_and_json_are_the_same() {
    let new = package("{type: number}", "  command: [m]");
    let (new, _) = right(&new);
    let old = r#"{"processDescription": {"id": "p", "inputs": {"x": {"schema": {"type": "number"}, "minOccurs": 0}},
        "outputs": {"y": {"schema": {"type": "string"}}}}, "executionUnit": [{"type": "command", "command": ["m"]}]}"#;
    let (old, _) = right(old);
    assert_eq!(new.description, old.description);
    assert_eq!(new.units, old.units);
}

#[test]
fn the_digest_follows_the_content_only() {
    let text = package("{type: number}", "  command: [m]");
    let digest = |text: &str| right(text).0.digest;
    assert_eq!(digest(&text), digest(&format!("# a comment\n{text}")));
    assert_ne!(digest(&text), digest(&text.replace("[m]", "[n]")));
}

#[test]
fn what_1_0_cannot_say_is_noticed() {
    for schema in [
        "{const: a}",
        "{type: [string, 'null']}",
        "{type: number, exclusiveMinimum: 0}",
        "{$ref: '#/$defs/a', $defs: {a: {type: string}}}",
        "{type: object, properties: {a: {prefixItems: [{}]}}}",
        "{type: number, minimun: 0}",
    ] {
        let (_, notices) = right(&package(schema, "  command: [m]"));
        assert!(!notices.is_empty(), "{schema}");
        assert!(notices.iter().all(|notice| notice.line == 5), "{}", lines(&notices));
    }
    let (_, notices) = right(&package(
        "{type: number, x-unit: m, nullable: true, minimum: 0, exclusiveMinimum: true}",
        "  command: [m]",
    ));
    assert!(notices.is_empty(), "{}", lines(&notices));
}

#[test]
fn media_types_and_files_follow_the_schema() {
    let table = [
        ("{type: string}", vec!["text/plain"], false),
        ("{type: number}", vec!["application/json"], false),
        ("{}", vec!["application/json"], false),
        ("{type: string, contentMediaType: text/csv}", vec!["text/csv"], true),
        ("{type: string, contentEncoding: binary, contentMediaType: image/tiff}", vec!["image/tiff"], true),
        ("{type: string, format: byte}", vec!["application/octet-stream"], true),
        ("{type: object, contentMediaType: application/geo+json}", vec!["application/geo+json"], false),
        (
            "{oneOf: [{type: string, contentMediaType: text/csv}, {type: object}]}",
            vec!["text/csv", "application/json"],
            true,
        ),
        (
            "{oneOf: [{type: object}, {type: string, contentMediaType: text/csv}]}",
            vec!["application/json", "text/csv"],
            false,
        ),
    ];
    for (schema, wanted, is_file) in table {
        let text =
            package(schema, "  command: [m]").replace("schema: {type: string}", &format!("schema: {schema}"));
        let (process, _) = right(&text);
        assert_eq!(process.outputs["y"].media_types, wanted, "{schema}");
        assert_eq!(process.inputs["x"].is_file, is_file, "{schema}");
    }
}

#[test]
fn defaults_of_many_values_are_arrays() {
    let text = |default: &str| {
        format!(
            "processDescription: {{process: {{id: p, inputs: {{x: {{schema: {{type: integer}}, maxOccurs: 3, default: \
             {default}}}}}}}}}\nexecutionUnit: {{type: command, command: [m]}}"
        )
    };
    assert_eq!(right(&text("5")).0.inputs["x"].default, Some(json!([5])));
    assert_eq!(right(&text("[1, 2]")).0.inputs["x"].default, Some(json!([1, 2])));
    assert!(super::read(&text("[1, 2, 3, 4]")).is_err());
    assert!(super::read(&text("[1, a]")).is_err());
}

#[test]
fn file_defaults_stay_in_the_folder() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.tif"), "x").unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/dem.tif"), "x").unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.tif"), folder.path().join("link.tif")).unwrap();
    let read = |href: &str| {
        let schema = format!("{{type: string, contentEncoding: binary, default: {{href: '{href}'}}}}");
        let path = folder.path().join("package.yaml");
        std::fs::write(&path, package(&schema, "  command: [m]")).unwrap();
        file::check(&path).result
    };
    assert_eq!(read("data/dem.tif").unwrap().inputs["x"].default, Some(json!({"href": "data/dem.tif"})));
    assert!(read("https://example.org/dem.tif").is_ok());
    let escape = format!("../{}/secret.tif", outside.path().file_name().unwrap().to_str().unwrap());
    for (href, wanted) in [
        ("data/none.tif", "can't be read"),
        ("link.tif", "lies outside"),
        (escape.as_str(), "lies outside"),
        ("/etc/passwd", "lies outside"),
        ("data", "is no file"),
    ] {
        let faults = read(href).map(|_| ()).unwrap_err();
        assert!(lines(&faults).contains(wanted), "{href}: {}", lines(&faults));
    }
}

#[test]
fn inputs_may_follow_code_and_scripts() {
    for command in [
        "[sh, -c, 'model \"$1\"', sh, $(inputs.x)]",
        "[python3, model.py, -c, $(inputs.x)]",
        "[python3, -m, model, -c, $(inputs.x)]",
        "[model, -c, $(inputs.x)]",
    ] {
        right(&package("{type: number}", &format!("  command: {command}")));
    }
}

#[test]
fn a_command_may_name_files_of_its_package() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("package.yaml");
    std::fs::write(&path, package("{type: number}", "  command: [python3, $(package)/model.py]")).unwrap();
    let process = file::check(&path).result.unwrap();
    let argument = CommandItem::One(Template(vec![text(&format!("{}/model.py", folder.path().display()))]));
    assert_eq!(process.units[0].command()[1], argument);
}

#[test]
fn the_shipped_packages_are_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../processes");
    let files = file::find(&folder).unwrap();
    assert!(files.len() >= 5);
    for path in files {
        let checked = file::check(&path);
        assert!(checked.result.is_ok(), "{}", lines(&checked.result.unwrap_err()));
    }
}
