//! What an agent says to its server, written down and said again.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use rutter_types::agent::VERSION_HEADER;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::UnixListener;

use crate::agents::Desk;

/// Headers that mean something.
const HEADERS: [&str; 3] = [VERSION_HEADER, "content-type", "content-length"];

/// A recorded attempt.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Conversation {
    /// Inputs of its job.
    pub(crate) inputs: Value,
    pub(crate) calls: Vec<Call>,
}

/// A call and its answer. Ids stand as `{job}` and `{other}`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Call {
    /// Method and path.
    pub(crate) call: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Text,
    pub(crate) status: u16,
    pub(crate) answer: Text,
}

/// Bytes of a body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Text {
    /// One character, many times.
    Repeated {
        character: char,
        times: usize,
    },
    Whole(String),
}

impl Text {
    fn of(bytes: &[u8], names: &[(String, &str)]) -> Self {
        let first = bytes.first().copied().unwrap_or_default();
        if bytes.len() > 1000 && bytes.iter().all(|byte| *byte == first) {
            return Self::Repeated { character: first.into(), times: bytes.len() };
        }
        let text = String::from_utf8(bytes.to_vec()).expect("bodies that can be read");
        Self::Whole(names.iter().fold(text, |text, (id, name)| text.replace(id, name)))
    }

    /// With these ids.
    pub(crate) fn said(&self, names: &[(String, &str)]) -> String {
        match self {
            Self::Repeated { character, times } => character.to_string().repeat(*times),
            Self::Whole(text) => names.iter().fold(text.clone(), |text, (id, name)| text.replace(name, id)),
        }
    }
}

impl Conversation {
    pub(crate) fn read(path: &Path) -> Self {
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    pub(crate) fn write(&self, path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, serde_json::to_string_pretty(self).unwrap() + "\n").unwrap();
    }
}

/// A place that passes on what it hears, and keeps it.
pub(crate) struct Recorder {
    heard: Arc<Mutex<Vec<Call>>>,
    pub(crate) socket: PathBuf,
}

struct Between {
    desk: Arc<Desk>,
    names: Vec<(String, &'static str)>,
    heard: Arc<Mutex<Vec<Call>>>,
}

impl Recorder {
    pub(crate) fn start(desk: &Arc<Desk>, names: Vec<(String, &'static str)>) -> Self {
        let socket = desk.socket().with_file_name("recorder.sock");
        let heard = Arc::default();
        let between = Between { desk: desk.clone(), names, heard: Arc::clone(&heard) };
        let router = Router::new().fallback(pass_on).with_state(Arc::new(between));
        let listener = UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { heard, socket }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

async fn pass_on(State(between): State<Arc<Between>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let call = format!("{} {}", parts.method, parts.uri);
    let headers = of_meaning(&parts.headers);
    let (status, answer) = between.desk.send(Request::from_parts(parts, Body::from(body.clone()))).await;
    let call = between.names.iter().fold(call, |text, (id, name)| text.replace(id, name));
    between.heard.lock().unwrap().push(Call {
        call,
        headers,
        body: Text::of(&body, &between.names),
        status: status.as_u16(),
        answer: Text::of(&answer, &between.names),
    });
    answered(status, answer)
}

fn answered(status: http::StatusCode, answer: Bytes) -> Response {
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    response.body(Body::from(answer)).unwrap()
}

fn of_meaning(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |name: &str| Some((name.to_owned(), headers.get(name)?.to_str().unwrap().to_owned()));
    HEADERS.into_iter().filter_map(text).collect()
}
