//! The database is lost: everything but queued jobs comes back (invariant 6).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod aftermath;

use std::fs;

use aftermath::{commands_of, gate, id_of, noting, open_gate, ran, running_in};
use rutter_e2e::{Client, Server, wait_until};
use serde_json::{Value, json};

/// What a caller can see of a job that is over.
#[derive(Debug, PartialEq)]
struct Seen {
    status: Value,
    results: (u16, String),
    log: String,
}

fn seen(client: &Client, job: &str) -> Seen {
    let results = client.get(&format!("{job}/results?f=json"));
    Seen {
        status: client.status(job),
        results: (results.status, results.text()),
        log: client.get(&format!("{job}/logs?f=text")).expect(200).text(),
    }
}

fn delete_database(server: &Server) {
    let files: Vec<_> = fs::read_dir(server.data())
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("rutter.db"))
        .collect();
    assert!(!files.is_empty(), "there is a database");
    files.iter().for_each(|file| fs::remove_file(file.path()).unwrap());
}

#[test]
fn all_but_queued_jobs_come_back_when_the_database_is_lost() {
    let text = json!({"schema": {"type": "string"}});
    let ends = "echo a line; seq 30000 > $RUTTER_OUT/data; echo '\"words\"' > $RUTTER_OUT/word";
    let waits = format!("echo before; {}; echo after; echo '\"late\"' > $RUTTER_OUT/word", gate("all"));
    let mut server = Server::builder()
        .config("local: {cpus: 4}")
        .expect_warning("the database was lost")
        .package(&noting("ends", ends).output("data", text.clone()).output("word", text.clone()))
        .package(&noting("fails", "echo because; exit 3"))
        .package(&noting("waits", &waits).output("word", text))
        .start();
    let client = server.client();
    let mut ended: Vec<_> =
        (0..6).map(|number| client.submit(if number < 4 { "ends" } else { "fails" }, &json!({}))).collect();
    for job in &ended {
        client.finish(job);
    }
    let running: Vec<_> = (0..4).map(|_| client.submit("waits", &json!({}))).collect();
    wait_until("four run", || ran(&server).len() == 10);
    let queued: Vec<_> = (0..9).map(|_| client.submit("waits", &json!({}))).collect();
    // One that was dismissed before it ran is over, too.
    ended.push(client.submit("waits", &json!({})));
    client.delete(&ended[6]).expect(200);
    for job in &ended {
        let last = server.data().join("objects/jobs").join(id_of(job)).join("final.json");
        wait_until("the job is kept beside the database", || last.is_file());
    }
    for job in &running {
        wait_until("the log arrived", || client.get(&format!("{job}/logs?f=text")).text().contains("before"));
    }
    // The next one gets ready while others run: its launch is known beside the database, too.
    let (ready, queued) = queued.split_first().unwrap();
    let launch = server.data().join("attempts").join(format!("{}-1", id_of(ready)));
    wait_until("the next one gets ready", || launch.join("1/lock").is_file());
    let before: Vec<_> = ended.iter().map(|job| seen(&client, job)).collect();
    let started: Vec<_> = running.iter().map(|job| client.status(job)["started"].clone()).collect();

    server.kill();
    delete_database(&server);
    server.start();

    let after: Vec<_> = ended.iter().map(|job| seen(&client, job)).collect();
    assert_eq!(after, before);
    for job in queued {
        client.get(job).expect(404);
    }
    client.get(ready).expect(200);
    for (job, started) in running.iter().zip(&started) {
        wait_until("it is known to run", || client.status(job)["status"] == json!("running"));
        assert!(!commands_of(job).is_empty());
        assert!(client.status(job)["started"].is_string());
        assert!(started.is_string());
    }
    open_gate(&server, "all");
    for job in running.iter().chain([ready]) {
        assert_eq!(client.finish(job)["status"], json!("successful"));
        assert!(client.get(&format!("{job}/results/word")).expect(200).text().contains("late"));
        let log = client.get(&format!("{job}/logs?f=text")).expect(200).text();
        assert!(log.contains("before") && log.contains("after"), "{log}");
    }
    assert_eq!(ran(&server).len(), 11, "nothing ran again, and nothing that was only queued");
    let jobs = client.get("/jobs?limit=100").expect(200).json();
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), ended.len() + running.len() + 1);
    wait_until("nothing is left running", || running_in(&server).is_empty());
    // And it stays so.
    server.kill();
    server.start();
    assert_eq!(ended.iter().map(|job| seen(&client, job)).collect::<Vec<_>>(), before);
}

