//! What comes out of a command while it runs: log, standard output as an output, progress.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use rutter_types::agent::{Outcome, Phase};
use serde_json::json;
use support::{Bench, sh};

fn python(script: &str) -> serde_json::Value {
    json!([[{"text": "python3"}], [{"text": "-c"}], [{"text": script}]])
}

#[test]
fn one_line_of_100_mb() {
    let script = "import sys\nfor _ in range(100): sys.stdout.write('x' * 1000000)\nprint()";
    let bench = Bench::new(json!({"command": python(script), "limits": {"log_bytes": 200_000_000}}));
    assert_eq!(bench.run().0, 0);
    let log = bench.log();
    assert_eq!(log.iter().map(|(_, text)| text.len()).sum::<usize>(), 100_000_000);
    let (last, before) = log.split_last().unwrap();
    assert_eq!(last.0, "out");
    assert!(before.iter().all(|(tag, text)| tag == "out+" && text.len() == 16 * 1024));
}

#[test]
fn endless_output_ends_with_the_time_limit_and_the_log_stays_bounded() {
    let bench = Bench::new(json!({
        "command": sh("yes endless"),
        "limits": {"command_seconds": 2, "grace_seconds": 1, "log_bytes": 500_000},
    }));
    let (_, report) = bench.run();
    assert_eq!(report.outcome, Outcome::TimeLimit);
    assert!(bench.known.log.lock().unwrap().len() < 600_000);
    assert!(report.log_bytes > 1_000_000);
    let notes = bench.log().iter().filter(|(tag, text)| tag == "sys" && text.contains("log limit")).count();
    assert_eq!(notes, 1);
}

#[test]
fn invalid_utf_8_and_control_characters() {
    let script = r"import sys; sys.stdout.buffer.write(b'a\xff\xfeb\x00\x1b[1m\tc\r\nd\n\n')";
    let bench = Bench::new(json!({"command": python(script)}));
    assert_eq!(bench.run().0, 0);
    let texts: Vec<String> = bench.log().into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["a\u{fffd}\u{fffd}b[1m\tc", "d", ""]);
}

#[test]
fn the_log_survives_a_server_that_keeps_little() {
    let bench = Bench::new(json!({"command": sh("seq 1 20000")}));
    bench.known.log_step.store(50_000, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(bench.run().0, 0);
    let numbers: Vec<String> = bench.log().into_iter().map(|(_, text)| text).collect();
    assert_eq!(numbers, (1..=20_000).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn standard_output_as_an_output_is_kept_byte_by_byte() {
    let script = r"import sys; sys.stdout.buffer.write(bytes(range(256)) * 1000)";
    let output = json!({"id": "raw", "find": "stdout", "required": true, "many": false, "media_type": "application/json"});
    let bench = Bench::new(json!({"command": python(script), "outputs": [output]}));
    assert_eq!(bench.run().0, 0);
    let wanted: Vec<u8> = (0..=255).cycle().take(256_000).collect();
    assert_eq!(bench.output("raw", 0), wanted);
    assert_eq!(bench.report().outputs[0].name, "raw.json");
}

#[test]
fn too_much_standard_output_as_an_output() {
    let output = json!({"id": "raw", "find": "stdout", "required": true, "many": false});
    for script in ["yes", "head -c 200000 /dev/zero"] {
        let bench = Bench::new(json!({
            "command": sh(script), "outputs": [output], "limits": {"output_bytes": 100_000, "grace_seconds": 1},
        }));
        assert_eq!(bench.outcome(), Outcome::OutputLimit { output: "raw".into() }, "{script}");
    }
}

#[test]
fn progress_arrives_with_its_last_word() {
    let script = "echo '10 begin' >> $RUTTER_PROGRESS; sleep 1; echo junk >> $RUTTER_PROGRESS; sleep 1; \
                  printf '100 at the end' >> $RUTTER_PROGRESS";
    let bench = Bench::new(json!({"command": sh(script)}));
    assert_eq!(bench.run().0, 0);
    let told = bench.known.progress.lock().unwrap().clone();
    let words: Vec<_> =
        told.iter().map(|told| (told.percent, told.message.clone().unwrap_or_default())).collect();
    assert!(words.contains(&(Some(10), "begin".to_owned())), "{words:?}");
    assert_eq!(words.last().unwrap(), &(Some(100), "at the end".to_owned()));
    assert!(told.len() <= 6, "{told:?}");
    assert!(told.iter().any(|told| told.phase == Phase::Running && told.usage.is_some()));
    let calls = bench.known.calls.lock().unwrap().clone();
    assert_eq!(calls.last().unwrap(), "/agent/v1/report");
}

#[test]
fn a_command_that_does_nothing_makes_two_calls() {
    let bench = Bench::new(json!({"command": [[{"text": "true"}]]}));
    assert_eq!(bench.run().0, 0);
    assert_eq!(*bench.known.calls.lock().unwrap(), ["/agent/v1/order", "/agent/v1/report"]);
}
