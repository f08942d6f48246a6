//! From `metadata` of a processor to the description of a process.

use rutter_core::id::{InputId, OutputId};
use serde_json::{Map, Value, json};

use crate::{remark::Report, spot::Spot, trial};

/// Members of `metadata` that are read.
const MEMBERS: [&str; 11] = [
    "version",
    "id",
    "title",
    "description",
    "keywords",
    "jobControlOptions",
    "outputTransmission",
    "links",
    "inputs",
    "outputs",
    "example",
];
/// What 52N says where `metadata` says nothing.
pub(crate) const UNNAMED: &str = "should-be-overridden-by-config";

/// The description without its id. `spot` = `metadata`.
pub(crate) fn process(report: &mut Report, spot: &Spot<'_>) -> Map<String, Value> {
    let mut process = Map::new();
    if !report.map(spot) {
        return process;
    }
    report.unknown(spot, &MEMBERS);
    if let Some(version) = spot.get("version").and_then(|version| report.number_as_text(&version)) {
        process.insert("version".to_owned(), version.into());
    }
    for_people(report, spot, &mut process);
    for (name, read) in [
        ("jobControlOptions", words as fn(&mut Report, &Spot<'_>) -> Option<Value>),
        ("outputTransmission", words),
        ("links", links),
    ] {
        let Some(member) = spot.some(name) else { continue };
        let Some(value) = read(report, &member) else { continue };
        match trial::member(name, &value) {
            Ok(()) => {
                process.insert(name.to_owned(), value);
            }
            Err(why) => report.doubt(&member, format!("{why}; it is left out")),
        }
    }
    process.entry("jobControlOptions").or_insert_with(|| json!(["async-execute"]));
    for list in ["inputs", "outputs"] {
        if let Some(member) = spot.some(list) {
            let names = if list == "inputs" { Names::Any } else { Names::Identifiers };
            process.insert(list.to_owned(), values(report, &member, list, names));
        }
    }
    process
}

/// The few members that EOX's images may say of themselves, directly below their processor.
pub(crate) fn of_processor(report: &mut Report, processor: &Spot<'_>) -> Map<String, Value> {
    let mut process = Map::new();
    if let Some(version) = processor.get("version").and_then(|version| report.number_as_text(&version)) {
        process.insert("version".to_owned(), version.into());
    }
    if let Some(title) = processor.get("title").and_then(|title| report.words(&title)) {
        process.insert("title".to_owned(), title.to_json());
    }
    if let Some(inputs) = processor.some("inputs") {
        process.insert("inputs".to_owned(), values(report, &inputs, "inputs", Names::Identifiers));
    }
    process
}

/// Examples of a package: the one that `metadata` shows.
pub(crate) fn examples(report: &mut Report, spot: &Spot<'_>) -> Option<Value> {
    let example = spot.some("example")?;
    if !report.map(&example) || example.node.members().is_empty() {
        return None;
    }
    let Some(inputs) = example.get("inputs").filter(Spot::is_map) else {
        report.doubt(&example, "has no map `inputs`; it is left out");
        return None;
    };
    for member in example.members() {
        if member.name != "inputs" {
            report.ignored(&member, "is not shown: examples are inputs");
        }
    }
    Some(json!([{"inputs": inputs.json()}]))
}

/// `title`, `description` and `keywords` of anything.
fn for_people(report: &mut Report, spot: &Spot<'_>, into: &mut Map<String, Value>) {
    for name in ["title", "description"] {
        if let Some(words) = spot.get(name).and_then(|member| report.words(&member)) {
            into.insert(name.to_owned(), words.to_json());
        }
    }
    if let Some(words) = spot.some("keywords").and_then(|member| report.keywords(&member)) {
        into.insert("keywords".to_owned(), words.to_json());
    }
}

/// Known words of a list; others are told, and left out.
fn words(report: &mut Report, spot: &Spot<'_>) -> Option<Value> {
    const KNOWN: [&str; 5] = ["sync-execute", "async-execute", "dismiss", "value", "reference"];
    let mut found: Vec<String> = Vec::new();
    for item in report.list(spot) {
        let Some(word) = report.text(&item) else { continue };
        if !KNOWN.contains(&word.as_str()) {
            report.doubt(&item, format!("{word:?} means nothing here; it is left out"));
        } else if !found.contains(&word) {
            found.push(word);
        }
    }
    (!found.is_empty()).then(|| json!(found))
}

fn links(report: &mut Report, spot: &Spot<'_>) -> Option<Value> {
    let mut links = Vec::new();
    for item in report.list(spot) {
        if !report.map(&item) {
            continue;
        }
        report.unknown(&item, &["rel", "type", "href", "title", "hreflang", "length"]);
        let Some(href) = report.text_of(&item, "href") else {
            report.doubt(&item, "has no `href`; the link is left out");
            continue;
        };
        let mut link = Map::from_iter([("href".to_owned(), Value::from(href))]);
        for name in ["rel", "type", "hreflang"] {
            if let Some(text) = report.text_of(&item, name) {
                link.insert(name.to_owned(), text.into());
            }
        }
        let title = item.get("title").and_then(|title| report.words(&title));
        if let Some(title) = title.as_ref().and_then(|title| title.first()) {
            link.insert("title".to_owned(), title.clone().into());
        }
        links.push(Value::Object(link));
    }
    (!links.is_empty()).then_some(Value::Array(links))
}

/// What members of `inputs` and `outputs` may be called.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    /// Nothing is checked, so whatever is described.
    Any,
    Identifiers,
}

/// `inputs` or `outputs`.
fn values(report: &mut Report, spot: &Spot<'_>, list: &str, names: Names) -> Value {
    let mut values = Map::new();
    // Charts write `[]` for none.
    if spot.is_list() && spot.node.items().is_empty() {
        return Value::Object(values);
    }
    if !report.map(spot) {
        return Value::Object(values);
    }
    for member in spot.members() {
        let is_id = match list {
            "inputs" => member.name.parse::<InputId>().map(|_| ()),
            _ => member.name.parse::<OutputId>().map(|_| ()),
        };
        match is_id {
            Ok(()) => {
                values.insert(member.name.clone(), value(report, &member, list));
            }
            // A real file has `wrt_*`, "whatever begins with that".
            Err(_) if names == Names::Any => {
                report.note(
                    &member,
                    "is no name of an input and only shown: whatever callers send is passed on",
                );
                values.insert(member.name.clone(), value(report, &member, list));
            }
            Err(error) => report.doubt(&member, format!("{error}; it is left out")),
        }
    }
    Value::Object(values)
}

/// One input or output: every member is optional.
fn value(report: &mut Report, spot: &Spot<'_>, list: &str) -> Value {
    let mut described = Map::from_iter([("schema".to_owned(), json!({}))]);
    if !report.map(spot) {
        return Value::Object(described);
    }
    report
        .unknown(spot, &["title", "description", "schema", "minOccurs", "maxOccurs", "keywords", "metadata"]);
    if let Some(schema) = spot.some("schema") {
        described.insert("schema".to_owned(), self::schema(report, &schema, list));
    }
    // The greatest number first: alone it is never wrong.
    for name in ["maxOccurs", "minOccurs", "metadata"] {
        let Some(member) = spot.some(name) else { continue };
        let value = match name {
            "metadata" => Some(member.json()),
            "maxOccurs" if member.node.text() == Some("unbounded") => Some(json!("unbounded")),
            _ => report.whole(&member).map(Value::from),
        };
        let Some(value) = value else { continue };
        described.insert(name.to_owned(), value);
        if let Err(why) = trial::value(list, "value", &Value::Object(described.clone())) {
            described.shift_remove(name);
            report.doubt(&member, format!("{why}; it is left out"));
        }
    }
    for_people(report, spot, &mut described);
    Value::Object(described)
}

/// A schema that is none is one that takes everything.
fn schema(report: &mut Report, spot: &Spot<'_>, list: &str) -> Value {
    let taken = |schema: &Value| trial::value(list, "value", &json!({"schema": schema}));
    let whole = spot.json();
    let Err(why) = taken(&whole) else { return whole };
    let mut without_default = whole;
    let removed = without_default.as_object_mut().and_then(|members| members.shift_remove("default"));
    if let Some(default) =
        spot.get("default").filter(|_| removed.is_some() && taken(&without_default).is_ok())
    {
        report.doubt(&default, format!("{why}; the default is left out"));
        return without_default;
    }
    report.doubt(spot, format!("{why}; every value is taken"));
    json!({})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{remark::Level, yaml};

    fn described(text: &str) -> (Value, Report) {
        let root = yaml::read(text, &|_| None).unwrap().root;
        let mut report = Report::default();
        let process = process(&mut report, &Spot::top(&root));
        (Value::Object(process), report)
    }

    #[test]
    fn numbers_become_text_and_maps_stay() {
        let (process, _) =
            described("{version: 0.1, title: {en: Route, de: Weg}, keywords: {en: [a], de: [b, 1]}}");
        let wanted = json!({"version": "0.1", "title": {"en": "Route", "de": "Weg"},
            "keywords": {"en": ["a"], "de": ["b", "1"]}, "jobControlOptions": ["async-execute"]});
        assert_eq!(process, wanted);
        assert_eq!(described("{version: \"2.0\"}").0["version"], "2.0");
        assert_eq!(described("{version:, title:, inputs:, outputs: []}").0["outputs"], json!({}));
    }

    #[test]
    fn values_without_anything_are_taken() {
        let text = "inputs:\n  a:\n  b: {minOccurs: 0, maxOccurs: unbounded, schema: {type: number}}\n  c: {title: C}\n  \
                    wrt_*: {schema: {type: string}}\noutputs:\n  depth: {schema: {type: object, contentMediaType: image/tiff}}\n  log:\n";
        let (process, report) = described(text);
        let wanted = json!({"a": {"schema": {}}, "c": {"schema": {}, "title": "C"}, "wrt_*": {"schema": {"type": "string"}},
            "b": {"schema": {"type": "number"}, "minOccurs": 0, "maxOccurs": "unbounded"}});
        assert_eq!(process["inputs"], wanted);
        assert_eq!(process["outputs"]["log"], json!({"schema": {}}));
        assert_eq!(report.remarks.len(), 1, "{:?}", report.remarks);
        assert_eq!((report.remarks[0].line, report.remarks[0].level), (5, Level::Note));
    }

    #[test]
    fn what_no_description_takes_is_left_out_with_a_doubt() {
        let text = "inputs:\n  a: {schema: {type: float}, minOccurs: 3, maxOccurs: 1}\n  b: {schema: {type: number, default: x}}\n  \
                    c: {schema: 7, metadata: {a: b}, minOccurs: -1}\njobControlOptions: [later, sync-execute]\nlinks: [{rel: about}, x]\n";
        let (process, report) = described(text);
        let wanted = json!({"a": {"schema": {}, "maxOccurs": 1}, "b": {"schema": {"type": "number"}}, "c": {"schema": {}}});
        assert_eq!(process["inputs"], wanted);
        assert_eq!(process["jobControlOptions"], json!(["sync-execute"]));
        assert_eq!(process.get("links"), None);
        let lines: Vec<u64> = report.remarks.iter().map(|remark| remark.line).collect();
        assert_eq!(lines, [5, 6, 6, 2, 2, 3, 4, 4, 4], "{:?}", report.remarks);
    }
}
