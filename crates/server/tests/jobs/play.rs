//! Plays the agents: jobs end as a test wants them to.

use std::{path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use rutter_core::{executor::AttemptName, id::JobId, results::hex};
use rutter_server::ServerConfig;
use rutter_types::agent::{OrderAnswer, Outcome, OutputFile, Report, Usage, Verdict};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::common::{Answer, Server, request};

const PACKAGE: &str = r#"
processDescription:
  process:
    id: ID
    version: 1.0.0
    jobControlOptions: [CONTROL, dismiss]
    inputs:
      text: {schema: {type: string}, minOccurs: 0}
      number: {schema: {type: number, maximum: 10}, minOccurs: 0}
      secret: {schema: {type: string, format: password}, minOccurs: 0}
    outputs:
      text: {schema: {type: string}, minOccurs: 0}
      number: {schema: {type: number}, minOccurs: 0}
      object: {schema: {type: object}, minOccurs: 0}
      map: {schema: {type: string, contentMediaType: image/tiff, contentEncoding: binary}, minOccurs: 0}
      page: {schema: {type: string, contentMediaType: text/html}, minOccurs: 0}
      parts: {schema: {type: string, contentMediaType: text/csv}, minOccurs: 0, maxOccurs: 5}
executionUnit: [{type: command, command: ["true"]}]
"#;

/// A server with the processes `both`, `sync` and `async`.
pub(crate) async fn server() -> Server {
    server_with(ServerConfig::default()).await
}

pub(crate) async fn server_with(config: ServerConfig) -> Server {
    let folder = tempfile::tempdir().unwrap();
    write_packages(folder.path());
    let server = Server::of(config, vec![folder.path().to_owned()]).await;
    assert_eq!(server.state.registry.snapshot().len(), 3, "{:?}", server.state.registry.snapshot().broken);
    server
}

/// A server with the process `both`, whose outputs have so many GB together.
pub(crate) async fn server_with_room(gigabytes: f64) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let config = format!("command: [\"true\"], config: {{storageOutputsMin: {gigabytes}}}");
    let text = PACKAGE.replace("ID", "both").replace("CONTROL", "async-execute");
    std::fs::write(folder.path().join("both.yaml"), text.replace("command: [\"true\"]", &config)).unwrap();
    Server::of(ServerConfig::default(), vec![folder.path().to_owned()]).await
}

pub(crate) fn write_packages(folder: &Path) {
    for (id, control) in
        [("both", "sync-execute, async-execute"), ("sync", "sync-execute"), ("async", "async-execute")]
    {
        let text = PACKAGE.replace("ID", id).replace("CONTROL", control);
        std::fs::write(folder.join(format!("{id}.yaml")), text).unwrap();
    }
}

/// An output of a played job.
pub(crate) type Made<'a> = (&'a str, &'a str, &'a str, &'a [u8]);

/// One of each kind.
pub(crate) const EVERYTHING: [Made<'static>; 7] = [
    ("text", "text/plain", "text.txt", b"teststring"),
    ("number", "application/json", "number.json", b"42"),
    ("object", "application/json", "object.json", b"{\"href\": \"x\"}"),
    ("map", "image/tiff", "map.tif", b"II*\0binary"),
    ("page", "text/html", "page.html", b"<script>alert(1)</script>"),
    ("parts", "text/csv", "a\r\nb.csv", b"a,b"),
    ("parts", "text/csv", "c.csv", b"c,d"),
];

impl Server {
    /// Submit, asynchronously.
    pub(crate) async fn submit(&self, process: &str, body: &Value) -> JobId {
        let path = format!("/processes/{process}/execution");
        let answer = self.post(&path, &[("prefer", "respond-async")], body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().parse().unwrap()
    }

    /// Submit and let it make these outputs.
    pub(crate) async fn done(&self, body: &Value, outputs: &[Made<'_>]) -> JobId {
        let id = self.submit("both", body).await;
        self.succeed(id, outputs).await;
        id
    }

    /// The attempt of a job, when it is launched and got its order.
    pub(crate) async fn attempt(&self, id: JobId) -> AttemptName {
        let launch =
            eventually(|| self.executor.launched().into_iter().find(|launch| launch.job == id)).await;
        let attempt = AttemptName { launch, uid: "1".into() };
        let order = self.state.engine.agents().order(&attempt).await.unwrap();
        assert!(matches!(order, OrderAnswer::Run(_)), "{order:?}");
        attempt
    }

    /// The next job that is launched and was not played yet.
    pub(crate) async fn next(&self, but: &[JobId]) -> JobId {
        let fresh = || self.executor.launched().into_iter().map(|it| it.job).find(|job| !but.contains(job));
        eventually(fresh).await
    }

    pub(crate) async fn succeed(&self, id: JobId, outputs: &[Made<'_>]) {
        let attempt = self.attempt(id).await;
        let files = self.files(id, outputs).await;
        let verdict = self.report(&attempt, Outcome::Exited { code: 0 }, files).await;
        assert_eq!(verdict, Verdict::Done);
    }

    /// Those of the outputs that the job's order wants, as an agent has them.
    pub(crate) async fn files(&self, id: JobId, outputs: &[Made<'_>]) -> Vec<OutputFile> {
        let wanted = self.state.engine.store().plan(id).await.unwrap().unwrap().outputs;
        let mut files: Vec<OutputFile> = Vec::new();
        for (output, media_type, name, bytes) in outputs.iter().copied() {
            if !wanted.iter().any(|wanted| wanted.id == output) {
                continue;
            }
            files.push(OutputFile {
                output: output.into(),
                index: files.iter().filter(|file| file.output == output).count(),
                name: name.into(),
                media_type: Some(media_type.into()),
                size: bytes.len() as u64,
                sha256: hex(&Sha256::digest(bytes)),
                inline: Some(STANDARD.encode(bytes)),
            });
        }
        files
    }

    pub(crate) async fn fail(&self, id: JobId, outcome: Outcome) {
        let attempt = self.attempt(id).await;
        self.report(&attempt, outcome, Vec::new()).await;
    }

    pub(crate) async fn report(
        &self,
        attempt: &AttemptName,
        outcome: Outcome,
        outputs: Vec<OutputFile>,
    ) -> Verdict {
        let report = Report { outcome, usage: Usage::default(), outputs, reason: None, log_bytes: 0 };
        self.state.engine.agents().report(attempt, report).await.unwrap()
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(request(Method::DELETE, path, &[], axum::body::Body::empty())).await
    }
}

/// What an asynchronous process knows a moment later.
pub(crate) async fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..4000 {
        if let Some(found) = look() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not happen within 20 s");
}

/// A request for these outputs.
pub(crate) fn asking(outputs: &[&str], further: Value) -> Value {
    let outputs: serde_json::Map<String, Value> =
        outputs.iter().map(|id| ((*id).to_owned(), json!({}))).collect();
    let mut body = json!({ "inputs": {}, "outputs": outputs });
    body.as_object_mut().unwrap().extend(further.as_object().cloned().unwrap_or_default());
    body
}
