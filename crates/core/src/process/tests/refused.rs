//! Faults are told all at once, each with its place and its remedy.

use super::{lines, package, read};

const TEN: &str = r#"processDescription:
  process:
    id: my process
    version: 1.0
    titel: Flood
    jobControlOptions: [sync-execute, async]
    inputs:
      level:
        schema: {type: float}
      dem:
        schema: {type: string, contentMediaType: image/tiff}
        minOccurs: 2
        maxOccurs: 1
      count:
        schema: {type: integer, minimum: 1, default: 0}
    outputs:
      depth:
        schema: {$ref: "https://example.org/schema.json"}
executionUnit:
  - type: command
    command: [./flood, $(inputs.levle), $(inputs.dem.size)]
    config: {cpuMin: 4, cpuMax: 2, memoryMax: -1, memory: 3}
    env: [{name: 1A, value: x}]
    bindings:
      outputBindings:
        depht: {glob: depth.tif}
schedules: []
"#;

#[test]
fn every_fault_of_a_file_is_told_in_one_run_with_its_place() {
    let wanted = [
        (3, 9, "processDescription.process.id", "has the character ' '", "my-process"),
        (4, 14, "processDescription.process.version", "must be text", "\"1.0\""),
        (5, 5, "processDescription.process.titel", "unknown member", "did you mean \"title\"?"),
        (
            6,
            39,
            "processDescription.process.jobControlOptions[1]",
            "not allowed",
            "did you mean \"async-execute\"?",
        ),
        (9, 24, "processDescription.process.inputs.level.schema.type", "no type", "did you mean \"number\"?"),
        (12, 20, "processDescription.process.inputs.dem.minOccurs", "more than maxOccurs", "maxOccurs: 2"),
        (15, 54, "processDescription.process.inputs.count.schema.default", "minimum", "must satisfy"),
        (18, 24, "processDescription.process.outputs.depth.schema.$ref", "another document", "$defs"),
        (21, 24, "executionUnit[0].command[1]", "no input \"levle\"", "did you mean \"level\"?"),
        (21, 41, "executionUnit[0].command[2]", "\"size\"", ".basename"),
        (22, 22, "executionUnit[0].config.cpuMin", "more than cpuMax", "raise cpuMax"),
        (22, 47, "executionUnit[0].config.memoryMax", "more than 0", "GB"),
        (22, 51, "executionUnit[0].config.memory", "unknown member", "did you mean \"memoryMin\"?"),
        (23, 18, "executionUnit[0].env[0].name", "no name of a variable", "digits"),
        (26, 9, "executionUnit[0].bindings.outputBindings.depht", "no output", "did you mean \"depth\"?"),
        (27, 1, "schedules", "schedules are not supported by this version", ""),
    ];
    let faults = read(TEN).unwrap_err();
    assert_eq!(faults.len(), wanted.len(), "{}", lines(&faults));
    for (fault, (line, column, path, message, remedy)) in faults.iter().zip(wanted) {
        assert_eq!((fault.line, fault.column, fault.path.as_str()), (line, column, path), "{fault}");
        assert!(fault.message.contains(message), "{message}: {fault}");
        assert!(fault.remedy.as_deref().unwrap_or("").contains(remedy), "{remedy}: {fault}");
    }
    assert!(faults[0].to_string().starts_with("p.yaml:3:9: processDescription.process.id: "));
}

