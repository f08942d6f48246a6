//! What a caller sees of executions: both modes, every way to end, progress, limits, order.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use rutter_e2e::{Package, Server, shell, wait_until};
use serde_json::{Value, json};

fn exception(status: &Value) -> String {
    let kind = status["exception"]["type"].as_str().unwrap_or_default();
    kind.rsplit('/').next().unwrap_or_default().to_owned()
}

#[test]
fn a_synchronous_answer_is_the_result_and_names_its_job() {
    let server = Server::builder().package(&shell("say", "printf hello")).start();
    let client = server.client();
    let answer = client.execute("say", &json!({"inputs": {}})).expect(200);
    assert_eq!(answer.text(), "hello");
    let results = answer.header("content-location").unwrap().to_owned();
    assert_eq!(client.get(&results).expect(200).text().trim_matches('"'), "hello");
}

#[test]
fn an_asynchronous_job_can_be_followed_from_its_location() {
    let package = shell(
        "steps",
        "echo '40 halfway' >> $RUTTER_PROGRESS; until [ -e $RUTTER_PACKAGE_DIR/go ]; do sleep 0.05; done",
    );
    let server = Server::builder().package(&package).start();
    let client = server.client();
    let job = client.submit("steps", &json!({}));
    let mut status = Value::Null;
    wait_until("the progress shows", || {
        status = client.status(&job);
        status["progress"] == json!(40)
    });
    assert_eq!(status["status"], json!("running"));
    assert_eq!(status["message"], json!("halfway"));
    client.get(&format!("{job}/results")).expect(404);
    std::fs::write(server.folder().join("processes/go"), "").unwrap();
    let done = client.finish(&job);
    assert_eq!(done["status"], json!("successful"));
    for time in ["created", "started", "finished", "updated", "expires"] {
        assert!(done[time].is_string(), "{time} is missing: {done}");
    }
}

#[test]
fn every_way_to_fail_has_a_type_of_its_own_and_the_tail_of_the_log() {
    let text = json!({"schema": {"type": "string"}});
    let hog = "python3 -c 'b = bytearray(400_000_000); import time; time.sleep(60)'";
    let packages = [
        (shell("exit", "echo because >&2; exit 7"), "exit-code"),
        (shell("signal", "echo because; kill -SEGV $$"), "signal"),
        (shell("slow", "echo because; sleep 60").config("jobTimeout", json!(1)), "time-limit"),
        (shell("hog", hog).config("memoryMax", json!(0.2)), "out-of-memory"),
        (Package::new("forgets", json!(["true"])).output("o", text.clone()), "output-missing"),
        (
            Package::new("lies", json!(["sh", "-c", "echo '\"text\"' > $RUTTER_OUT/o"]))
                .output("o", json!({"schema": {"type": "number"}})),
            "output-invalid",
        ),
        (
            Package::new("links", json!(["sh", "-c", "ln -s /etc/passwd $RUTTER_OUT/o"])).output("o", text.clone()),
            "output-unusable",
        ),
        (
            Package::new("floods", json!(["sh", "-c", "head -c 5000000 /dev/zero > $RUTTER_OUT/o"]))
                .output("o", json!({"schema": {"type": "string", "contentEncoding": "binary", "contentMediaType": "application/octet-stream"}}))
                .config("storageOutputsMin", json!(0.001)),
            "output-limit",
        ),
        (Package::new("absent", json!(["no-such-program-here"])).output("o", text), "cannot-start"),
    ];
    let server =
        packages.iter().fold(Server::builder(), |builder, (package, _)| builder.package(package)).start();
    let client = server.client();
    let jobs: Vec<(String, &str, &str)> = packages
        .iter()
        .map(|(package, kind)| (client.submit(package.id(), &json!({})), package.id(), *kind))
        .collect();
    for (job, id, kind) in jobs {
        let status = client.finish(&job);
        assert_eq!(status["status"], json!("failed"), "{id}");
        assert_eq!(exception(&status), kind, "{id}: {status}");
        if ["exit", "signal", "slow"].contains(&id) {
            assert!(status["exception"]["logTail"].to_string().contains("because"), "{id}: {status}");
        }
        let results = client.get(&format!("{job}/results"));
        assert_eq!(results.status, 500, "{id}");
        assert_eq!(results.json()["type"], status["exception"]["type"], "{id}");
    }
}

