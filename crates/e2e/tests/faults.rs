//! Faults of the machine and of its operators: full disks, stops, stubborn commands, retention, starts that can't succeed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod aftermath;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use aftermath::{
    Killed, address, agent_of, commands_of, exception, gate, id_of, kill, noting, open_gate, ran, refusal,
    running_in, serve,
};
use rutter_e2e::{Package, Server, ServerBuilder, shell, wait_until};
use serde_json::json;

/// A small disk; unmounted when it is dropped, also by a panic.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path) -> Self {
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs"]).arg(at).status();
        assert!(mounted.expect("mount is installed").success(), "mounting needs root");
        Self(at.to_owned())
    }

    /// Start a server afresh, its data on a disk of its own.
    fn under(server: &mut Server) -> Self {
        server.kill();
        fs::remove_dir_all(server.data()).unwrap();
        fs::create_dir(server.data()).unwrap();
        let disk = Self::mount(&server.data());
        server.start();
        disk
    }

    /// Fill it, but for this many KiB.
    fn fill_but(&self, kibibytes: u64) {
        let filler = vec![0; usize::try_from(self.free().saturating_sub(kibibytes * 1024)).unwrap()];
        let file = fs::OpenOptions::new().create(true).append(true).open(self.0.join("filler"));
        let _ = file.unwrap().write_all(&filler);
    }

    /// Bytes that are free.
    fn free(&self) -> u64 {
        let space = rustix::fs::statvfs(&self.0).unwrap();
        space.f_bavail * space.f_frsize
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn binary_output() -> serde_json::Value {
    json!({"schema": {"type": "string", "contentEncoding": "binary", "contentMediaType": "application/octet-stream"}})
}

#[test]
fn a_full_disk_is_said_and_loses_nothing_and_afterwards_everything_goes_on() {
    let output = "head -c 300000 /dev/zero > $RUTTER_OUT/data";
    let early = format!("{output}; echo before; {}", gate("write"));
    let late = format!("echo before; {}; {output}", gate("write"));
    let mut server = before_a_full_disk()
        .package(&noting("early", &early).output("data", binary_output()))
        .package(&noting("late", &late).output("data", binary_output()))
        .package(&noting("stays", &gate("never")))
        .package(&shell("say", "printf hello"))
        .expect_warning("could not note how an attempt ended")
        .start();
    let disk = Disk::under(&mut server);
    let client = server.client();
    let kept = client.submit("say", &json!({}));
    client.finish(&kept);
    let early = client.submit("early", &json!({}));
    let late = client.submit("late", &json!({}));
    let stays = client.submit("stays", &json!({}));
    wait_until("all run", || ran(&server).len() == 3 && !commands_of(&stays).is_empty());
    let logs = |job: &str| client.get(&format!("{job}/logs?f=text")).expect(200).text();
    wait_until("they reached their gate", || {
        logs(&early).contains("before") && logs(&late).contains("before")
    });

    disk.fill_but(0);
    let mut refused = None;
    wait_until("a submission is refused", || {
        let request = client.request("POST", "/processes/say/execution").header("Prefer", "respond-async");
        let answer = client.send(request.json(&json!({"inputs": {}})));
        assert!([201, 507].contains(&answer.status), "{}: {}", answer.status, answer.text());
        refused = (answer.status == 507).then(|| answer.json());
        refused.is_some()
    });
    let refused = refused.unwrap();
    assert_eq!(refused["status"], json!(507));
    assert!(refused["detail"].to_string().contains("full"), "{refused}");
    assert_eq!(client.status(&kept)["status"], json!("successful"));
    assert_eq!(client.get(&format!("{kept}/results/out")).expect(200).text(), "hello");
    client.get("/jobs").expect(200);
    client.get("/processes/say").expect(200);

    // Ends that can't be stored wait for room: of a command that wants to store outputs, and of a lost agent.
    open_gate(&server, "write");
    kill(agent_of(&server, &stays).expect("an agent"));
    wait_until("its command ended with it", || commands_of(&stays).is_empty());
    wait_until("its end was noticed", || {
        server.log().contains("a pass failed; it is repeated")
            || client.status(&stays)["status"] == json!("failed")
    });

    disk.empty();
    let status = client.finish(&stays);
    assert_eq!(exception(&status), "agent-lost", "{status}");
    // What was written before can be stored now; what could not be written is told.
    assert_eq!(client.finish(&early)["status"], json!("successful"));
    assert_eq!(client.get(&format!("{early}/results/data")).expect(200).body.len(), 300_000);
    let status = client.finish(&late);
    if status["status"] == json!("failed") {
        assert!(status["exception"].to_string().contains("No space"), "{status}");
    }
    println!("the job that wrote onto the full disk: {status}");
    let answer = client.execute("say", &json!({"inputs": {}})).expect(200);
    assert_eq!(answer.text(), "hello");
    for job in client.get("/jobs?limit=1000").expect(200).json()["jobs"].as_array().unwrap() {
        let status = client.finish(&format!("/jobs/{}", job["jobID"].as_str().unwrap()));
        assert!(status["status"] != json!("dismissed"), "{status}");
    }
    assert_eq!(client.get(&format!("{kept}/results/out")).expect(200).text(), "hello");
    assert_eq!(ran(&server).len(), 3, "nothing ran twice");
    wait_until("nothing is left running", || running_in(&server).is_empty());
}

/// On a disk of its own, filled to the last byte by somebody else.
#[test]
fn a_full_disk_is_freed_by_removing_jobs() {
    let output = "head -c 200000 /dev/zero > $RUTTER_OUT/data";
    let mut server =
        before_a_full_disk().package(&shell("large", output).output("data", binary_output())).start();
    let disk = Disk::under(&mut server);
    let client = server.client();
    let jobs: Vec<_> = (0..12).map(|_| client.submit("large", &json!({}))).collect();
    for job in &jobs {
        client.finish(job);
    }
    let attempts = server.data().join("attempts");
    wait_until("all is archived and let go", || fs::read_dir(&attempts).unwrap().next().is_none());
    disk.fill_but(0);
    // What room the database keeps for itself is used up, so that it would have to grow.
    let request = || client.request("POST", "/processes/large/execution").header("Prefer", "respond-async");
    wait_until("a submission is refused", || {
        client.send(request().json(&json!({"inputs": {}}))).status == 507
    });
    disk.fill_but(0);
    for (number, job) in jobs.iter().enumerate() {
        client.delete(job).expect(200);
        client.get(job).expect(410);
        assert!(!server.data().join("objects/jobs").join(id_of(job)).exists());
        assert!(disk.free() > 150_000 * number as u64, "{number}: {}", disk.free());
    }
    client.send(request().json(&json!({"inputs": {}}))).expect(201);
    server.kill();
    server.start();
    for job in &jobs {
        client.get(job).expect(410);
    }
    for job in client.get("/jobs?limit=1000").expect(200).json()["jobs"].as_array().unwrap() {
        client.finish(&format!("/jobs/{}", job["jobID"].as_str().unwrap()));
    }
    wait_until("nothing is left running", || running_in(&server).is_empty());
}

#[test]
fn a_stop_finishes_requests_and_leaves_commands_running() {
    let sync = format!("{}; printf done", gate("sync"));
    let mut server = Server::builder()
        .package(&noting("sync", &sync).stdout_output("out"))
        .package(&noting("async", &gate("async")))
        .start();
    let client = server.client();
    let job = client.submit("async", &json!({}));
    let asked = client.clone();
    let waiting = std::thread::spawn(move || asked.execute("sync", &json!({"inputs": {}})));
    wait_until("both run", || ran(&server).len() == 2);
    let gate = server.folder().join("processes/gate-sync");
    let opener = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        fs::write(gate, "").unwrap();
    });
    let status = server.stop();
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert_eq!(waiting.join().unwrap().expect(200).text(), "done");
    opener.join().unwrap();
    assert!(!commands_of(&job).is_empty(), "the other command goes on");
    server.start();
    assert_eq!(client.status(&job)["status"], json!("running"));
    open_gate(&server, "async");
    assert_eq!(client.finish(&job)["status"], json!("successful"));
    assert_eq!(ran(&server).len(), 2);
    wait_until("nothing is left running", || running_in(&server).is_empty());
}