#[test]
fn each_mistake_is_refused_in_its_own_words() {
    let unit = |unit: &str| package("{type: number}", unit);
    let docker = |kubernetes: &str| {
        format!(
            "processDescription: {{process: {{id: p}}}}\nexecutionUnit: {{type: docker, image: a, kubernetes: {kubernetes}}}"
        )
    };
    let table = [
        (unit("  command: python3 model.py"), "write the arguments one by one: [python3, model.py]"),
        (unit("  command: []"), "is empty"),
        (unit("  image: a"), "belongs to units of `type: docker`"),
        (unit("  command: [$(inputs.x)]"), "the program comes from an input"),
        (unit("  command: [sh, -c, 'model $(inputs.x)']"), "in code"),
        (unit("  command: [python3, -X, dev, -Ic, 'print($(inputs.x))']"), "in code"),
        (unit("  command: [bash, -o, pipefail, [-c, 'a | b $(inputs.x)']]"), "in code"),
        (unit("  command: [env, bash, -ec, 'model $(inputs.x)']"), "in code"),
        (unit("  command: [m, $(date)]"), "names no input"),
        (unit("  command: [m, '$(inputs.x']"), "no closing parenthesis"),
        (unit("  command: [m, $(inputs.x.size)]"), "nothing that a file has"),
        (unit("  command: [m, $(self)]"), "`bindings.inputBindings` only"),
        (unit("  command: [m, $(package)/a]"), "a folder that this unit has not"),
        (unit("  command: [m]\nexamples: [{inputs: {x: abc}}]"), "examples[0].inputs.x"),
        (unit("  command: [m, 3]"), "write it in quotes: \"3\""),
        (unit("  command: [m, []]"), "is an empty list"),
        (unit("  command: [m]\n  config: {jobTimeout: 1h}"), "must be a number"),
        (unit("  command: [m]\n  config: {retries: -1}"), "whole number"),
        (unit("  command: [m]\n  env: {A: b}"), "must be a list, is an object"),
        (unit("  command: [m]\n  env: [{name: A, value: 4}]"), "write it in quotes: \"4\""),
        (unit("  command: [m]\n  env: [{name: A}]"), "value from one place"),
        (unit("  command: [m]\n  env: [{name: A, value: $(inputs.x)}]"), "not put into the environment"),
        (unit("  command: [m]\n  env: [{name: A, secretName: s}]"), "belong together"),
        (unit("  command: [m]\n  env: [{name: RUTTER_OUT, value: a}]"), "set by the server"),
        (unit("  command: [m]\n  bindings: {inputBindings: {x: {position: $(a)}}}"), "whole number"),
        (unit("  command: [m]\n  bindings: {inputBindings: {x: {shellQuote: false}}}"), "there is none"),
        (unit("  command: [m]\n  bindings: {inputBindings: {x: {valueFrom: abc}}}"), "does not name $(self)"),
        (unit("  command: [m]\n  bindings: {inputBindings: {x: {itemSeparator: ','}}}"), "one value only"),
        (unit("  command: [m]\n  bindings: {inputBindings: {x: {inputSeparator: ','}}}"), "is called `itemSeparator`"),
        (unit("  command: [m]\n  bindings: {inputBindings: {z: {}}}"), "no input \"z\""),
        (unit("  command: [m]\n  bindings: {outputBindings: {y: {glob: ../../etc/passwd}}}"), "leads out"),
        (unit("  command: [m]\n  bindings: {outputBindings: {y: {glob: /etc/passwd}}}"), "leads out"),
        (unit("  command: [m]\n  bindings: {outputBindings: {y: {glob: 'a[b'}}}"), "is no pattern"),
        (unit("  command: [m]\n  bindings: {outputBindings: {y: {}}}"), "says nothing"),
        (unit("  command: [m]\n  bindings: {outputBindings: {y: {whenFailed: 1}}}"), "whenFailed"),
        (unit("  command: [m]\nanswer: yy"), "did you mean \"y\"?"),
        (unit("  command: [m]\nanswer: [1]"), "answer[0]"),
        (unit("  command: [m]\nvalidation: lax"), "allowed: strict, lenient"),
        (unit("  command: [m]\ncallerToken: maybe"), "allowed: required, none"),
        (unit("  command: [m]\n  contract: pygeoapi"), "belongs to units of `type: docker`"),
        (unit("  command: [m]\nsecurity: none"), "belongs below `executionUnit.kubernetes`"),
        (docker("{nodeselector: {a: b}}"), "did you mean \"nodeSelector\"?"),
        (docker("{nodeSelector: {a: 1}}"), "executionUnit.kubernetes.nodeSelector.a: must be text"),
        (docker("{volumes: {name: a}}"), "executionUnit.kubernetes.volumes: must be a list"),
        (docker("{tolerations: [gpu]}"), "executionUnit.kubernetes.tolerations[0]: must be an object"),
        (docker("{queue: [a]}"), "executionUnit.kubernetes.queue: must be text"),
        (docker("{security: strict}"), "allowed: restricted, baseline, none"),
        (docker("{podTemplate: {specs: {}}}"), "did you mean \"spec\"?"),
        (docker("{podTemplate: {spec: []}}"), "executionUnit.kubernetes.podTemplate.spec: must be an object"),
        (unit("  command: [m]\nexamples: [{inputs: {z: 1}}]"), "no input \"z\""),
        (package("{type: number, minimum: abc}", "  command: [m]"), "is no valid schema"),
        (package("{type: string, pattern: '('}", "  command: [m]"), "is no valid schema"),
        (package("{$ref: '#/$defs/a'}", "  command: [m]"), "names nothing"),
        (package("{type: string, default: 3}", "  command: [m]"), "must satisfy the schema"),
        (package("{type: string, contentEncoding: binary, default: {href: a.tif}}", "  command: [m]"), "needs a folder"),
        (package("{type: string, contentEncoding: binary, default: {href: 'file:///etc/passwd'}}", "  command: [m]"), "no http"),
        ("executionUnit: {type: command, command: [m]}".to_owned(), "`processDescription` is missing"),
        ("processDescription: {process: {id: p}}".to_owned(), "`executionUnit` is missing"),
        ("{}".to_owned(), "`processDescription` is missing"),
        ("[]".to_owned(), "must be an object, is a list"),
        (String::new(), "must be an object"),
        ("processDescription: {process: {id: p}}\nexecutionUnit: {href: 'https://a/b', type: application/cwl}".to_owned(), "CWL"),
        ("processDescription: {process: {id: p}}\nexecutionUnit: {type: docker}".to_owned(), "`image` is missing"),
        ("processDescription: {process: {id: p}}\nexecutionUnit: {type: dcoker, image: a}".to_owned(), "did you mean \"docker\"?"),
        ("processDescription: {process: {id: p}}\nexecutionUnit: {type: command, command: [m], kubernetes: {}}".to_owned(), "belongs to units of `type: docker`"),
        ("processDescription: {process: {id: p, inputs: {x: {schema: {type: string}}}}}\nexecutionUnit: {type: docker, image: a, bindings: {inputBindings: {x: {position: 1}}}}".to_owned(), "no `command` to take them"),
        ("processDescription: {process: {id: p}}\nexecutionUnit: {type: docker, image: a, command: [m, $(package)/x]}".to_owned(), "default: {href"),
        ("processDescription: {process: {id: p}}\nexecutionUnit: {type: docker, image: a, command: [sh, -c, 'm $RUTTER_PACKAGE_DIR/x']}".to_owned(), "is not set in an image"),
        ("processDescription: {process: {id: p}}\nexecutionUnit: {type: docker, image: 'a b'}".to_owned(), "no image reference"),
        ("processDescription: {process: {id: p, jobControlOptions: [dismiss]}}\nexecutionUnit: {type: docker, image: a}".to_owned(), "no way to execute"),
        ("processDescription: {process: {id: p, title: {en: {of: Flood}}}}\nexecutionUnit: {type: docker, image: a}".to_owned(), "must be text, is an object"),
        ("processDescription: {process: {id: ../x}}\nexecutionUnit: {type: docker, image: a}".to_owned(), "identifier"),
        ("processDescription: {process: {id: p, inputs: {'../x': {schema: {}}}}}\nexecutionUnit: {type: docker, image: a}".to_owned(), "identifier"),
        ("processDescription: {process: {id: p, inputs: [x]}}\nexecutionUnit: {type: docker, image: a}".to_owned(), "by name"),
        ("processDescription: {process: {id: p, inputs: {x: {schema: {}, maxOccurs: 0}}}}\nexecutionUnit: {type: docker, image: a}".to_owned(), "is 0"),
        ("processDescription: {process: {id: p, inputs: {x: {type: number}}}}\nexecutionUnit: {type: docker, image: a}".to_owned(), "belongs into `schema`"),
        ("processDescription: {process: {id: p, metadata: [{title: 3}]}}\nexecutionUnit: {type: docker, image: a}".to_owned(), "metadata[0].title"),
    ];
    for (text, wanted) in table {
        let faults = read(&text).map(|_| ()).unwrap_err();
        let told = lines(&faults);
        assert!(told.contains(wanted), "wanted {wanted:?} of\n{text}\ngot {told}");
        assert!(faults.iter().all(|fault| fault.line > 0), "each has a line: {told}");
    }
}

