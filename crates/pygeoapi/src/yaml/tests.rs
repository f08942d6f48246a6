//! Files through the whole reader, from what PyYAML and pygeoapi's loader make of them, and hostile ones.

use serde_json::{Value, json};

use super::*;

fn nothing(_: &str) -> Option<String> {
    None
}

fn tree(text: &str) -> Value {
    read(text, &nothing).unwrap_or_else(|error| panic!("{text}: {error:?}")).root.to_json()
}

fn refused(text: &str) -> YamlError {
    match read(text, &nothing) {
        Err(error) => error,
        Ok(document) => panic!("{:?}: {:?}", &text[..text.len().min(60)], document.root.to_json()),
    }
}

#[test]
fn scalars_are_those_of_yaml_1_1() {
    assert_eq!(
        tree("[yes, No, on, OFF, TRUE, y, n, yEs]"),
        json!([true, false, true, false, true, "y", "n", "yEs"])
    );
    assert_eq!(tree("[010, 0o10, 0x1f, 1_000, 12:30, 1:30:00]"), json!([8, "0o10", 31, 1000, 750, 5400]));
    assert_eq!(
        tree("[1e3, 1.0e+3, 0.10, ~, null, '', \"yes\"]"),
        json!(["1e3", 1000.0, 0.1, null, null, "", "yes"])
    );
    assert_eq!(
        tree("[2025-01-01, 2025-01-01T00:00:00Z, 2026-03-06T12:00Z]"),
        json!(["2025-01-01", "2025-01-01T00:00:00+00:00", "2026-03-06T12:00Z"])
    );
    assert_eq!(tree("a:\nb: ''\n"), json!({"a": null, "b": ""}));
    assert_eq!(tree(""), Value::Null);
    assert_eq!(tree("# nothing\n"), Value::Null);
}

#[test]
fn tags_of_yaml_say_what_a_scalar_is() {
    let text = "[!!str yes, !!int '7', !!float 3, !!bool 'On', !!null x, ! '12', !!map {a: 1}, !!seq [1]]";
    assert_eq!(tree(text), json!(["yes", 7, 3.0, true, null, 12, {"a": 1}, [1]]));
    for text in
        ["a: !foo bar", "a: !!python/object:os.system x", "a: !!binary aGk=", "a: !!set {x}", "a: !!int x"]
    {
        let error = refused(text);
        assert_eq!(error.place, Place { line: 1, column: error.place.column }, "{text}: {error:?}");
        assert!(error.remedy.contains("tag"), "{text}: {error:?}");
    }
}

#[test]
fn anchors_and_merges() {
    let text = "base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\none: {<<: *b, y: 5}\n\
                two: {y: 6, <<: [*o, *b], w: 0}\nthree: {<<: *b, '<<': 7}\n";
    let read = tree(text);
    assert_eq!(read["one"].to_string(), r#"{"x":1,"y":5}"#);
    assert_eq!(read["two"].to_string(), r#"{"x":1,"y":6,"z":4,"w":0}"#);
    assert_eq!(read["three"], json!({"x": 1, "y": 2, "<<": 7}));
    assert_eq!(tree("a: &x 1\nb: [*x, *x]\n"), json!({"a": 1, "b": [1, 1]}));
    assert_eq!(refused("a: {<<: 3}").place.line, 1);
    assert_eq!(refused("a: {\n<<: [{b: 1},\n 3]}").place.line, 3);
}

#[test]
fn the_last_of_equal_keys_counts_and_is_told_of() {
    let document = read("a: 1\nb: 2\na: 3\n1: x\ntrue: y\n", &nothing).unwrap();
    assert_eq!(document.root.to_json().to_string(), r#"{"a":3,"b":2,"1":"y"}"#);
    let double = &document.doubles[0];
    assert_eq!((double.key.as_str(), double.place.line, double.first.line), ("a", 3, 1));
    assert_eq!(
        read("x: &b {a: 1}\ny: {<<: *b, a: 2}", &nothing).unwrap().doubles,
        [],
        "a merge is no double"
    );
}

#[test]
fn every_part_knows_its_place() {
    let document = read("a: 1\nb:\n  - x\n  - {c: true, \"d\": *\n", &nothing);
    assert!(document.is_err());
    let root = read("a: &z 1\nb:\n  - x\n  - {c: true, \"d\": *z}\n", &nothing).unwrap().root;
    let map = &root.get("b").unwrap().items()[1];
    assert_eq!(map.place, Place { line: 4, column: 5 });
    let (key, value) = map.entry("d").unwrap();
    assert_eq!((key.place, value.place), (Place { line: 4, column: 15 }, Place { line: 4, column: 20 }));
}

#[test]
fn variables_stand_in_plain_scalars_only() {
    let environment = |name: &str| (name == "PORT").then(|| "5000".to_owned());
    let text = "a: ${PORT}\nb: '${PORT}'\nc: \"${PORT}\"\nd: |\n  ${PORT}\ne: http://${HOST:-h}:${PORT}/\n${PORT}: key\n\
                f: !env '${PORT}'\n";
    let read = super::read(text, &environment).unwrap().root.to_json();
    let wanted = json!({"a": 5000, "b": "${PORT}", "c": "${PORT}", "d": "${PORT}\n", "e": "http://h:5000/",
        "5000": "key", "f": 5000});
    assert_eq!(read, wanted);
    let error = refused("a: 1\nb:\n  - echo ${HOME}\n");
    assert_eq!(error.place, Place { line: 3, column: 5 });
    assert!(error.message.contains("HOME") && error.remedy.contains("${HOME:-default}"), "{error:?}");
}

#[test]
fn block_scalars_end_as_in_python() {
    assert_eq!(tree("a: |\n  x\n  y\n"), json!({"a": "x\ny\n"}));
    assert_eq!(tree("a: |\n  x"), json!({"a": "x"}));
    assert_eq!(tree("a: >-\n  x\n  y\n\n  z\n"), json!({"a": "x y\nz"}));
}

#[test]
fn hostile_texts_are_refused_with_a_line() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let list = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{list}]\n"));
    }
    let deep = "[".repeat(5_000);
    let deep_block: String = (0..500).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let mut deep_alias = "a0: &a0 [x]\n".to_owned();
    for level in 1..200 {
        deep_alias.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    let nested_anchors: String =
        (0..60).map(|level| format!("&n{level} [")).collect::<String>() + &"x,".repeat(100_000);
    for text in [
        bomb.as_str(),
        &deep,
        &deep_block,
        &deep_alias,
        &nested_anchors,
        "a: &x {b: *x}",
        "a: &x [*x]",
        "a: *x",
        "a: \u{0}",
        "a: 1\n---\nb: 2\n",
        "\u{1b}[2J",
        "a: [1, 2\nb: 3",
        "a: b: c",
        "? [x]\n: y",
        "2025-02-30",
    ] {
        let error = refused(text);
        assert!(
            error.place.line > 0 && error.place.column > 0,
            "{:?}: {error:?}",
            &text[..text.len().min(40)]
        );
        assert!(!error.remedy.is_empty());
    }
    assert!(refused(&"a".repeat(TEXT_LIMIT + 1)).message.contains("bytes"));
}

#[test]
fn large_lists_are_cut_short() {
    let text = format!("[{}]", "1,".repeat(300_000));
    assert!(refused(&text).message.contains("larger"));
}
