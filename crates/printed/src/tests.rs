//! What images print, and what becomes of it.

use super::*;
use rutter_types::agent::Outcome;

const START: &str = "PYGEOAPI_K8S_MANAGER_RESULT_START";
const TYPE: &str = "PYGEOAPI_K8S_MANAGER_RESULT_MIMETYPE";

fn wanted(id: &str, media_type: Option<&str>, find: Find) -> OutputWanted {
    let media_type = media_type.map(str::to_owned);
    OutputWanted { id: id.to_owned(), find, required: true, many: false, media_type, when_failed: false }
}

fn logs(media_type: Option<&str>) -> Vec<OutputWanted> {
    vec![wanted("logs", media_type, Find::Name)]
}

/// Output id, media type and text of each value.
type Seen = Vec<(String, String, String)>;

fn of_most(most: u64, wanted: &[OutputWanted], word: Option<&str>, print: &str) -> Result<Seen, Outcome> {
    let folder = tempfile::tempdir().unwrap();
    let mut printed = Printed::new(folder.path(), wanted, most).unwrap();
    for (at, piece) in print.as_bytes().chunks(7).enumerate() {
        // However it arrives.
        let _ = at;
        printed.push(Stream::Out, piece).unwrap();
    }
    let values = printed.values(wanted, word).unwrap()?;
    let seen = values.iter().map(|value| {
        let mut bytes = Vec::new();
        assert_eq!(value.write(&mut bytes).unwrap(), value.size);
        (value.output.clone(), value.media_type.clone(), String::from_utf8(bytes).unwrap())
    });
    Ok(seen.collect())
}

fn of(wanted: &[OutputWanted], print: &str) -> Result<Seen, Outcome> {
    of_most(10_000, wanted, None, print)
}

/// Media type and text of the only value.
fn one(media_type: Option<&str>, print: &str) -> (String, String) {
    let mut seen = of(&logs(media_type), print).unwrap();
    let (_, media_type, text) = seen.remove(0);
    (media_type, text)
}

fn pair(media_type: &str, text: &str) -> (String, String) {
    (media_type.to_owned(), text.to_owned())
}

#[test]
fn what_real_images_print() {
    let log = format!(
        "start\n2025-01-01 INFO - {TYPE}:application/json\n2025-01-01 INFO - {START}\n{{\"id\": \"route\",\n  \"value\": \"s3://x\"}}\n"
    );
    let json = "{\"id\": \"route\",\n  \"value\": \"s3://x\"}";
    assert_eq!(one(Some("application/json"), &log), pair("application/json", json));
    assert_eq!(
        one(None, &format!("{log}INFO bye\n")),
        pair("application/json", json),
        "what follows is passed over"
    );
    let csv = format!("X {TYPE}: text/csv; charset=utf-8\n{START}\na,b\r\n  1,2\n");
    assert_eq!(one(None, &csv), pair("text/csv; charset=utf-8", "a,b\n  1,2\n"), "a text keeps its lines");
}

#[test]
fn the_last_of_several_counts_and_odd_orders_are_understood() {
    let text = |print: &str| one(Some("text/plain"), print);
    assert_eq!(text(&format!("{START}\n1\n{START}\n2\n")).1, "2\n");
    assert_eq!(text(&format!("{START} {{\"a\": 1}}\n")).1, "{\"a\": 1}\n");
    assert_eq!(text(&format!("{START}: [1]")).1, "[1]\n");
    assert_eq!(text(&format!("{START} words\nx\n")).1, "x\n");
    assert_eq!(text(&format!("{START}\n{TYPE}:text/csv\na\n")), pair("text/csv", "a\n"));
    assert_eq!(one(None, &format!("{TYPE}\n{START}\n")), pair("text/plain", ""), "a type without its colon");
    assert_eq!(one(None, &format!("{START}\n7")), pair("application/json", "7"), "what it is tells its type");
    assert_eq!(one(None, &format!("{START}\nseven")), pair("text/plain", "seven\n"));
}

#[test]
fn without_markers_all_that_was_printed_is_the_value() {
    assert_eq!(one(Some("application/json"), "hello\nworld"), pair("text/plain", "hello\nworld\n"));
    assert_eq!(one(Some("application/json"), " {\"a\": [1]}\n"), pair("application/json", " {\"a\": [1]}\n"));
    assert_eq!(one(Some("application/json"), "{\"a\": 1}\nbye\n").0, "text/plain");
    assert_eq!(one(Some("application/json"), "hello\n{\"a\": 1}\n").0, "text/plain");
    assert_eq!(one(Some("text/csv"), "a,b\n"), pair("text/csv", "a,b\n"));
    assert_eq!(one(None, ""), pair("text/plain", ""));
}

#[test]
fn a_last_word_counts_where_there_is_no_marker() {
    let word = |print: &str| of_most(100, &logs(None), Some(" {\"a\": 1}\n"), print).unwrap().remove(0).2;
    assert_eq!(word("much\n"), "{\"a\": 1}");
    assert_eq!(word(&format!("{START}\n2\n")), "2");
    assert_eq!(of_most(100, &logs(None), Some("  "), "all\n").unwrap().remove(0).2, "all\n");
}

#[test]
fn a_promise_of_json_is_kept_or_the_job_fails() {
    for print in [format!("{START}\nno json\n"), format!("{TYPE}:application/geo+json\n{START}\n{{\"a\": \n")]
    {
        let outcome = of(&logs(Some("application/json")), &print).unwrap_err();
        assert!(matches!(outcome, Outcome::OutputUnusable { output, .. } if output == "logs"), "{print}");
    }
}

