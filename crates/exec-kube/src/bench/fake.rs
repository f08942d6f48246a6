//! A cluster's API in memory: objects, watches, deletion with finalizers, and faults on demand.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use super::signer::{ISSUER, Signer};

/// The API.
pub(crate) struct Fake {
    state: Arc<Mutex<Cluster>>,
    pub(crate) url: String,
    server: JoinHandle<()>,
}

/// What it holds and how it fails.
pub(crate) struct Cluster {
    version: u64,
    /// Objects by kind (`jobs`, `pods`) and name.
    objects: BTreeMap<(String, String), Value>,
    log: Vec<(u64, String, Value)>,
    /// Watches from before this are told 410.
    compacted: u64,
    tick: watch::Sender<u64>,
    /// Watches of an earlier round end.
    round: u64,
    pub(crate) keys: Vec<Value>,
    /// They are not for everybody.
    pub(crate) forbids_keys: bool,
    /// Answers of creation are lost: the object is made, and 504 is told.
    pub(crate) lose_answers: bool,
    /// Every call fails.
    pub(crate) down: bool,
    /// Method and path of every call, with what the body says of deletion.
    pub(crate) calls: Vec<String>,
}

type Shared = State<Arc<Mutex<Cluster>>>;
type Parameters = Query<BTreeMap<String, String>>;