#[test]
fn a_stop_ends_within_the_grace_time_whatever_requests_do() {
    let mut server = Server::builder()
        .config("server: {shutdownSeconds: 1}")
        .expect_warning("requests were cut off")
        .package(&noting("stays", &gate("end")))
        .start();
    let client = server.client();
    let asked = client.request("POST", "/processes/stays/execution").json(&json!({"inputs": {}}));
    let waiting = std::thread::spawn(move || asked.send().is_ok_and(|answer| answer.status() == 200));
    wait_until("it runs", || ran(&server).len() == 1);
    assert_eq!(server.stop().code(), Some(0), "{}", server.log());
    assert!(!waiting.join().unwrap(), "nothing was there to answer");
    server.start();
    let jobs = client.get("/jobs").expect(200).json();
    let job = format!("/jobs/{}", jobs["jobs"][0]["jobID"].as_str().unwrap());
    open_gate(&server, "end");
    assert_eq!(client.finish(&job)["status"], json!("successful"));
}

#[test]
fn a_dismissed_job_is_ended_whatever_its_command_does_and_its_room_is_free_again() {
    let stubborn = "trap '' TERM INT HUP; while true; do sleep 0.1; done";
    let daemon = "setsid sh -c 'trap \"\" TERM; while true; do sleep 0.1; done' & setsid sleep 1000 & wait";
    let whole = |package: Package| package.config("cpuMin", json!(1));
    let server = Server::builder()
        .config("local: {cpus: 1}")
        .config("jobs: {graceSeconds: 1}")
        .package(&whole(noting("plain", &gate("never"))))
        .package(&whole(noting("stubborn", stubborn)))
        .package(&whole(noting("daemon", daemon)))
        .package(&whole(noting("next", "true")))
        .start();
    let client = server.client();
    for (number, process) in ["plain", "stubborn", "daemon"].into_iter().enumerate() {
        let job = client.submit(process, &json!({}));
        wait_until("the command runs", || {
            ran(&server).len() == 2 * number + 1 && !commands_of(&job).is_empty()
        });
        let next = client.submit("next", &json!({}));
        assert_eq!(client.status(&next)["status"], json!("accepted"), "there is no room beside {process}");
        let answer = client.delete(&job).expect(200).json();
        assert_eq!(answer["status"], json!("dismissed"), "{process}");
        wait_until("every process of it is gone", || commands_of(&job).is_empty());
        assert_eq!(client.finish(&next)["status"], json!("successful"), "after {process}");
        assert_eq!(client.status(&job)["status"], json!("dismissed"), "{process}");
    }
    wait_until("nothing is left running", || running_in(&server).is_empty());
}

