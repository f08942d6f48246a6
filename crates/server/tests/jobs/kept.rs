//! What a failed program said and left.

use rutter_server::ServerConfig;
use rutter_types::agent::{Outcome, Report, Usage};
use serde_json::{Value, json};

use crate::{common::Server, schemas::check_problem};

const PACKAGE: &str = r#"
processDescription:
  process:
    id: notebook
    version: 1.0.0
    jobControlOptions: [async-execute]
    outputs:
      result: {schema: {type: object}, minOccurs: 0}
      notebook: {schema: {type: string, contentMediaType: application/x-ipynb+json}}
answer: result
executionUnit:
  - type: command
    command: ["false"]
    bindings: {outputBindings: {notebook: {whenFailed: true}}}
"#;

async fn failed(outcome: Outcome, reason: Option<&str>) -> (Server, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notebook.yaml"), PACKAGE).unwrap();
    let server = Server::of(ServerConfig::default(), vec![folder.path().to_owned()]).await;
    let id = server.submit("notebook", &json!({})).await;
    let attempt = server.attempt(id).await;
    let outputs = server.files(
        id,
        &[
            ("notebook", "application/x-ipynb+json", "notebook.ipynb", b"{\"cells\": []}"),
            ("result", "application/json", "result.json", b"{}"),
        ],
    );
    let outputs = outputs.await;
    let reason = reason.map(str::to_owned);
    let report = Report { outcome, usage: Usage::default(), outputs, reason, log_bytes: 0 };
    server.state.engine.agents().report(&attempt, report).await.unwrap();
    (server, format!("/jobs/{id}"))
}

#[tokio::test]
async fn a_failed_job_has_what_its_package_wants_kept() {
    let (server, job) =
        failed(Outcome::Exited { code: 1 }, Some("ZeroDivisionError: division by zero")).await;
    let status = server.json(&job).await;
    assert_eq!(status["status"], "failed");
    assert_eq!(status["message"], "ZeroDivisionError: division by zero");
    let exception = &status["exception"];
    assert_eq!((&exception["detail"], &exception["exitCode"]), (&status["message"], &json!(1)));
    let results = server.get(&format!("{job}/results"), &[]).await;
    check_problem(&results.json());
    assert_eq!(results.json()["detail"], status["message"]);
    let link = |link: &&Value| link["href"].as_str().unwrap().ends_with("/results/notebook");
    let links = status["links"].as_array().unwrap();
    assert_eq!(links.iter().find(link).unwrap()["type"], "application/x-ipynb+json");
    let notebook = server.get(&format!("{job}/results/notebook"), &[]).await;
    assert_eq!((notebook.status.as_u16(), notebook.text().as_str()), (200, "{\"cells\": []}"));
    assert_eq!(notebook.header("content-type"), "application/x-ipynb+json");
    let page = server.get(&job, &[("accept", "text/html")]).await.text();
    assert!(page.contains(">What it left: notebook</a>"), "{page}");
    let other = server.get(&format!("{job}/results/result"), &[]).await;
    assert_eq!(other.json()["detail"], status["message"], "nothing else of it is published");
    assert_eq!(server.delete(&job).await.status, 200);
    assert_eq!(server.get(&format!("{job}/results/notebook"), &[]).await.status, 410);
}

#[tokio::test]
async fn words_count_only_where_the_program_ended_by_itself() {
    for (outcome, reason) in [
        (Outcome::TimeLimit, Some("I am fine")),
        (Outcome::Exited { code: 1 }, Some("  ")),
        (Outcome::Exited { code: 1 }, None),
    ] {
        let (server, job) = failed(outcome, reason).await;
        let detail = server.json(&job).await["exception"]["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with("the program"), "{detail}");
    }
}
