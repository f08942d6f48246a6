//! Registries that do what they should, and hostile ones.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::{Value, json};

use super::{LookUpError, LookUps, OwnCommand, Settings, registry::digest_of};

/// Answers by path; what is not there is 404.
#[derive(Default)]
struct World {
    answers: Mutex<BTreeMap<String, Answer>>,
    /// Every request: path, query, and `Authorization`.
    asked: Mutex<Vec<(String, String)>>,
    calls: AtomicUsize,
}

#[derive(Clone)]
enum Answer {
    Bytes(Vec<u8>),
    Status(u16, Vec<(&'static str, String)>),
    /// As the second answer only with this `Authorization`, else the first.
    Guarded(Box<Answer>, String, Box<Answer>),
    /// Zeros without an end.
    Endless,
    /// A head, and then nothing for ever.
    Silent,
}

#[derive(Clone)]
struct Place {
    world: Arc<World>,
    host: String,
}

impl Place {
    async fn open() -> Self {
        let world = Arc::new(World::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let app = Router::new().fallback(answer).with_state(Arc::clone(&world));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { world, host }
    }

    fn put(&self, path: &str, answer: Answer) {
        self.world.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    fn bytes(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.put(path, Answer::Bytes(bytes.into()));
    }

    /// An image of that name and kind; gives the digest of its manifest.
    fn image(&self, name: &str, tag: &str, architecture: &str, config: Value) -> String {
        let image = json!({"architecture": architecture, "os": "linux", "config": config}).to_string();
        let config = digest_of(image.as_bytes());
        self.bytes(&format!("/v2/{name}/blobs/{config}"), image);
        let manifest =
            json!({"schemaVersion": 2, "config": {"digest": config, "size": 1}, "layers": []}).to_string();
        let digest = digest_of(manifest.as_bytes());
        for version in [tag, &digest] {
            self.bytes(&format!("/v2/{name}/manifests/{version}"), manifest.clone());
        }
        digest
    }

    fn calls(&self) -> usize {
        self.world.calls.load(Ordering::SeqCst)
    }

    fn asked(&self) -> Vec<(String, String)> {
        self.world.asked.lock().unwrap().clone()
    }

    fn named(&self, image: &str) -> String {
        format!("{}/{image}", self.host)
    }
}

async fn answer(State(world): State<Arc<World>>, request: Request) -> Response {
    world.calls.fetch_add(1, Ordering::SeqCst);
    let authorization = request.headers().get(header::AUTHORIZATION);
    let authorization = authorization.map_or("", |value| value.to_str().unwrap()).to_owned();
    world.asked.lock().unwrap().push((request.uri().to_string(), authorization.clone()));
    let found = world.answers.lock().unwrap().get(request.uri().path()).cloned();
    respond(found.unwrap_or(Answer::Status(404, Vec::new())), &authorization)
}

fn respond(answer: Answer, authorization: &str) -> Response {
    match answer {
        Answer::Bytes(bytes) => bytes.into_response(),
        Answer::Status(status, headers) => {
            // A cluster says so, too; registries may say what they like.
            let reason = if status == 404 { "NotFound" } else { "Other" };
            let body = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "message": "",
                "reason": reason, "code": status});
            let mut response = (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response();
            for (name, value) in headers {
                response.headers_mut().append(name, value.parse().unwrap());
            }
            response
        }
        Answer::Guarded(otherwise, wanted, then) => {
            respond(if authorization == wanted { *then } else { *otherwise }, authorization)
        }
        Answer::Endless => {
            let zeros = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 65536]));
            Body::from_stream(zeros).into_response()
        }
        Answer::Silent => {
            Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>())
                .into_response()
        }
    }
}

/// With the Secrets of a cluster that has these, and none that may not be read but `forbidden`.
async fn look_ups(secrets: &[(&str, Value)]) -> LookUps {
    let cluster = Place::open().await;
    for (name, auths) in secrets {
        use base64::Engine;
        let file = base64::engine::general_purpose::STANDARD.encode(json!({ "auths": auths }).to_string());
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
            "data": {".dockerconfigjson": file}});
        cluster.bytes(&format!("/api/v1/namespaces/jobs/secrets/{name}"), secret.to_string());
    }
    let forbidden = Answer::Status(403, Vec::new());
    cluster.put("/api/v1/namespaces/jobs/secrets/forbidden", forbidden);
    let config = kube::Config::new(format!("http://{}", cluster.host).parse().unwrap());
    let client = kube::Client::try_from(config).unwrap();
    LookUps::new(&Settings::default(), "amd64", Api::<Secret>::namespaced(client, "jobs"))
}