impl Fake {
    pub(crate) async fn start(signer: &Signer) -> Self {
        let state = Arc::new(Mutex::new(Cluster {
            version: 1,
            objects: BTreeMap::new(),
            log: Vec::new(),
            compacted: 0,
            tick: watch::channel(0).0,
            round: 0,
            keys: vec![signer.jwk.clone()],
            forbids_keys: false,
            lose_answers: false,
            down: false,
            calls: Vec::new(),
        }));
        let router = Router::new()
            .route("/api/v1/namespaces/{name}", get(namespace))
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/openid/v1/jwks", get(keys))
            .route("/apis/batch/v1/namespaces/jobs/{kind}", get(list).post(create))
            .route("/apis/batch/v1/namespaces/jobs/{kind}/{name}", get(read).patch(patch).delete(delete))
            .route("/api/v1/namespaces/jobs/{kind}", get(list))
            .route("/api/v1/namespaces/jobs/{kind}/{name}", get(read).delete(delete))
            .route("/api/v1/namespaces/jobs/{kind}/{name}/status", axum::routing::patch(patch_status))
            .with_state(state.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { state, url, server }
    }

    pub(crate) fn cluster(&self) -> MutexGuard<'_, Cluster> {
        self.state.lock().unwrap()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Cluster {
    pub(crate) fn get(&self, kind: &str, name: &str) -> Option<Value> {
        self.objects.get(&(kind.to_owned(), name.to_owned())).cloned()
    }

    /// Make or change an object, whoever does it.
    pub(crate) fn put(&mut self, kind: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("uid-{}", self.version));
            object["metadata"]["creationTimestamp"] = json!("1970-01-01T00:20:00Z");
        }
        let gone = !object["metadata"]["deletionTimestamp"].is_null()
            && object["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty);
        let key = (kind.to_owned(), name);
        let event = match (gone, self.objects.contains_key(&key)) {
            (true, _) => "DELETED",
            (false, true) => "MODIFIED",
            (false, false) => "ADDED",
        };
        if gone {
            self.objects.remove(&key);
        } else {
            self.objects.insert(key, object.clone());
        }
        self.log.push((self.version, kind.to_owned(), json!({"type": event, "object": object})));
        self.tick.send_replace(self.version);
        object
    }

    /// Set members of an object's status.
    pub(crate) fn status(&mut self, kind: &str, name: &str, status: Value) {
        let mut object = self.get(kind, name).unwrap();
        object["status"] = status;
        self.put(kind, object);
    }

    pub(crate) fn remove(&mut self, kind: &str, name: &str) {
        let mut object = self.get(kind, name).unwrap();
        object["metadata"]["deletionTimestamp"] = json!("1970-01-01T00:30:00Z");
        self.put(kind, object);
    }

    /// Every watch breaks off, and what they have not seen is forgotten.
    pub(crate) fn compact(&mut self) {
        self.version += 1;
        self.round += 1;
        self.compacted = self.version;
        self.log.clear();
        self.tick.send_replace(self.version);
    }

    #[expect(clippy::result_large_err, reason = "it is the answer")]
    fn call(&mut self, call: String) -> Result<(), Response> {
        self.calls.push(call);
        if self.down { Err(failure(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable")) } else { Ok(()) }
    }
}

fn failure(code: StatusCode, reason: &str) -> Response {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": reason,
        "reason": reason, "code": code.as_u16()});
    (code, Json(status)).into_response()
}

async fn namespace(State(state): Shared, Path(name): Path<String>) -> Response {
    if let Err(response) = state.lock().unwrap().call(format!("GET namespace {name}")) {
        return response;
    }
    Json(json!({"metadata": {"name": name, "uid": format!("uid of {name}")}})).into_response()
}

async fn discovery() -> Response {
    Json(json!({"issuer": ISSUER})).into_response()
}

async fn keys(State(state): Shared) -> Response {
    let mut cluster = state.lock().unwrap();
    match cluster.call("GET keys".to_owned()) {
        Ok(()) if cluster.forbids_keys => failure(StatusCode::FORBIDDEN, "Forbidden"),
        Ok(()) => Json(json!({"keys": cluster.keys})).into_response(),
        Err(response) => response,
    }
}

async fn list(State(state): Shared, Path(kind): Path<String>, Query(query): Parameters) -> Response {
    let mut cluster = state.lock().unwrap();
    if query.contains_key("watch") {
        if let Err(response) = cluster.call(format!("WATCH {kind}")) {
            return response;
        }
        let from = query["resourceVersion"].parse().unwrap();
        let (ticks, round) = (cluster.tick.subscribe(), cluster.round);
        drop(cluster);
        return watched(state, kind, from, ticks, round);
    }
    if let Err(response) = cluster.call(format!("LIST {kind}")) {
        return response;
    }
    let items: Vec<&Value> = cluster
        .objects
        .iter()
        .filter(|((of, _), object)| *of == kind && selected(object, query.get("labelSelector")))
        .map(|(_, object)| object)
        .collect();
    let version = cluster.version.to_string();
    Json(json!({"metadata": {"resourceVersion": version}, "items": items})).into_response()
}

/// One equation, as this crate's selectors are.
fn selected(object: &Value, selector: Option<&String>) -> bool {
    let Some((label, value)) = selector.and_then(|selector| selector.split_once('=')) else { return true };
    object["metadata"]["labels"][label] == value
}

fn watched(
    state: Arc<Mutex<Cluster>>,
    kind: String,
    from: u64,
    ticks: watch::Receiver<u64>,
    round: u64,
) -> Response {
    let events = stream::unfold((from, ticks), move |(from, mut ticks)| {
        let (state, kind) = (state.clone(), kind.clone());
        async move {
            loop {
                {
                    let cluster = state.lock().unwrap();
                    if cluster.round != round {
                        return None;
                    }
                    if from < cluster.compacted {
                        let gone = json!({"type": "ERROR", "object": {"kind": "Status", "status": "Failure",
                            "reason": "Expired", "message": "too old", "code": 410}});
                        return Some((Ok::<_, std::io::Error>(format!("{gone}\n")), (u64::MAX, ticks)));
                    }
                    let next = cluster.log.iter().find(|(version, of, _)| *version > from && *of == kind);
                    if let Some((version, _, event)) = next {
                        return Some((Ok(format!("{event}\n")), (*version, ticks)));
                    }
                }
                if from == u64::MAX {
                    return None;
                }
                ticks.changed().await.ok()?;
            }
        }
    });
    Body::from_stream(events).into_response()
}

async fn create(State(state): Shared, Path(kind): Path<String>, Json(object): Json<Value>) -> Response {
    let mut cluster = state.lock().unwrap();
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    if let Err(response) = cluster.call(format!("CREATE {kind} {name}")) {
        return response;
    }
    if cluster.get(&kind, &name).is_some() {
        return failure(StatusCode::CONFLICT, "AlreadyExists");
    }
    let made = cluster.put(&kind, object);
    if cluster.lose_answers {
        return failure(StatusCode::GATEWAY_TIMEOUT, "Timeout");
    }
    (StatusCode::CREATED, Json(made)).into_response()
}

async fn read(State(state): Shared, Path((kind, name)): Path<(String, String)>) -> Response {
    let mut cluster = state.lock().unwrap();
    match cluster.call(format!("GET {kind} {name}")) {
        Err(response) => response,
        Ok(()) => match cluster.get(&kind, &name) {
            Some(object) => Json(object).into_response(),
            None => failure(StatusCode::NOT_FOUND, "NotFound"),
        },
    }
}

async fn patch(
    State(state): Shared,
    Path((kind, name)): Path<(String, String)>,
    Json(patch): Json<Value>,
) -> Response {
    let mut cluster = state.lock().unwrap();
    if let Err(response) = cluster.call(format!("PATCH {kind} {name}")) {
        return response;
    }
    let Some(mut object) = cluster.get(&kind, &name) else {
        return failure(StatusCode::NOT_FOUND, "NotFound");
    };
    let asked = &patch["metadata"];
    let holds = |member: &str| asked[member] == object["metadata"][member];
    // Who takes a finalizer off must say of which object.
    if ["finalizers", "resourceVersion"].iter().any(|it| asked.get(it).is_some()) && !holds("resourceVersion")
        || asked.get("uid").is_some() && !holds("uid")
    {
        return failure(StatusCode::CONFLICT, "Conflict");
    }
    if let Some(value) = asked.get("finalizers") {
        object["metadata"]["finalizers"] = value.clone();
    }
    for (name, value) in asked["annotations"].as_object().into_iter().flatten() {
        let annotations = object["metadata"]["annotations"].as_object_mut();
        match (annotations, value) {
            (Some(annotations), Value::Null) => drop(annotations.remove(name)),
            (None, Value::Null) => {}
            _ => object["metadata"]["annotations"][name] = value.clone(),
        }
    }
    Json(cluster.put(&kind, object)).into_response()
}

async fn patch_status(
    State(state): Shared,
    Path((kind, name)): Path<(String, String)>,
    Json(patch): Json<Value>,
) -> Response {
    let mut cluster = state.lock().unwrap();
    if let Err(response) = cluster.call(format!("PATCH {kind} {name} {}", patch["status"])) {
        return response;
    }
    let Some(mut object) = cluster.get(&kind, &name) else {
        return failure(StatusCode::NOT_FOUND, "NotFound");
    };
    for (member, value) in patch["status"].as_object().into_iter().flatten() {
        object["status"][member] = value.clone();
    }
    Json(cluster.put(&kind, object)).into_response()
}

async fn delete(State(state): Shared, Path((kind, name)): Path<(String, String)>, body: Bytes) -> Response {
    let mut cluster = state.lock().unwrap();
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let how = match (&asked["propagationPolicy"], &asked["gracePeriodSeconds"]) {
        (Value::String(policy), _) => policy.clone(),
        (_, grace) => grace.to_string(),
    };
    if let Err(response) = cluster.call(format!("DELETE {kind} {name} {how}")) {
        return response;
    }
    let Some(mut object) = cluster.get(&kind, &name) else {
        return failure(StatusCode::NOT_FOUND, "NotFound");
    };
    if asked["preconditions"]["uid"] != object["metadata"]["uid"] {
        return failure(StatusCode::CONFLICT, "Conflict");
    }
    if how == "Foreground" {
        let mut finalizers = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        finalizers.push(json!("foregroundDeletion"));
        object["metadata"]["finalizers"] = json!(finalizers);
    }
    object["metadata"]["deletionTimestamp"] = json!("1970-01-01T00:30:00Z");
    Json(cluster.put(&kind, object)).into_response()
}
