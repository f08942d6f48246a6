//! Inputs staged and outputs collected, with what programs and callers may try.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::os::unix::net::UnixListener;

use rutter_types::agent::Outcome;
use serde_json::{Value, json};
use support::{Bench, named, sh};

fn item(input: &str, name: &str, source: Value, becomes: &str) -> Value {
    json!({"input": input, "name": name, "source": source, "becomes": becomes})
}

/// Answers every request with these headers and this body.
fn web(head: &'static str, body: &'static [u8]) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let _ = socket.read(&mut [0; 4096]);
            let _ = write!(
                socket,
                "HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = socket.write_all(body);
        }
    });
    url
}

#[test]
fn inputs_from_everywhere() {
    let package = tempfile::tempdir().unwrap();
    std::fs::write(package.path().join("default.txt"), "from the package").unwrap();
    let url = web("200 OK\r\ncontent-type: application/json", br#"{"from": "the web"}"#);
    let bench = Bench::new(json!({
        "package_folder": package.path(),
        "inputs": {"text": null, "many": [null, null], "web": null, "value": null, "result": null, "extra": 5},
        "stage": [
            item("text", "t.txt", json!({"text": "hello"}), "path"),
            {"input": "many", "index": 0, "name": "a", "source": {"base64": "AP8=\n"}, "becomes": "path"},
            {"input": "many", "index": 1, "name": "b", "source": {"package": "default.txt"}, "becomes": "path"},
            item("web", "w.json", json!({"url": url}), "path"),
            item("value", "v.json", json!({"url": url}), "value"),
            item("result", "r", json!({"result": {"job": "other", "output": "out put", "index": 2}}), "path"),
            item("extra", "e.txt", json!({"text": "5"}), "nothing"),
        ],
        "command": [
            [{"text": "sh"}], [{"text": "-c"}],
            [{"text": "cat \"$1\" $RUTTER_IN/many/0/a $RUTTER_IN/many/1/b \"$2\" $RUTTER_IN/result/r > $RUTTER_OUT/all; \
                       cp $RUTTER_INPUTS_FILE $RUTTER_OUT/inputs; echo \"$3\" > $RUTTER_OUT/argument"}],
            [{"text": "sh"}], [{"file": {"stage": 0, "field": "path"}}], [{"file": {"stage": 3, "field": "path"}}],
            [{"text": "--value="}, {"staged": {"stage": 4}}],
        ],
        "outputs": [named("all"), named("inputs"), named("argument")],
    }));
    bench.known.results.lock().unwrap().insert("other/out put/2".into(), b"a result".to_vec());
    assert_eq!(bench.run().0, 0, "{:?}", bench.report());
    assert_eq!(bench.output("all", 0), b"hello\x00\xfffrom the package{\"from\": \"the web\"}a result");
    let inputs: Value = serde_json::from_slice(&bench.output("inputs", 0)).unwrap();
    let folder = bench.folder().display().to_string();
    assert_eq!(
        inputs,
        json!({
            "text": format!("{folder}/in/text/t.txt"),
            "many": [format!("{folder}/in/many/0/a"), format!("{folder}/in/many/1/b")],
            "web": format!("{folder}/in/web/w.json"),
            "value": {"from": "the web"},
            "result": format!("{folder}/in/result/r"),
            "extra": 5,
        })
    );
    assert_eq!(bench.output("argument", 0), b"--value={\"from\":\"the web\"}\n");
    let staged = bench.known.staged.lock().unwrap().clone();
    assert_eq!(staged.len(), 1);
    let told: Vec<_> =
        staged[0].items.iter().map(|item| (item.stage, item.size, item.value.clone())).collect();
    assert_eq!(told, [(3, 19, None), (4, 19, Some(json!({"from": "the web"}))), (5, 8, None)]);
}

#[test]
fn files_of_the_package_come_from_the_server_where_its_folder_is_not_seen() {
    let bench = Bench::new(json!({
        "inputs": {"text": null, "dem": null, "level": null},
        "stage": [
            item("text", "t.txt", json!({"text": "hello"}), "path"),
            item("dem", "dem.tif", json!({"package": "data/dem.tif"}), "path"),
            item("level", "level.json", json!({"package": "data/level.json"}), "value"),
        ],
        "command": sh("cat $RUTTER_IN/dem/dem.tif > $RUTTER_OUT/dem; cp $RUTTER_INPUTS_FILE $RUTTER_OUT/inputs"),
        "outputs": [named("dem"), named("inputs")],
    }));
    let large = vec![7; 3_000_000];
    bench.known.package_files.lock().unwrap().extend([(1, large.clone()), (2, b"[1, 2]".to_vec())]);
    bench.known.failing.store(3, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(bench.run().0, 0, "{:?}", bench.report());
    assert_eq!(bench.output("dem", 0), large);
    let inputs: Value = serde_json::from_slice(&bench.output("inputs", 0)).unwrap();
    assert_eq!(inputs["level"], json!([1, 2]));
    assert_eq!(inputs["dem"], json!(bench.folder().join("in/dem/dem.tif")));
}

#[test]
fn a_file_of_the_package_that_the_server_does_not_give_is_named() {
    let bench = Bench::new(json!({
        "stage": [item("dem", "dem.tif", json!({"package": "data/dem.tif"}), "path")], "command": sh("touch ran"),
    }));
    let (code, report) = bench.run();
    assert_eq!(code, 121);
    let Outcome::StagingFailed { faults } = report.outcome else { panic!("{:?}", report.outcome) };
    assert_eq!((&*faults[0].pointer, &*faults[0].detail), ("/inputs/dem", "there is no such file"));
    assert!(!bench.folder().join("work/ran").exists());
}

#[test]
fn values_that_the_server_refuses() {
    let url = web("200 OK", b"[1]");
    let bench = Bench::new(json!({
        "stage": [item("v", "v", json!({"url": url}), "value")], "command": sh("touch ran"), "inputs": {"v": null},
    }));
    let fault = json!({"pointer": "/inputs/v", "detail": "too short"});
    *bench.known.refusal.lock().unwrap() = Some(json!({"answer": "refused", "faults": [fault]}));
    let (code, report) = bench.run();
    assert_eq!(code, 120);
    assert!(matches!(report.outcome, Outcome::BadInput { faults } if faults[0].detail == "too short"));
    assert!(!bench.folder().join("work/ran").exists());
}

#[test]
fn every_input_that_cannot_be_had_is_named() {
    let package = tempfile::tempdir().unwrap();
    std::fs::write(package.path().join("../rutter-outside-the-package"), "x").ok();
    std::os::unix::fs::symlink("/etc/passwd", package.path().join("link")).unwrap();
    let big: &'static [u8] = Vec::leak(vec![0; 2_000_000]);
    let bench = Bench::new(json!({
        "package_folder": package.path(),
        "stage": [
            item("good", "x", json!({"text": "x"}), "path"),
            item("../evil", "x", json!({"text": "x"}), "path"),
            item("name", "../../x", json!({"text": "x"}), "path"),
            item("base64", "x", json!({"base64": "!"}), "path"),
            item("dots", "x", json!({"package": "../rutter-outside-the-package"}), "path"),
            item("absolute", "x", json!({"package": "/etc/passwd"}), "path"),
            item("link", "x", json!({"package": "link"}), "path"),
            item("metadata", "x", json!({"url": "http://169.254.169.254/"}), "path"),
            item("scheme", "x", json!({"url": "file:///etc/passwd"}), "path"),
            item("status", "x", json!({"url": web("404 Not Found", b"")}), "path"),
            item("big", "x", json!({"url": web("200 OK", big)}), "path"),
        ],
        "command": sh("touch ran"),
    }));
    let (code, report) = bench.run();
    assert_eq!(code, 121);
    let Outcome::StagingFailed { faults } = report.outcome else { panic!("{:?}", report.outcome) };
    let named: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(
        named,
        [
            "/inputs/..~1evil",
            "/inputs/name",
            "/inputs/base64",
            "/inputs/dots",
            "/inputs/absolute",
            "/inputs/link",
            "/inputs/metadata",
            "/inputs/scheme",
            "/inputs/status",
            "/inputs/big",
        ]
    );
    assert!(faults[9].detail.contains("references.maxBytes"), "{:?}", faults[9]);
    assert!(!bench.folder().join("work/ran").exists());
}

#[test]
fn private_networks_stay_closed_unless_allowed() {
    let url = web("200 OK", b"secret");
    let order = |allow: Value| {
        json!({
            "stage": [item("v", "v", json!({"url": url}), "path")],
            "fetch": {"private_networks": false, "allow": allow},
        })
    };
    let Outcome::StagingFailed { faults } = Bench::new(order(json!([]))).outcome() else { panic!("fetched") };
    assert!(faults[0].detail.contains("references.allow"));
    assert_eq!(Bench::new(order(json!(["127.0.0.0/8"]))).run().0, 0);
}

#[test]
fn inputs_alone_pass_the_disk_space() {
    let url = web("200 OK", Vec::leak(vec![7; 500_000]));
    let bench = Bench::new(json!({
        "stage": [item("v", "v", json!({"url": url}), "path")], "limits": {"scratch_bytes": 100_000},
    }));
    assert_eq!(bench.outcome(), Outcome::ScratchLimit);
}

#[test]
fn outputs_that_are_no_plain_files() {
    let socket = tempfile::tempdir().unwrap();
    let _listener = UnixListener::bind(socket.path().join("s")).unwrap();
    let mv = format!("mv {}/s $RUTTER_OUT/x", socket.path().display());
    for (script, reason) in [
        ("ln -s /etc/passwd $RUTTER_OUT/x", "is a symbolic link"),
        ("ln -s /etc $RUTTER_OUT/x", "is a symbolic link"),
        ("mkfifo $RUTTER_OUT/x", "is a FIFO"),
        (mv.as_str(), "is a socket"),
        ("mknod $RUTTER_OUT/x c 1 5 || ln -s /dev/zero $RUTTER_OUT/x", "is a "),
        ("mkdir $RUTTER_OUT/x; ln -s /etc/passwd $RUTTER_OUT/x/y", "holds 'y', a symbolic link"),
        ("mkdir -p $RUTTER_OUT/x/deep; mkfifo $RUTTER_OUT/x/deep/y", "holds 'deep/y', a FIFO"),
        ("rm -r $RUTTER_OUT; ln -s /etc $RUTTER_OUT", "can't be looked for"),
    ] {
        let bench = Bench::new(json!({"command": sh(script), "outputs": [named("x")]}));
        let outcome = bench.outcome();
        let Outcome::OutputUnusable { output, reason: told } = &outcome else {
            panic!("{script}: {outcome:?}")
        };
        assert_eq!(output, "x");
        assert!(told.contains(reason), "{script}: {told}");
    }
}

#[test]
fn globs_do_not_follow_links_out() {
    let glob = json!({"id": "x", "find": {"glob": ["**/passwd"]}, "required": true, "many": true});
    let bench = Bench::new(json!({"command": sh("ln -s /etc $RUTTER_OUT/dir"), "outputs": [glob]}));
    assert_eq!(bench.outcome(), Outcome::OutputMissing { outputs: vec!["x".into()] });
}

#[test]
fn missing_outputs_are_all_named_and_optional_ones_are_not_missed() {
    let optional = json!({"id": "o", "find": "name", "required": false, "many": false});
    let bench = Bench::new(json!({"outputs": [named("a"), optional, named("b")]}));
    assert_eq!(bench.outcome(), Outcome::OutputMissing { outputs: vec!["a".into(), "b".into()] });
}

#[test]
fn several_files_are_values_or_a_zip() {
    let script = "for n in 1 2 10; do echo $n > $RUTTER_OUT/p$n.csv; done; mkdir -p $RUTTER_OUT/d/e; echo x > $RUTTER_OUT/d/e/f";
    let glob = |id: &str, many: bool| json!({"id": id, "find": {"glob": ["p*.csv"]}, "required": true, "many": many});
    let bench = Bench::new(
        json!({"command": sh(script), "outputs": [glob("many", true), glob("one", false), named("d")]}),
    );
    assert_eq!(bench.run().0, 0);
    let values: Vec<Vec<u8>> = (0..3).map(|index| bench.output("many", index)).collect();
    assert_eq!(values, [b"1\n".to_vec(), b"10\n".to_vec(), b"2\n".to_vec()]);
    assert_eq!(entries(bench.output("one", 0)), ["p1.csv", "p10.csv", "p2.csv"]);
    assert_eq!(entries(bench.output("d", 0)), ["e/", "e/f"]);
    let report = bench.report();
    let zip = report.outputs.iter().find(|file| file.output == "d").unwrap();
    assert_eq!((zip.name.as_str(), zip.media_type.as_deref()), ("d.zip", Some("application/zip")));
}

fn entries(bytes: Vec<u8>) -> Vec<String> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    (0..archive.len()).map(|at| archive.by_index(at).unwrap().name().unwrap().into_owned()).collect()
}

#[test]
fn too_large_outputs() {
    for script in [
        "head -c 200000 /dev/zero > $RUTTER_OUT/x",
        "mkdir $RUTTER_OUT/x; head -c 200000 /dev/zero > $RUTTER_OUT/x/y",
    ] {
        let bench = Bench::new(
            json!({"command": sh(script), "outputs": [named("x")], "limits": {"output_bytes": 100_000}}),
        );
        assert_eq!(bench.outcome(), Outcome::OutputLimit { output: "x".into() });
    }
}

#[test]
fn names_that_break_lines() {
    let glob = json!({"id": "x", "find": {"glob": ["*"]}, "required": true, "many": false});
    let bench = Bench::new(json!({
        "command": sh("printf hi > \"$RUTTER_OUT/$(printf 'a\\nb\\033c.txt')\""), "outputs": [glob],
    }));
    assert_eq!(bench.run().0, 0);
    assert_eq!(bench.report().outputs[0].name, "a_b_c.txt");
    assert_eq!(bench.output("x", 0), b"hi");
}

#[test]
fn a_hard_link_to_a_file_outside_is_a_plain_file() {
    let bench = Bench::new(json!({
        "command": sh("echo x > ../elsewhere; ln ../elsewhere $RUTTER_OUT/x"), "outputs": [named("x")],
    }));
    assert_eq!(bench.run().0, 0);
    assert_eq!(bench.output("x", 0), b"x\n");
}