#[test]
fn idempotency_keys_come_back_when_the_database_is_lost() {
    let mut server = Server::builder()
        .config("local: {cpus: 4}")
        .expect_warning("the database was lost")
        .package(&noting("ends", "true"))
        .package(&noting("waits", &gate("all")))
        .start();
    let client = server.client();
    let submit = |process: &str, inputs: Value| {
        let request = client
            .request("POST", &format!("/processes/{process}/execution"))
            .header("Prefer", "respond-async")
            .header("Idempotency-Key", "the-same-for-both");
        client.send(request.json(&json!({ "inputs": inputs })))
    };
    let location = |process| submit(process, json!({})).expect(201).header("location").unwrap().to_owned();
    let [ended, running] = [location("ends"), location("waits")];
    client.finish(&format!("/jobs/{}", ended.rsplit('/').next().unwrap()));
    wait_until("both ran", || ran(&server).len() == 2);

    server.kill();
    delete_database(&server);
    server.start();

    assert_eq!([location("ends"), location("waits")], [ended, running]);
    submit("ends", json!({"other": 1})).expect(400);
    assert_eq!(ran(&server).len(), 2, "nothing ran again");
    open_gate(&server, "all");
    wait_until("nothing is left running", || running_in(&server).is_empty());
}

/// As a server leaves it that is killed while it removes a job.
#[test]
fn a_removal_that_was_begun_is_finished_also_without_the_database() {
    let text = json!({"schema": {"type": "string"}});
    let mut server = Server::builder()
        .expect_warning("the database was lost")
        .package(&noting("ends", "seq 30000 > $RUTTER_OUT/data").output("data", text))
        .start();
    let client = server.client();
    let jobs: Vec<_> = (0..3).map(|_| client.submit("ends", &json!({}))).collect();
    let objects = server.data().join("objects");
    let files = |job: &str| objects.join("jobs").join(id_of(job));
    let mark = |job: &str| objects.join(format!("removed-{}", id_of(job)));
    for job in &jobs {
        client.finish(job);
        wait_until("it is kept beside the database", || files(job).join("final.json").is_file());
    }
    server.kill();
    fs::write(mark(&jobs[0]), "").unwrap();
    server.start();
    client.get(&jobs[0]).expect(410);
    client.get(&format!("{}/results/data", jobs[0])).expect(410);
    assert!(!files(&jobs[0]).exists() && !mark(&jobs[0]).exists());

    server.kill();
    fs::write(mark(&jobs[1]), "").unwrap();
    delete_database(&server);
    server.start();
    client.get(&jobs[1]).expect(404);
    assert!(!files(&jobs[1]).exists() && !mark(&jobs[1]).exists());
    client.get(&format!("{}/results/data", jobs[2])).expect(200);
}

#[test]
fn an_end_that_nobody_saw_is_seen_although_the_database_is_lost() {
    let text = json!({"schema": {"type": "string"}});
    let line = format!("{}; echo '\"late\"' > $RUTTER_OUT/word", gate("all"));
    let mut server = Server::builder()
        .expect_warning("the database was lost")
        .package(&noting("waits", &line).output("word", text))
        .start();
    let client = server.client();
    let jobs = [client.submit("waits", &json!({})), client.submit("waits", &json!({}))];
    wait_until("both run", || ran(&server).len() == 2);
    server.kill();
    delete_database(&server);
    open_gate(&server, "all");
    wait_until("both commands ended", || jobs.iter().all(|job| commands_of(job).is_empty()));
    server.start();
    for job in &jobs {
        assert_eq!(client.finish(job)["status"], json!("successful"));
        assert!(client.get(&format!("{job}/results/word")).expect(200).text().contains("late"));
    }
    assert_eq!(ran(&server).len(), 2);
}

/// A job's record is written before its log is moved to the objects: a crash between the two, and the database lost with it.
#[test]
fn a_log_that_was_not_archived_is_archived_after_the_database_was_lost() {
    let mut server = Server::builder()
        .expect_warning("the database was lost")
        .package(&noting("ends", "echo a line"))
        .start();
    let job = server.client().submit("ends", &json!({}));
    server.client().finish(&job);
    let before = server.client().get(&format!("{job}/logs?f=text")).expect(200).text();
    let id = id_of(&job).to_owned();
    let segment = server.data().join(format!("objects/jobs/{id}/attempts/1-1/log/000000"));
    let spool = server.data().join("logs").join(&id);
    wait_until("its log is archived", || segment.exists() && !spool.exists());
    server.kill();
    fs::create_dir(&spool).unwrap();
    fs::rename(&segment, spool.join("1-1.log")).unwrap();
    delete_database(&server);
    server.start();
    wait_until("its log is archived again", || segment.exists() && !spool.exists());
    assert_eq!(server.client().get(&format!("{job}/logs?f=text")).expect(200).text(), before);
}