#[test]
fn memory_is_limited_while_the_server_stays_small() {
    let hog = "python3 -c 'b = bytearray(400_000_000); import time; time.sleep(60)'";
    let server = Server::builder().package(&shell("hog", hog).config("memoryMax", json!(0.2))).start();
    let before = server.memory();
    let client = server.client();
    let status = client.finish(&client.submit("hog", &json!({})));
    assert_eq!(exception(&status), "out-of-memory", "{status}");
    assert!(server.memory() < before + 50_000_000, "the server's memory moved");
}

#[test]
fn nothing_of_a_command_is_left_running() {
    let daemon = "setsid sh -c 'sleep 1000' & (trap '' TERM; sleep 1000) & echo $$";
    let stubborn = "trap '' TERM; while true; do sleep 1; done";
    let server = Server::builder()
        .config("jobs: {graceSeconds: 1}")
        .package(&shell("daemon", daemon))
        .package(&shell("stubborn", stubborn))
        .start();
    let client = server.client();
    let job = client.submit("daemon", &json!({}));
    assert_eq!(client.finish(&job)["status"], json!("successful"));
    let stubborn = client.submit("stubborn", &json!({}));
    client.wait_for(&stubborn, &["running"]);
    let answer = client.delete(&stubborn).expect(200).json();
    assert_eq!(answer["status"], json!("dismissed"));
    for job in [job, stubborn] {
        let id = job.rsplit('/').next().unwrap().to_owned();
        wait_until("no process of the job is left", || processes_of(&id).is_empty());
    }
}

fn processes_of(job: &str) -> Vec<String> {
    let needle = format!("RUTTER_JOB_ID={job}");
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter(|entry| {
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            environment.windows(needle.len()).any(|window| window == needle.as_bytes())
        })
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn small_jobs_pass_a_big_one_but_at_most_four_of_them() {
    let line = "echo $RUTTER_PROCESS_ID >> $RUTTER_PACKAGE_DIR/order; sleep 0.2";
    let server = Server::builder()
        .config("local: {cpus: 2}")
        .package(&shell("small", line).config("cpuMin", json!(1)))
        .package(&shell("big", line).config("cpuMin", json!(2)))
        .start();
    let client = server.client();
    let mut jobs = vec![client.submit("small", &json!({}))];
    jobs.push(client.submit("big", &json!({})));
    jobs.extend((0..10).map(|_| client.submit("small", &json!({}))));
    for job in &jobs {
        client.finish(job);
    }
    let order = std::fs::read_to_string(server.folder().join("processes/order")).unwrap();
    let before = order.lines().take_while(|line| *line != "big").count();
    assert!(before <= 1 + 4, "{before} jobs started before the big one:\n{order}");
    assert_eq!(order.lines().count(), 12);
}

#[test]
fn waiting_is_capped_and_the_job_goes_on() {
    let server = Server::builder()
        .package(&shell("both", "sleep 3; echo done"))
        .package(&shell("waits", "sleep 3; echo done").job_control(&["sync-execute"]))
        .start();
    let client = server.client();
    let ask = |process: &str| {
        let request = client.request("POST", &format!("/processes/{process}/execution"));
        client.send(request.header("Prefer", "wait=1").json(&json!({"inputs": {}})))
    };
    let answer = ask("both").expect(201);
    let job = answer.header("location").unwrap().to_owned();
    assert_eq!(client.finish(&job)["status"], json!("successful"));
    let answer = ask("waits").expect(504);
    let job = answer.text();
    let at = job.find("/jobs/").expect("the problem links to the job");
    let id: String = job[at + 6..].chars().take(36).collect();
    assert_eq!(client.finish(&format!("/jobs/{id}"))["status"], json!("successful"));
}

#[test]
fn a_client_that_goes_away_does_not_stop_its_job() {
    let server = Server::builder().package(&shell("slow", "sleep 1; echo done")).start();
    let client = server.client();
    let impatient = client.request("POST", "/processes/slow/execution").json(&json!({"inputs": {}}));
    let lost = impatient.timeout(std::time::Duration::from_millis(300)).send();
    assert!(lost.is_err());
    let jobs = client.get("/jobs").expect(200).json();
    let id = jobs["jobs"][0]["id"].as_str().expect("the job is there").to_owned();
    assert_eq!(client.finish(&format!("/jobs/{id}"))["status"], json!("successful"));
}
