//! YAML files to compare readers with: some that are known to be tricky, and random ones.

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

/// Scalars that readers of YAML 1.1 and 1.2 disagree about.
const TRICKY: &[&str] = &[
    "yes",
    "No",
    "on",
    "OFF",
    "y",
    "n",
    "TRUE",
    "true",
    "~",
    "null",
    "Null",
    "010",
    "0o10",
    "0x1f",
    "0x1F_0",
    "1_000",
    "_1",
    "12:30",
    "1:30:00",
    "1:60",
    "0:30",
    "-1:30",
    "1:30.5",
    "1e3",
    "1.0e+3",
    "1.0e3",
    ".5",
    "-.5",
    "5.",
    ".inf",
    "-.Inf",
    ".nan",
    ".NaN",
    "2025-01-01",
    "2025-1-1",
    "2025-01-01T00:00:00Z",
    "2025-01-01 1:02:03.5 +05:30",
    "2026-03-06T12:00Z",
    "2025-01-01t10:00:00-03",
    "0b101",
    "0b",
    "00",
    "08",
    "+1",
    "-0",
    "+.inf",
    "1.",
    "1._5",
    "0.10",
    "99999999999999999999",
    "-9223372036854775808",
    "${P_PORT}",
    "http://${P_TEXT}:${P_PORT}/",
    "${P_NONE:-x}",
    "${P_NONE:-1.50}",
    "${P_EMPTY}",
    "${P_CODE}",
    "${P_RATE}",
    "${P_PORT}0",
    "${P_NONE:-true}",
    "${P_NONE:-}",
    "$P_PORT",
    "${P PORT}",
    "a${P_PORT",
    "<<x",
    "a b  c",
    "it's",
    "a\"b",
    "c:d",
    "x#y",
    "-x",
    "a,b",
    "1 2",
    "None",
    "0.1.2",
    "1,000",
    "é😀",
    "1__0",
    "0x_1",
    "123e4",
    "6.8523015e+5",
    "685_230.15",
];

/// Files whose reading is worth a look of its own.
pub(crate) fn fixed() -> Vec<String> {
    let mut files: Vec<String> = TRICKY.iter().map(|scalar| format!("a: {scalar}\n{scalar}: b\n")).collect();
    files.extend(
        [
            "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: {q: 4, <<: *x, r: 5}\n",
            "a: &x {pp: 1}\nb: &y {pp: 2, qq: 3}\nc: {<<: [*x, *y], rr: 4}\nd: {<<: *x, <<: *y}\n",
            "a: 1\nb: 2\na: 3\n",
            "a: |\n  x\n   y\n\n  z\n\nb: >-\n  x\n  y\n\n  z\nc: |+\n  x\n\n",
            "a: |\n  last",
            "a: 'it''s'\nb: \"\\u00e9\\n\\x41\"\nc: plain\n  goes on\n  here\n",
            "a: !!str 010\nb: !!int '7'\nc: !!float 3\nd: ! yes\ne: !!bool 'On'\nf: !env '${P_PORT}'\n",
            "- - 1\n  - 2\n- - 3\n-\n  - 4\n",
            "a:\n- 1\n- b: 2\n  c: 3\n",
            "{a: [1, 2, {b: c}], \"d\": 'e'}\n",
            "? a\n: b\n? c\n",
            "1: a\ntrue: b\n1.0: c\nnull: d\n2025-01-01: e\n",
            "\u{feff}a: 1\n",
            "--- \na: 1\n...\n",
            "%YAML 1.1\n---\na: yes\n",
            "a: 'no'   # comment\nb: x#y # comment\n",
            "a: |\r\n  x\r\n  y\r\nb: yes\r\nc: 'x\r\n\r\n  y'\r\nd: p\r\n  q\r\n",
            "a: \"x \\\n   y\\\n\n  z\\tw\"\nb: 'x\n  y\n\n\n  z'\n",
            "a: >\n\n  x\n  y\n   more\n  z\n\n\nb: |2\n   x\n  y\nc: >+\n  x\n\n# comment\nd: |-\n  x\n\n",
            "# before\na:   1   \n\n  # within\nb:\n    # deeper\n    - x   # after\n\n    -   y\nc: [1,\n  2, # three\n  3,]\n",
            "a: {b: 1, c: , d, 'e': f}\nb: [a: 1, {c}, [], {}]\n",
            "key with spaces: x\n? long\n: y\n\"quoted key\": z\n'it''s': 1\n",
            "a: - x\n", "a: x: y\n", "a: [x\n", "a: 'x\n", "\tb: 1\n", "a: 1\n b: 2\n", "a: @x\n", "- a\nb: c\n", "a: %x\n", "a: &x\nb: *x\n",
            "a: \"${P_PORT}\"\nb: '${P_PORT}'\nc: |\n  ${P_PORT}\nd: ${P_PORT}\n  ${P_TEXT}\n",
        ]
        .map(str::to_owned),
    );
    files
}

/// That many random files, always the same.
pub(crate) fn random(count: usize) -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    let file = file();
    (0..count).map(|_| file.new_tree(&mut runner).unwrap().current()).collect()
}

#[derive(Clone, Debug)]
enum Part {
    Scalar(String),
    List(Vec<Part>),
    Map(Vec<(String, Part)>),
}

