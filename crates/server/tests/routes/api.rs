//! The definition of the API.

use std::collections::BTreeSet;

use rutter_server::{Access, ServerConfig, Tokens, openapi};
use serde_json::Value;

use crate::common::Server;

async fn definition() -> (Server, Value) {
    let server = Server::start().await;
    let definition = server.get("/api", &[]).await.json();
    (server, definition)
}

#[tokio::test]
async fn each_process_has_a_path_and_a_request_schema_of_its_own() {
    let (server, definition) = definition().await;
    for process in server.json("/processes").await["processes"].as_array().unwrap() {
        let id = process["id"].as_str().unwrap();
        let operation = &definition["paths"][format!("/processes/{id}/execution")]["post"];
        let content = &operation["requestBody"]["content"]["application/json"];
        assert_eq!(content["schema"]["$ref"], format!("#/components/schemas/{id}.request"));
        let request = &definition["components"]["schemas"][format!("{id}.request")];
        let described = server.json(&format!("/processes/{id}")).await;
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&request["properties"]["inputs"]["properties"]), keys(&described["inputs"]), "{id}");
        assert_eq!(
            keys(&request["properties"]["outputs"]["properties"]),
            keys(&described["outputs"]),
            "{id}"
        );
        assert!(!content["examples"].as_object().unwrap().is_empty(), "{id}");
        insta::assert_json_snapshot!(format!("request-{id}"), request);
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    let (_server, definition) = definition().await;
    let mut references = BTreeSet::new();
    collect(&definition, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(definition.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                found.insert(reference.clone());
            }
            members.values().for_each(|member| collect(member, found));
        }
        _ => {}
    }
}

#[tokio::test]
async fn every_described_get_without_parameters_works() {
    let (server, definition) = definition().await;
    for (path, operations) in definition["paths"].as_object().unwrap() {
        if path.contains('{') || operations.get("get").is_none() {
            continue;
        }
        let answer = server.get(path, &[]).await;
        assert_eq!(answer.status, 200, "{path}");
        let media_type = answer.header("content-type");
        let content = &operations["get"]["responses"]["200"]["content"];
        let is_described = content
            .as_object()
            .unwrap()
            .keys()
            .any(|known| media_type == known || media_type.split(';').next() == Some(known.as_str()));
        assert!(is_described, "{path} {media_type}");
    }
}

#[tokio::test]
async fn tokens_are_in_the_definition_where_they_are_needed() {
    let tokens = Tokens::parse("- {name: ada, role: operator, token: operators-long-token}").unwrap();
    let server =
        Server::with(ServerConfig { access: Access::Tokens(tokens), ..ServerConfig::default() }).await;
    let definition = server.get("/api", &[]).await.json();
    assert_eq!(definition["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    assert_eq!(definition["paths"]["/jobs"]["get"]["security"], serde_json::json!([{"bearer": []}]));
    assert_eq!(
        definition["paths"]["/processes/echo/execution"]["post"]["security"],
        serde_json::json!([{"bearer": []}])
    );
    assert_eq!(definition["paths"]["/"]["get"]["security"][0], serde_json::json!({}));
    let (_open, open) = self::definition().await;
    assert!(open["components"].get("securitySchemes").is_none());
}

#[tokio::test]
async fn the_page_lists_every_operation() {
    let (server, definition) = definition().await;
    let page = server.get("/api?f=html", &[]).await.text();
    for path in definition["paths"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("<code>{}</code>", path.replace('/', "&#x2f;"))), "{path}");
    }
    for media_type in ["application/json", "application/openapi+json;version=3.0", openapi::MEDIA_TYPE] {
        let answer = server.get("/api", &[("accept", media_type)]).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, media_type));
    }
}

/// What `cargo xtask schemas` writes is what this server would say of the shipped processes.
#[tokio::test]
async fn the_committed_document_is_the_present_one() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/openapi.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        panic!("{} is missing: cargo xtask schemas", file.display())
    };
    let (server, _) = definition().await;
    let present = openapi::document(&server.state.registry.snapshot(), "http://127.0.0.1:8080");
    assert!(
        serde_json::from_str::<Value>(&text).unwrap() == present,
        "it is out of date: run cargo xtask schemas"
    );
}