#[test]
fn a_fault_of_an_input_makes_no_faults_of_what_mentions_it() {
    let text = package("{type: float}", "  command: [m, $(inputs.x)]\nexamples: [{inputs: {x: 1}}]");
    let faults = read(&text).unwrap_err();
    assert_eq!(faults.len(), 1, "{}", lines(&faults));
}

#[test]
fn only_one_output_is_standard_output() {
    let text = "processDescription: {process: {id: p, outputs: {a: {schema: {}}, b: {schema: {}}}}}\n\
                executionUnit:\n  type: command\n  command: [m]\n  bindings:\n    outputBindings:\n      \
                a: {stdout: true}\n      b: {stdout: true}\n";
    let faults = read(text).unwrap_err();
    assert_eq!((faults[0].line, faults[0].column), (8, 10), "{}", lines(&faults));
}

/// A mistake of YAML is one fault among the others: one run tells all of them.
#[test]
fn every_duplicate_key_is_told_beside_the_other_faults() {
    let text = "processDescription:
  process:
    id: flood
    title: Flood
    version: 1.0
    title: Flood again
    inputs:
      level: {schema: {type: number}}
      level:
        schema: {type: float, type: number}
executionUnit:
  - type: command
    command: [./flood, $(inputs.levle)]
    config: {cpuMin: 1, cpuMin: 2, cpuMin: 3}
    typ: command
executionUnit: []
";
    let wanted = [
        (5, 14, "processDescription.process.version", "must be text"),
        (6, 5, "processDescription.process.title", "duplicate key \"title\": it stands in line 4 already"),
        (
            9,
            7,
            "processDescription.process.inputs.level",
            "duplicate key \"level\": it stands in line 8 already",
        ),
        (10, 24, "processDescription.process.inputs.level.schema.type", "no type"),
        (10, 31, "processDescription.process.inputs.level.schema.type", "duplicate key \"type\""),
        (13, 24, "executionUnit[0].command[1]", "no input \"levle\""),
        (14, 25, "executionUnit[0].config.cpuMin", "duplicate key \"cpuMin\""),
        (14, 36, "executionUnit[0].config.cpuMin", "duplicate key \"cpuMin\""),
        (15, 5, "executionUnit[0].typ", "unknown member"),
        (16, 1, "executionUnit", "duplicate key \"executionUnit\": it stands in line 11 already"),
    ];
    let faults = read(text).unwrap_err();
    assert_eq!(faults.len(), wanted.len(), "{}", lines(&faults));
    for (fault, (line, column, path, message)) in faults.iter().zip(wanted) {
        assert_eq!((fault.line, fault.column, fault.path.as_str()), (line, column, path), "{fault}");
        assert!(fault.message.contains(message), "{message}: {fault}");
        let remedy = fault.remedy.as_deref().unwrap_or("");
        assert!(!message.contains("duplicate") || remedy.contains("remove one of the two"), "{fault}");
    }
}

#[test]
fn a_bad_name_of_an_input_is_marked_itself() {
    let text = "processDescription:\n  process:\n    id: p\n    inputs:\n      wrong name:\n        schema: {type: number}\n\
                executionUnit: {type: command, command: [m]}\n";
    let faults = read(text).unwrap_err();
    let fault = faults.iter().find(|fault| fault.message.contains("identifier")).unwrap();
    assert_eq!((fault.line, fault.column), (5, 7), "{fault}");
}