async fn failed(look_ups: &LookUps, image: &str) -> LookUpError {
    look_ups.command(image, &[]).await.expect_err(image)
}

#[tokio::test]
async fn an_image_by_its_tag_is_pinned_to_what_was_looked_up() {
    let place = Place::open().await;
    let digest =
        place.image("team/flood", "1.0", "amd64", json!({"Entrypoint": ["flood"], "Cmd": ["--help"]}));
    let look_ups = look_ups(&[]).await;
    let image = place.named("team/flood:1.0");
    let found = look_ups.command(&image, &[]).await.unwrap();
    assert_eq!(
        found,
        OwnCommand {
            image: format!("{image}@{digest}"),
            words: vec!["flood".into(), "--help".into()],
            has_user: false
        }
    );
    let calls = place.calls();
    for _ in 0..3 {
        assert_eq!(look_ups.command(&image, &[]).await.unwrap(), found);
    }
    let pinned = format!("{image}@{digest}");
    assert_eq!(look_ups.command(&pinned, &[]).await.unwrap(), found, "pinned once more is the same");
    assert_eq!(place.calls(), calls + 1, "the command of a known digest is known");
}

#[tokio::test]
async fn of_a_list_the_image_for_our_machines() {
    let place = Place::open().await;
    let entry = |digest: String, architecture: &str| json!({"digest": digest, "size": 1, "platform": {"os": "linux", "architecture": architecture}});
    let arm = place.image("x", "arm", "arm64", json!({"Cmd": ["arm"]}));
    let amd = place.image("x", "amd", "amd64", json!({"Cmd": ["amd"]}));
    let list = json!({"schemaVersion": 2, "manifests": [entry(arm.clone(), "arm64"), entry(amd, "amd64")]})
        .to_string();
    place.bytes("/v2/x/manifests/latest", list.clone());
    let look_ups = look_ups(&[]).await;
    let found = look_ups.command(&place.named("x"), &[]).await.unwrap();
    assert_eq!(found.words, ["amd"]);
    assert!(
        found.image.ends_with(&digest_of(list.as_bytes())),
        "the list, so that each machine takes its own"
    );
    let only = json!({"manifests": [entry(arm, "arm64")]}).to_string();
    place.bytes("/v2/x/manifests/only", only);
    let other = LookUpError::OtherKind { architecture: "amd64".into() };
    assert_eq!(failed(&look_ups, &place.named("x:only")).await, other);
    assert_eq!(failed(&look_ups, &place.named("x:arm")).await, other);
    let inner = json!({"manifests": []}).to_string();
    let nested = json!({"manifests": [entry(digest_of(inner.as_bytes()), "amd64")]}).to_string();
    place.bytes(&format!("/v2/x/manifests/{}", digest_of(inner.as_bytes())), inner);
    place.bytes("/v2/x/manifests/nested", nested);
    assert_eq!(failed(&look_ups, &place.named("x:nested")).await, other);
}

fn challenge(text: String) -> Box<Answer> {
    Box::new(Answer::Status(401, vec![("www-authenticate", text)]))
}

/// Everything of the image wants this `Authorization`.
fn guard(place: &Place, challenged: &str, wanted: &str) {
    let mut answers = place.world.answers.lock().unwrap();
    for (path, answer) in answers.iter_mut() {
        if path.starts_with("/v2/") {
            let then = Box::new(answer.clone());
            *answer = Answer::Guarded(challenge(challenged.to_owned()), wanted.to_owned(), then);
        }
    }
}