#[test]
fn words_of_the_other_stream_may_stand_before_the_value() {
    let print = |text: &str| one(Some("application/json"), &format!("{START}\n{text}"));
    assert_eq!(print("words\n\n  {\"a\":\n [1]}\nmore {\n").1, "{\"a\":\n [1]}");
    assert_eq!(print("[not json\n{\"a\": 1}\n").1, "{\"a\": 1}");
    assert!(
        of(&logs(Some("application/json")), &format!("{START}\nwords\n7\n")).is_err(),
        "no number is meant there"
    );
}

#[test]
fn several_outputs_are_members_of_one_object() {
    let both = [
        wanted("depth", Some("application/json"), Find::Name),
        wanted("note", Some("text/plain"), Find::Name),
    ];
    let seen =
        of(&both, &format!("{START}\n{{\"note\": \"a\\nb\", \"depth\": [1.50], \"more\": 1}}\n")).unwrap();
    let row =
        |id: &str, media_type: &str, text: &str| (id.to_owned(), media_type.to_owned(), text.to_owned());
    assert_eq!(seen, [row("depth", "application/json", "[1.5]"), row("note", "text/plain", "a\nb")]);
    let outcome = of(&both, &format!("{START}\n{{\"note\": \"x\"}}\n")).unwrap_err();
    assert_eq!(outcome, Outcome::OutputMissing { outputs: vec!["depth".to_owned()] });
    let printed = [wanted("all", None, Find::Stdout), wanted("logs", None, Find::Name)];
    let seen = of(&printed, &format!("a\n{START}\n1\n")).unwrap();
    assert_eq!(seen[0].2, format!("a\n{START}\n1\n"));
    assert_eq!(seen[1].2, "1");
    let seen = of(&printed, "a\n").unwrap();
    assert_eq!((seen[0].2.as_str(), seen[1].2.as_str()), ("a\n", "a\n"));
}

#[test]
fn one_object_with_none_of_several_names_is_the_value_of_the_first() {
    let free =
        |id: &str| OutputWanted { required: false, ..wanted(id, Some("application/json"), Find::Printed) };
    let both = [free("depth"), free("log")];
    let seen = of(&both, &format!("{START}\n{{\"id\": \"p\", \"value\": 1}}\nbye\n")).unwrap();
    assert_eq!(
        seen,
        [("depth".to_owned(), "application/json".to_owned(), "{\"id\": \"p\", \"value\": 1}".to_owned())]
    );
}

#[test]
fn a_long_line_may_begin_with_the_marker() {
    let value = format!("{{\"x\": \"{}\"}}", "y ".repeat(100_000));
    let seen = of_most(
        1 << 20,
        &logs(None),
        None,
        &format!("INFO {TYPE}:application/json\nINFO {START} {value}\nbye\n"),
    );
    assert_eq!(seen.unwrap()[0].2, value);
}

#[test]
fn a_last_start_without_a_value_takes_nothing_away() {
    let text = |print: &str| one(Some("application/json"), print);
    let twice = format!("{TYPE}:application/json\n{START}\n[1]\n{TYPE}:text/csv\n{START}\n\n");
    assert_eq!(text(&twice), pair("application/json", "[1]"));
    assert_eq!(text(&format!("{START}\n[1]\n{START}\n{START}\n")).1, "[1]");
}

#[test]
fn values_have_a_limit_and_only_they() {
    let long = "y".repeat(200);
    let limited = |print: &str| of_most(100, &logs(Some("text/plain")), None, print);
    let too_long = Err(Outcome::OutputLimit { output: "logs".to_owned() });
    assert_eq!(limited(&format!("{START}\n{long}\n")), too_long);
    assert_eq!(limited(&format!("{long}\n")), too_long);
    assert_eq!(limited(&format!("{long}\n{START}\nshort\n")).unwrap()[0].2, "short\n");
    assert_eq!(limited(&format!("{START}\n{long}\n{START}\nshort\n")).unwrap()[0].2, "short\n");
}

#[test]
fn the_marker_may_be_said_on_one_stream_and_the_value_on_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = logs(Some("application/json"));
    let mut printed = Printed::new(folder.path(), &wanted, 1 << 20).unwrap();
    printed.push(Stream::Err, format!("INFO {START}\n").as_bytes()).unwrap();
    // A value on one long line, and somebody talks meanwhile.
    let value = format!("[{}1]", "1,".repeat(50_000));
    let (begin, end) = value.split_at(90_000);
    printed.push(Stream::Out, begin.as_bytes()).unwrap();
    printed.push(Stream::Err, b"50 %\n").unwrap();
    printed.push(Stream::Out, end.as_bytes()).unwrap();
    let values = printed.values(&wanted, None).unwrap().unwrap();
    let mut bytes = Vec::new();
    values[0].write(&mut bytes).unwrap();
    assert_eq!(bytes, value.as_bytes());
}

#[test]
fn nothing_is_left_but_values() {
    let folder = tempfile::tempdir().unwrap();
    let mut printed = Printed::new(folder.path(), &logs(None), 100).unwrap();
    printed.push(Stream::Out, format!("{START}\n1\n").as_bytes()).unwrap();
    let values = printed.values(&logs(None), None).unwrap().unwrap();
    assert_eq!(values.len(), 1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
