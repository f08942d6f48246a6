//! Agents of earlier releases, as they were recorded (`tests/agents`), at the server of today.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use axum::body::Body;
use http::{Request, StatusCode};
use rutter_core::process::UnitKinds;
use rutter_server::ServerConfig;
use serde_json::{Value, json};

use crate::{
    agents::Desk,
    common::Server,
    play::{EVERYTHING, write_packages},
    recorded::{Call, Conversation, Recorder},
};

/// A job of the recorded process, and the names under which ids stand in recordings.
async fn desk(inputs: &Value) -> (Arc<Desk>, Vec<(String, &'static str)>) {
    let own = tempfile::tempdir().unwrap();
    write_packages(own.path());
    let packages = vec![folder().join("package"), own.path().to_owned()];
    let server = Server::running(UnitKinds::ALL, ServerConfig::default(), packages).await;
    assert_eq!(server.state.registry.snapshot().len(), 4, "{:?}", server.state.registry.snapshot().broken);
    // A result that the recorded job takes as its input.
    let other = server.done(&json!({}), &EVERYTHING).await.to_string();
    let inputs = inputs.to_string().replace("{other}", &other);
    let body = json!({ "inputs": serde_json::from_str::<Value>(&inputs).unwrap() });
    let desk = Desk::at(server, "recorded", &body).await;
    let names = vec![(desk.job.to_string(), "{job}"), (other, "{other}")];
    (Arc::new(desk), names)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents")
}

/// Every recording of this name.
fn recordings(name: &str) -> Vec<PathBuf> {
    let folders = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<_> = folders.map(|folder| folder.join(name)).filter(|path| path.exists()).collect();
    assert!(!found.is_empty(), "no recording {name}");
    found
}

async fn say(desk: &Desk, call: &Call, names: &[(String, &str)]) -> (StatusCode, String) {
    let replaced = |text: &str| names.iter().fold(text.to_owned(), |text, (id, name)| text.replace(name, id));
    let (method, path) = call.call.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(replaced(path)).header("host", "agents");
    for (name, value) in call.headers.iter().filter(|(name, _)| name != "content-length") {
        request = request.header(name, value);
    }
    let request = request.header("authorization", format!("Bearer {}", desk.token()));
    let (status, answer) = desk.send(request.body(Body::from(call.body.said(names))).unwrap()).await;
    (status, String::from_utf8(answer.to_vec()).unwrap())
}

/// Whether all that was answered then is answered now; an agent passes over what it does not know.
fn means(then: &Value, now: &Value) -> bool {
    match (then, now) {
        (Value::Object(then), Value::Object(now)) => {
            then.iter().all(|(name, then)| now.get(name).is_some_and(|now| means(then, now)))
        }
        (Value::Array(then), Value::Array(now)) => {
            then.len() == now.len() && then.iter().zip(now).all(|(then, now)| means(then, now))
        }
        _ => then == now,
    }
}

/// Says a recording again; gives the desk as it is afterwards.
async fn replay(path: &Path) -> Arc<Desk> {
    let conversation = Conversation::read(path);
    let (desk, names) = desk(&conversation.inputs).await;
    for call in &conversation.calls {
        let what = format!("{}: {}", path.display(), call.call);
        let (status, now) = say(&desk, call, &names).await;
        assert_eq!(status.as_u16(), call.status, "{what}: {now}");
        let then = call.answer.said(&names);
        match (serde_json::from_str(&then), serde_json::from_str(&now)) {
            (Ok(then), Ok(now)) => assert!(means(&then, &now), "{what}:\nthen {then:#}\nnow {now:#}"),
            _ => assert_eq!(then, now, "{what}"),
        }
    }
    // Whatever else an agent of then would ask: it is over.
    let log = conversation.calls.iter().find(|call| call.call.contains("/log")).expect("a log");
    assert_eq!(say(&desk, log, &names).await.0, StatusCode::GONE);
    let order = conversation.calls.iter().find(|call| call.call.contains("/order")).expect("an order");
    assert_eq!(say(&desk, order, &names).await.1, r#"{"do":"over"}"#);
    desk
}

#[tokio::test]
async fn jobs_of_earlier_agents_succeed() {
    for recording in recordings("success.json") {
        let desk = replay(&recording).await;
        let job = desk.server.json(&format!("/jobs/{}", desk.job)).await;
        assert_eq!((&job["status"], &job["progress"]), (&json!("successful"), &json!(100)), "{recording:?}");
        let small = desk.server.get(&format!("/jobs/{}/results/small", desk.job), &[]).await;
        assert_eq!(small.text(), "x,y\n1,2\n", "{recording:?}");
        let large = desk.server.get(&format!("/jobs/{}/results/large", desk.job), &[]).await;
        assert_eq!(large.text(), "x".repeat(70_000), "{recording:?}");
        let log = desk.server.get(&format!("/jobs/{}/logs", desk.job), &[]).await;
        assert!(log.text().contains("level 42") && log.text().contains("trouble"), "{}", log.text());
    }
}

#[tokio::test]
async fn jobs_of_earlier_agents_fail_for_the_reason_they_had() {
    for recording in recordings("failure.json") {
        let desk = replay(&recording).await;
        let job = desk.server.json(&format!("/jobs/{}", desk.job)).await;
        assert_eq!(job["status"], json!("failed"), "{recording:?}");
        let told = desk.server.get(&format!("/jobs/{}/results", desk.job), &[]).await.json();
        assert_eq!(told["exitCode"], json!(3), "{recording:?}: {told}");
    }
}

/// Makes recordings: see `tests/agents/README.md`.
#[tokio::test]
#[ignore = "writes recordings of a new agent"]
async fn record() {
    let Ok(told) = std::env::var("RUTTER_RECORD") else { return };
    let mut words = told.split(' ');
    let (release, program) = (words.next().unwrap(), words.next().expect("the agent's program"));
    let rest: Vec<&str> = words.collect();
    for (name, code) in [("success", 0), ("failure", 3)] {
        let inputs =
            json!({"code": code, "level": {"href": "http://127.0.0.1:8080/jobs/{other}/results/number"}});
        let (desk, names) = desk(&inputs).await;
        let recorder = Recorder::start(&desk, names);
        let at = desk.server.folder.path();
        fs::write(at.join("token"), desk.token()).unwrap();
        let agent = tokio::process::Command::new(program)
            .args(&rest)
            .env("RUTTER_AGENT_SERVER", format!("unix:{}", recorder.socket.display()))
            .env("RUTTER_AGENT_TOKEN_FILE", at.join("token"))
            .env("RUTTER_AGENT_FOLDER", at.join("attempt"))
            .stdin(Stdio::null())
            .status();
        assert_eq!(agent.await.unwrap().code(), Some(code), "{name}");
        let conversation = Conversation { inputs, calls: recorder.calls() };
        conversation.write(&folder().join(release).join(format!("{name}.json")));
    }
}