#[tokio::test]
async fn a_token_is_fetched_where_the_registry_says_so_with_the_secret_of_that_registry_only() {
    let (place, tokens) = (Place::open().await, Place::open().await);
    place.image("team/x", "1", "amd64", json!({"Cmd": ["m"]}));
    let challenged = format!(
        "Bearer realm=\"http://{}/token?a=b\",service=\"reg\",scope=\"repository:team/x:pull\"",
        tokens.host
    );
    guard(&place, &challenged, "Bearer t0ken");
    let basic = "Basic bWU6cHc=";
    let denied = Box::new(Answer::Status(401, Vec::new()));
    let given = Box::new(Answer::Bytes(b"{\"token\": \"t0ken\"}".to_vec()));
    tokens.put("/token", Answer::Guarded(denied, basic.into(), given));
    let entry = json!({"username": "me", "password": "pw"});
    let secrets = look_ups(&[
        ("other", json!({"elsewhere.example.org": {"username": "not", "password": "this"}})),
        ("right", json!({ place.host.clone(): entry })),
    ])
    .await;
    let image = place.named("team/x:1");
    assert_eq!(failed(&secrets, &image).await, LookUpError::Denied);
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let other = secrets.command(&image, &names(&["other", "missing", "../../configmaps/x"])).await;
    assert_eq!(other, Err(LookUpError::Denied));
    assert!(tokens.asked().iter().all(|(_, authorization)| authorization.is_empty()), "nothing for others");
    let forbidden = secrets.command(&image, &names(&["forbidden"])).await;
    assert_eq!(forbidden, Err(LookUpError::SecretForbidden { name: "forbidden".into() }));
    let found = secrets.command(&image, &names(&["forbidden", "other", "right"])).await.unwrap();
    assert_eq!(found.words, ["m"]);
    let (asked, authorization) = tokens.asked().pop().unwrap();
    assert_eq!(
        (asked.as_str(), authorization.as_str()),
        ("/token?a=b&service=reg&scope=repository%3Ateam%2Fx%3Apull", basic)
    );
    assert!(place.asked().iter().all(|(_, it)| it.is_empty() || it == "Bearer t0ken"), "{:?}", place.asked());
}

#[tokio::test]
async fn name_and_password_where_the_registry_asks_for_them() {
    let place = Place::open().await;
    place.image("x", "1", "amd64", json!({"Cmd": ["m"]}));
    guard(&place, "Basic realm=\"x\"", "Basic bWU6cHc=");
    let secrets = look_ups(&[("s", json!({ place.host.clone(): {"auth": "bWU6cHc="} }))]).await;
    assert_eq!(failed(&secrets, &place.named("x:1")).await, LookUpError::Denied);
    assert_eq!(secrets.command(&place.named("x:1"), &["s".to_owned()]).await.unwrap().words, ["m"]);
}

#[tokio::test]
async fn what_proves_who_we_are_does_not_follow_a_redirect() {
    let (place, store) = (Place::open().await, Place::open().await);
    place.image("x", "1", "amd64", json!({"Cmd": ["m"]}));
    let (path, blob) = {
        let answers = place.world.answers.lock().unwrap();
        let (path, answer) = answers.iter().find(|(path, _)| path.contains("/blobs/")).unwrap();
        (path.clone(), answer.clone())
    };
    store.put("/blob", blob);
    place.put(
        &path,
        Answer::Status(307, vec![("location", format!("http://{}/blob?signature=x", store.host))]),
    );
    guard(&place, "Basic realm=x", "Basic bWU6cHc=");
    let secrets = look_ups(&[("s", json!({ place.host.clone(): {"auth": "bWU6cHc="} }))]).await;
    assert_eq!(secrets.command(&place.named("x:1"), &["s".to_owned()]).await.unwrap().words, ["m"]);
    assert_eq!(store.asked(), [("/blob?signature=x".to_owned(), String::new())]);
}

#[tokio::test]
async fn hostile_registries_are_left_with_a_word() {
    let place = Place::open().await;
    let look_ups = look_ups(&[]).await;
    let to = |to: &str| Answer::Status(302, vec![("location", to.to_owned())]);
    let tag = |tag: &str, answer: Answer| place.put(&format!("/v2/x/manifests/{tag}"), answer);
    tag("endless", Answer::Endless);
    tag("round", to("/v2/x/manifests/round"));
    tag("nowhere", Answer::Status(302, Vec::new()));
    tag("metadata", to("https://169.254.169.254/latest"));
    tag("plain", to("http://registry.example.org/x"));
    tag("file", to("file:///etc/passwd"));
    tag("html", Answer::Bytes(b"<html>".to_vec()));
    tag("error", Answer::Status(503, Vec::new()));
    tag("odd", Answer::Status(401, vec![("www-authenticate", "Negotiate".to_owned())]));
    let realm = |realm: &str| *challenge(format!("Bearer realm=\"{realm}\""));
    tag("plainrealm", realm("http://tokens.example.org/"));
    tag("norealm", realm("nowhere"));
    tag("badtoken", realm(&format!("http://{}/token", place.host)));
    place.bytes("/token", "{\"token\": \"a\\r\\nb\"}");
    tag("notoken", realm(&format!("http://{}/none", place.host)));
    place.bytes("/none", "{}");
    for (name, word) in [
        ("endless", "more than 8388608 bytes"),
        ("round", "redirects more than 5 times"),
        ("nowhere", "status 302"),
        ("metadata", "never reached"),
        ("plain", "http://registry.example.org, which is not encrypted"),
        ("file", "not encrypted"),
        ("html", "no description"),
        ("error", "status 503"),
        ("odd", "unknown kind of authentication"),
        ("plainrealm", "not encrypted"),
        ("norealm", "unknown kind of authentication"),
        ("badtoken", "(token)"),
        ("notoken", "(token)"),
    ] {
        let error = failed(&look_ups, &place.named(&format!("x:{name}"))).await;
        assert!(error.to_string().contains(word), "{name}: {error}");
        assert!(!error.is_final(), "{name} may be mended");
    }
    assert_eq!(failed(&look_ups, &place.named("x:missing")).await, LookUpError::Missing);
    let nobody = failed(&look_ups, "127.0.0.1:1/x").await;
    assert!(matches!(nobody, LookUpError::Unreachable { .. }), "{nobody:?}");
}