fn file() -> impl Strategy<Value = String> {
    (anchored(), part()).prop_map(|(anchors, body)| {
        let mut text = String::from("base:\n");
        for (at, anchor) in anchors.iter().enumerate() {
            text.push_str(&format!("- &m{at} {}\n", flow(anchor)));
        }
        text.push_str("body:");
        block(&body, 1, &mut text);
        text
    })
}

/// Two maps that can be merged.
fn anchored() -> impl Strategy<Value = Vec<Part>> {
    proptest::collection::vec(members(scalar().prop_map(Part::Scalar)).prop_map(Part::Map), 2)
}

fn part() -> impl Strategy<Value = Part> {
    let leaf = prop_oneof![
        8 => scalar().prop_map(Part::Scalar),
        1 => Just(Part::Scalar("*m0".to_owned())),
        1 => Just(Part::Scalar("*m1".to_owned())),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![proptest::collection::vec(inner.clone(), 0..5).prop_map(Part::List), map(inner)]
    })
}

fn map(inner: impl Strategy<Value = Part>) -> impl Strategy<Value = Part> {
    const MERGES: &[&str] = &["*m0", "[*m0, *m1]", "[*m1, *m0]"];
    let merge = proptest::option::weighted(0.3, proptest::sample::select(MERGES));
    (members(inner), merge, any::<bool>()).prop_map(|(mut members, merge, first)| {
        if let Some(merge) = merge {
            let at = if first { 0 } else { members.len() };
            members.insert(at, ("<<".to_owned(), Part::Scalar(merge.to_owned())));
        }
        Part::Map(members)
    })
}

fn members(inner: impl Strategy<Value = Part>) -> impl Strategy<Value = Vec<(String, Part)>> {
    let key = prop_oneof![3 => "[a-c]{2}", 1 => plain(), 1 => quoted()];
    proptest::collection::vec((key, inner), 0..5)
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![4 => plain(), 1 => quoted(), 1 => Just(String::new())]
}

/// Plain scalars that both readers take for one: the grammar is not what is compared.
fn plain() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => proptest::sample::select(TRICKY).prop_map(str::to_owned),
        2 => "[-+]?[0-9_]{1,4}([.:][0-9_]{0,3}){0,2}([eE][-+]?[0-9]{1,2})?",
        1 => "0[xbo]?[0-9a-f_]{0,6}",
        1 => "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9]{1,2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{0,7})?( ?(Z|[-+][0-9]{1,2}(:[0-9]{2})?))?)?",
        1 => "[a-z]{0,3}\\$\\{P_(PORT|RATE|TEXT|EMPTY|CODE)(:-[a-z0-9.]{0,3})?\\}[0-9.]{0,3}(\\$\\{P_[A-Z]\\})?",
        1 => "[a-zA-Z]{1,5}( [a-z0-9]{1,3})?",
    ]
    .prop_filter("not plain in one of the readers", |text| {
        let inside = text.contains(": ") || text.contains(" #") || text.contains(',') || text.ends_with(':');
        let flow = text.contains(['[', ']']) || (text.contains(['{', '}']) && !text.contains("${"));
        let first = text.starts_with(['-', '?', ':', '%', '@', '`', ' ', '!', '&', '*', '#', '|', '>', '\'', '"']);
        let number = text.starts_with('-') && text.len() > 1 && !text[1..].starts_with(' ');
        !inside && !flow && (!first || number) && !text.ends_with(' ')
    })
}

fn quoted() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9 '${}:#,é]{0,6}".prop_map(|text| format!("'{}'", text.replace('\'', "''"))),
        proptest::sample::select(TRICKY).prop_map(|text| format!("\"{}\"", text.replace('"', "\\\""))),
    ]
}

/// In brackets and braces; variables in braces would end there, so they are quoted.
fn flow(part: &Part) -> String {
    match part {
        Part::Scalar(text) => flow_scalar(text),
        Part::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Part::Map(members) => {
            let members: Vec<String> =
                members.iter().map(|(key, part)| format!("{} : {}", flow_scalar(key), flow(part))).collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

fn flow_scalar(text: &str) -> String {
    let quoted = text.starts_with(['\'', '"']);
    match text {
        "" => "~".to_owned(),
        _ if !quoted && text.contains(['{', '}', ':', '?']) => format!("'{}'", text.replace('\'', "''")),
        _ => text.to_owned(),
    }
}

/// Below what is written already.
fn block(part: &Part, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match part {
        Part::Scalar(scalar) => text.push_str(&format!(" {scalar}\n")),
        Part::List(items) if items.is_empty() => text.push_str(" []\n"),
        Part::Map(members) if members.is_empty() => text.push_str(" {}\n"),
        Part::List(items) => {
            text.push('\n');
            for item in items {
                text.push_str(&format!("{indent}-"));
                block(item, depth + 1, text);
            }
        }
        Part::Map(members) if depth > 3 => {
            text.push_str(&format!(" {}\n", flow(&Part::Map(members.clone()))));
        }
        Part::Map(members) => {
            text.push('\n');
            for (key, member) in members {
                text.push_str(&format!("{indent}{key}:"));
                block(member, depth + 1, text);
            }
        }
    }
}