#[test]
fn a_queued_job_that_is_dismissed_never_runs() {
    let server = Server::builder()
        .config("local: {cpus: 1}")
        .package(&noting("first", &gate("first")).config("cpuMin", json!(1)))
        .package(&noting("second", "true").config("cpuMin", json!(1)))
        .start();
    let client = server.client();
    let first = client.submit("first", &json!({}));
    let dismissed = client.submit("second", &json!({}));
    let last = client.submit("second", &json!({}));
    client.delete(&dismissed).expect(200);
    open_gate(&server, "first");
    client.finish(&last);
    assert_eq!(ran(&server), [id_of(&first), id_of(&last)]);
    assert_eq!(client.status(&dismissed)["status"], json!("dismissed"));
}

#[test]
fn retention_removes_finished_jobs_and_never_active_ones() {
    let mut server = Server::builder()
        .config("jobs: {keepDays: 0.00001}")
        .package(&shell("say", "printf hello"))
        .package(&noting("stays", &gate("stays")))
        .start();
    let client = server.client();
    let stays = client.submit("stays", &json!({}));
    wait_until("it runs", || ran(&server).len() == 1);
    let finished = client.submit("say", &json!({}));
    let kept = server.data().join("objects/jobs").join(id_of(&finished));
    wait_until("it is kept with its log", || kept.join("final.json").is_file());
    // Time passes: 0.00001 days are less than a second. Each start sweeps at once.
    wait_until("the finished job is gone", || {
        std::thread::sleep(Duration::from_secs(1));
        server.kill();
        server.start();
        client.get(&finished).status == 410
    });
    client.get(&format!("{finished}/results")).expect(410);
    wait_until("its files are gone, too", || !kept.exists());
    assert_eq!(client.status(&stays)["status"], json!("running"));
    open_gate(&server, "stays");
    wait_until("the other one finishes, and goes in its time", || {
        let answer = client.get(&stays);
        answer.status == 410 || answer.expect(200).json()["status"] == json!("successful")
    });
    assert_eq!(ran(&server).len(), 1);
}