#[tokio::test]
async fn other_bytes_than_those_of_the_digest_are_not_believed() {
    let place = Place::open().await;
    let look_ups = look_ups(&[]).await;
    let digest = place.image("x", "1", "amd64", json!({"Cmd": ["good"]}));
    let evil = json!({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["evil"]}}).to_string();
    let blobs: Vec<String> =
        place.world.answers.lock().unwrap().keys().filter(|it| it.contains("blobs")).cloned().collect();
    place.bytes(&blobs[0], evil);
    let wrong = |what| LookUpError::WrongDigest { what };
    assert_eq!(failed(&look_ups, &place.named("x:1")).await, wrong("configuration"));
    place.image("x", "2", "amd64", json!({"Cmd": ["other"]}));
    let other = place.world.answers.lock().unwrap()["/v2/x/manifests/2"].clone();
    place.put(&format!("/v2/x/manifests/{digest}"), other);
    assert_eq!(failed(&look_ups, &place.named(&format!("x@{digest}"))).await, wrong("manifest"));
    let list =
        json!({"manifests": [{"digest": digest, "platform": {"os": "linux", "architecture": "amd64"}}]});
    place.bytes("/v2/x/manifests/list", list.to_string());
    assert_eq!(failed(&look_ups, &place.named("x:list")).await, wrong("manifest"));
}

#[tokio::test]
async fn a_silent_registry_is_not_waited_for_and_is_asked_again_later() {
    let place = Place::open().await;
    let mut look_ups = look_ups(&[]).await;
    look_ups.times.whole = Duration::from_millis(300);
    place.put("/v2/x/manifests/1", Answer::Silent);
    let image = place.named("x:1");
    assert!(matches!(failed(&look_ups, &image).await, LookUpError::TooSlow { .. }));
    let calls = place.calls();
    failed(&look_ups, &image).await;
    assert_eq!(place.calls(), calls, "not at once");
    place.image("x", "1", "amd64", json!({"Cmd": ["m"]}));
    look_ups.times.whole = Duration::from_secs(30);
    look_ups.times.pause = Duration::ZERO;
    assert_eq!(look_ups.command(&image, &[]).await.unwrap().words, ["m"]);
}

#[tokio::test]
async fn a_registry_that_is_away_for_a_while_stops_no_job() {
    let place = Place::open().await;
    let mut look_ups = look_ups(&[]).await;
    (look_ups.times.fresh, look_ups.times.pause) = (Duration::ZERO, Duration::ZERO);
    place.image("x", "1", "amd64", json!({"Cmd": ["old"]}));
    let image = place.named("x:1");
    assert_eq!(look_ups.command(&image, &[]).await.unwrap().words, ["old"]);
    place.put("/v2/x/manifests/1", Answer::Status(503, Vec::new()));
    assert_eq!(look_ups.command(&image, &[]).await.unwrap().words, ["old"]);
    place.image("x", "1", "amd64", json!({"Cmd": ["new"]}));
    assert_eq!(look_ups.command(&image, &[]).await.unwrap().words, ["new"], "a tag may move");
    place.put("/v2/x/manifests/1", Answer::Status(404, Vec::new()));
    assert_eq!(failed(&look_ups, &image).await, LookUpError::Missing, "what is gone is gone");
}

#[tokio::test]
async fn many_that_ask_at_once_are_one() {
    let place = Place::open().await;
    let look_ups = look_ups(&[]).await;
    place.image("x", "1", "amd64", json!({"Cmd": ["m"]}));
    let image = place.named("x:1");
    let all = (0..50).map(|_| look_ups.command(&image, &[]));
    for found in futures_util::future::join_all(all).await {
        assert_eq!(found.unwrap().words, ["m"]);
    }
    assert_eq!(place.calls(), 2, "one manifest, one configuration");
}
