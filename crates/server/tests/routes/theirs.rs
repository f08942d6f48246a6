//! Processes of the older managers' files: languages, the shared token, requests taken as they come.

use http::StatusCode;
use rutter_server::{CallerToken, Pages, ServerConfig};
use serde_json::{Value, json};

use crate::common::Server;

const PACKAGE: &str = r#"
processDescription:
  process:
    id: route
    version: 1.0.0
    title: {en: Route, de: Seeweg}
    description: {en: Finds a way, de: Findet einen Weg}
    keywords: {en: [ship], de: [Schiff]}
    inputs:
      start: {title: {en: Start, de: Beginn}, schema: {type: string}}
      wrt_*: {schema: {type: string}}
    outputs: {logs: {schema: {}}}
validation: lenient
callerToken: required
executionUnit:
  - {type: command, command: ["true"]}
"#;

async fn server(token: Option<&str>) -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("route.yaml"), PACKAGE).unwrap();
    let config = ServerConfig { caller_token: token.and_then(CallerToken::new), ..ServerConfig::default() };
    let server = Server::of(config, vec![folder.path().to_owned()]).await;
    (server, folder)
}

async fn seen(server: &Server, path: &str, language: Option<&str>) -> (Value, String) {
    let headers: Vec<(&str, &str)> = [("accept", "application/json")]
        .into_iter()
        .chain(language.map(|it| ("accept-language", it)))
        .collect();
    let answer = server.get(path, &headers).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    (answer.json(), answer.header("content-language").to_owned())
}

#[tokio::test]
async fn a_description_comes_in_the_language_that_is_asked_for() {
    let (server, _folder) = server(None).await;
    for (path, language, title, told) in [
        ("/processes/route", None, "Route", "en"),
        ("/processes/route", Some("de-AT,de;q=0.9,en;q=0.8"), "Seeweg", "de"),
        ("/processes/route", Some("fr, de;q=0, en;q=0.1"), "Route", "en"),
        ("/processes/route", Some("fr"), "Route", "en"),
        ("/processes/route?lang=de", Some("en"), "Seeweg", "de"),
        ("/processes/route?lang=%00", None, "Route", "en"),
    ] {
        let (document, language) = seen(&server, path, language).await;
        assert_eq!(
            (document["title"].as_str().unwrap(), language.as_str()),
            (title, told),
            "{path} {language:?}"
        );
    }
    let (german, _) = seen(&server, "/processes/route?lang=de", None).await;
    assert_eq!(german["keywords"], json!(["Schiff"]));
    assert_eq!(german["inputs"]["start"]["title"], "Beginn");
    assert!(german["inputs"]["wrt_*"].is_object(), "{german}");
    let (list, language) = seen(&server, "/processes", Some("de")).await;
    assert_eq!((list["processes"][0]["title"].as_str().unwrap(), language.as_str()), ("Seeweg", "de"));
    let page = server.get("/processes/route?lang=de&f=html", &[]).await;
    assert!(page.text().contains("Seeweg"));
    let vary: Vec<_> = page.headers.get_all("vary").iter().collect();
    assert!(vary.iter().any(|value| *value == "Accept-Language"), "{vary:?}");
}

#[tokio::test]
async fn the_servers_language_counts_where_the_client_wants_none_that_there_is() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("route.yaml"), PACKAGE).unwrap();
    let config = ServerConfig { language: Some("de-DE".into()), ..ServerConfig::default() };
    let server = Server::of(config, vec![folder.path().to_owned()]).await;
    for (path, language, title) in [
        ("/processes/route", None, "Seeweg"),
        ("/processes/route", Some("fr"), "Seeweg"),
        ("/processes/route", Some("en"), "Route"),
        ("/processes/route?lang=en", None, "Route"),
    ] {
        let (document, _) = seen(&server, path, language).await;
        assert_eq!(document["title"], title, "{path} {language:?}");
    }
    let (list, told) = seen(&server, "/processes", None).await;
    assert_eq!((list["processes"][0]["title"].as_str(), told.as_str()), (Some("Seeweg"), "de"));
}

#[tokio::test]
async fn pages_are_as_long_as_the_server_says() {
    let pages = Pages { usual: Some(2), most: 3, refuses: false };
    let server = Server::with(ServerConfig { pages, ..ServerConfig::default() }).await;
    let length = async |path: &str| server.json(path).await["processes"].as_array().unwrap().len();
    assert_eq!((length("/processes").await, length("/processes?limit=99").await), (2, 3));
    let links = server.json("/processes").await["links"].clone();
    let next = links.as_array().unwrap().iter().find(|link| link["rel"] == "next").unwrap();
    assert!(next["href"].as_str().unwrap().ends_with("/processes?limit=2&offset=2"), "{next}");
    let definition = server.json("/api").await;
    let limit = &definition["components"]["parameters"]["limitJobs"];
    assert_eq!((&limit["schema"]["default"], &limit["schema"]["maximum"]), (&json!(2), &json!(3)));

    let refusing = ServerConfig { pages: Pages { refuses: true, ..pages }, ..ServerConfig::default() };
    let server = Server::with(refusing).await;
    for path in ["/processes", "/jobs"] {
        assert_eq!(server.get(&format!("{path}?limit=3"), &[]).await.status, StatusCode::OK);
        let answer = server.get(&format!("{path}?limit=4"), &[]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.json()["detail"].as_str().unwrap().contains("1 to 3"), "{}", answer.text());
    }
}

#[tokio::test]
async fn the_token_is_asked_for_compared_and_forgotten() {
    let (server, _folder) = server(Some("s3cr3t")).await;
    let path = "/processes/route/execution";
    let post = async |headers: &[(&str, &str)], inputs: Value| {
        server.post(path, headers, &json!({"inputs": inputs})).await
    };
    assert_eq!(post(&[], json!({"start": "x"})).await.status, StatusCode::UNAUTHORIZED);
    for wrong in [json!("S3cr3t"), json!(""), json!(null), json!(["s3cr3t"]), json!({"value": "s3cr3t"})] {
        let answer = post(&[], json!({"token": wrong})).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{wrong}: {}", answer.text());
        assert!(!answer.text().contains("s3cr3t"));
    }
    let wait = ("prefer", "respond-async");
    let answer = post(&[wait], json!({"token": "s3cr3t", "start": 7, "undeclared": true})).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    let location = answer.header("location").to_owned();
    let path = &location[location.find("/jobs").unwrap()..];
    let page = server.get(path, &[("accept", "text/html")]).await.text();
    assert!(page.contains("undeclared") && !page.contains("s3cr3t"), "{page}");
    let answer = post(&[wait, ("authorization", "Bearer s3cr3t")], json!({})).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    let answer = post(&[("authorization", "Bearer other")], json!({})).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_server_without_the_token_runs_nothing_that_asks_for_it() {
    let (server, _folder) = server(None).await;
    let answer = server.post("/processes/route/execution", &[], &json!({"inputs": {"token": ""}})).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.json()["detail"].as_str().unwrap().contains("operator"), "{}", answer.text());
}