/// A folder to start a server in, with this configuration.
fn folder(config: &str) -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("rutter-e2e").tempdir().unwrap();
    fs::create_dir(folder.path().join("processes")).unwrap();
    fs::write(folder.path().join("rutter.yaml"), config).unwrap();
    folder
}

/// One line, and each of these pieces in it.
#[track_caller]
fn assert_says(said: &str, pieces: &[&str]) {
    // What it logs before it fails is dated; what it says is not.
    let lines: Vec<_> = said.lines().filter(|line| !line.contains(" INFO ")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    for piece in pieces {
        assert!(lines[0].contains(piece), "{piece:?} is missing: {said}");
    }
}

#[test]
fn a_configuration_that_cannot_be_used_is_one_line_with_file_place_and_remedy() {
    let cases: [(&str, &[&str]); 6] = [
        ("server:\n  listen: [\n", &["rutter.yaml:"]),
        ("server:\n  publicURL: https://x/\n", &["rutter.yaml", "server.publicURL", "publicUrl"]),
        ("sever: {}\n", &["rutter.yaml", "sever", "server"]),
        ("jobs: {keepDays: soon}\n", &["rutter.yaml", "jobs.keepDays"]),
        ("jobs: {keepDays: 0}\n", &["rutter.yaml", "jobs.keepDays", "more than 0"]),
        ("server: {auth: {tokenFile: no-such.yaml}}\n", &["server.auth.tokenFile", "no-such.yaml"]),
    ];
    for (config, pieces) in cases {
        let folder = folder(config);
        let said = refusal(&mut serve(folder.path(), "127.0.0.1:0", &folder.path().join("data")));
        assert_says(&said, pieces);
    }
}

#[test]
fn an_address_that_cannot_be_used_is_one_line_with_its_remedy() {
    let server = Server::builder().start();
    let folder = folder("");
    let data = folder.path().join("data");
    let said = refusal(&mut serve(folder.path(), address(&server), &data));
    assert_says(&said, &["server.listen", address(&server), "--listen"]);
    let said = refusal(&mut serve(folder.path(), "0.0.0.0:0", &data));
    assert_says(&said, &["server.listen", "0.0.0.0", "auth: none", "tokenFile"]);
    let said = refusal(&mut serve(folder.path(), "nowhere", &data));
    assert_says(&said, &["server.listen", "nowhere", "127.0.0.1:8080"]);
    fs::write(folder.path().join("rutter.yaml"), "server: {auth: none}\n").unwrap();
    let mut open = Killed(serve(folder.path(), "0.0.0.0:0", &data).spawn().unwrap());
    wait_until("it starts once somebody wrote that", || data.join("agents.sock").exists());
    assert!(open.0.try_wait().unwrap().is_none());
}

#[test]
fn a_data_folder_that_cannot_be_used_is_one_line_with_its_remedy() {
    let folder = folder("");
    let file = folder.path().join("data");
    fs::write(&file, "no folder").unwrap();
    let said = refusal(&mut serve(folder.path(), "127.0.0.1:0", &file));
    assert_says(&said, &["data", &file.display().to_string(), "--data"]);
    let long = folder.path().join("d".repeat(120));
    let said = refusal(&mut serve(folder.path(), "127.0.0.1:0", &long));
    assert_says(&said, &["data", "107"]);
}

/// A server whose disk will be full, and what it says of that.
fn before_a_full_disk() -> ServerBuilder {
    let said = [
        "http.status=507",
        "a pass failed; it is repeated",
        "could not start; trying again",
        "could not remove old jobs; trying again",
        "the disk is nearly full",
        "the latest steps of jobs are not on the disk yet",
    ];
    let server = Server::builder().config("local: {cpus: 4}").config("jobs: {maxDiskPercent: 100}");
    said.into_iter().fold(server, ServerBuilder::expect_warning)
}
