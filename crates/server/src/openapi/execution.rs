//! The execution of one process: its path, the schema of its requests and that of its results.

use rutter_core::process::{Input, Output, Process};
use rutter_types::{JobControl, TransmissionMode};
use serde_json::{Map, Value, json};

use super::{object, schema::openapi};
use crate::ui::example_body;

/// Name of the schema of a process's requests.
pub(super) fn request_name(process: &Process) -> String {
    format!("{}.request", process.id)
}

/// Name of the schema of a process's results document.
pub(super) fn results_name(process: &Process) -> String {
    format!("{}.results", process.id)
}

/// `POST /processes/{id}/execution`.
pub(super) fn operation(process: &Process) -> Value {
    let summary = &process.description.summary;
    let title = summary.title.clone().unwrap_or_else(|| process.id.to_string());
    let body = json!({
        "schema": { "$ref": format!("#/components/schemas/{}", request_name(process)) },
        "examples": examples(process),
    });
    json!({
        "operationId": format!("execute.{}", process.id),
        "tags": ["Execution"],
        "summary": format!("Execute: {title}"),
        "description": summary.description.clone().unwrap_or_default(),
        "parameters": [
            { "$ref": "#/components/parameters/prefer" },
            { "$ref": "#/components/parameters/idempotencyKey" },
            { "$ref": "#/components/parameters/fResults" },
        ],
        "requestBody": { "required": true, "content": { "application/json": body } },
        "responses": responses(process),
        "callbacks": callbacks(),
    })
}

fn examples(process: &Process) -> Value {
    object(process.examples.iter().enumerate().map(|(at, example)| {
        let title = example.title.clone().unwrap_or_else(|| format!("Example {}", at + 1));
        (format!("example{}", at + 1), json!({ "summary": title, "value": example_body(example) }))
    }))
}

fn responses(process: &Process) -> Value {
    let mut responses = Map::new();
    if process.allows(JobControl::SyncExecute) {
        responses.insert(
            "200".into(),
            json!({
                "description": "The results: one raw value, a document, or several parts.",
                "headers": {
                    "Content-Location": { "$ref": "#/components/headers/ContentLocation" },
                    "Preference-Applied": { "$ref": "#/components/headers/PreferenceApplied" },
                },
                "content": contents(process),
            }),
        );
        responses.insert("204".into(), json!({
            "description": "Outputs by reference: their links stand in the header Link; or no outputs were asked for.",
            "headers": { "Link": { "$ref": "#/components/headers/Link" } },
        }));
    }
    responses.insert("201".into(), json!({
        "description": "A job was made.",
        "headers": {
            "Location": { "$ref": "#/components/headers/Location" },
            "Preference-Applied": { "$ref": "#/components/headers/PreferenceApplied" },
        },
        "content": {
            "application/json": { "schema": { "$ref": "#/components/schemas/statusInfo" } },
            "text/html": { "schema": { "type": "string" } },
        },
        "links": {
            "status": { "operationId": "getStatus", "parameters": { "jobID": "$response.body#/jobID" } },
            "results": { "operationId": "getResults", "parameters": { "jobID": "$response.body#/jobID" } },
            "log": { "operationId": "getLogs", "parameters": { "jobID": "$response.body#/jobID" } },
            "dismiss": { "operationId": "dismiss", "parameters": { "jobID": "$response.body#/jobID" } },
        },
    }));
    for (status, name) in ERRORS {
        responses.insert(status.into(), json!({ "$ref": format!("#/components/responses/{name}") }));
    }
    Value::Object(responses)
}

const ERRORS: [(&str, &str); 14] = [
    ("400", "BadRequest"),
    ("401", "Unauthorized"),
    ("403", "Forbidden"),
    ("404", "NotFound"),
    ("406", "NotAcceptable"),
    ("408", "BodyStopped"),
    ("413", "TooLarge"),
    ("415", "UnsupportedMediaType"),
    ("422", "KeyReused"),
    ("500", "ServerError"),
    ("501", "NotRunnable"),
    ("503", "Unavailable"),
    ("504", "SyncTimeout"),
    ("507", "NoSpace"),
];

/// Every media type that an answer can have, with what stands in it.
fn contents(process: &Process) -> Value {
    let mut contents = Map::new();
    let document = json!({ "$ref": format!("#/components/schemas/{}", results_name(process)) });
    let raw = process.outputs.values().map(|output| openapi(&output.description.schema));
    contents.insert(
        "application/json".into(),
        json!({ "schema": { "anyOf": std::iter::once(document).chain(raw).collect::<Vec<_>>() } }),
    );
    let bytes = json!({ "schema": { "type": "string", "format": "binary" } });
    let own = process.outputs.values().flat_map(|output| output.media_types.iter().map(String::as_str));
    for media_type in own.chain(["multipart/related", "application/zip", "text/html"]) {
        contents.entry(media_type.to_owned()).or_insert_with(|| bytes.clone());
    }
    Value::Object(contents)
}

/// What subscribers get (class `callback`, `/req/callback/job-callback`).
fn callbacks() -> Value {
    let call = |schema: &str, summary: &str| {
        json!({
            "post": {
                "summary": summary,
                "requestBody": { "content": { "application/json": {
                    "schema": { "$ref": format!("#/components/schemas/{schema}") },
                } } },
                "responses": {
                    "200": { "description": "Taken." },
                    "410": { "description": "Nobody wants to hear more of this job." },
                },
            }
        })
    };
    json!({
        "successful": { "{$request.body#/subscriber/successUri}": call("results", "The results of the job") },
        "inProgress": { "{$request.body#/subscriber/inProgressUri}": call("statusInfo", "The status of the job") },
        "failed": { "{$request.body#/subscriber/failedUri}": call("statusInfo", "Why the job failed") },
    })
}

/// An execute request of a process (`execute.yaml`, with the inputs and outputs that the process has).
pub(super) fn request(process: &Process) -> Value {
    let needed = |input: &Input| input.min_occurs > 0 && input.default.is_none();
    let required: Vec<&str> =
        process.inputs.iter().filter(|(_, input)| needed(input)).map(|(id, _)| id.as_str()).collect();
    let mut inputs = json!({
        "type": "object",
        "properties": object(process.inputs.iter().map(|(id, input)| (id.to_string(), values(input)))),
        "additionalProperties": false,
    });
    let mut request = json!({
        "type": "object",
        "properties": {
            "outputs": {
                "type": "object",
                "description": "Outputs wanted; without this member, all of them.",
                "properties": object(process.outputs.iter().map(|(id, output)| (id.to_string(), selection(process, output)))),
                "additionalProperties": false,
            },
            "response": { "type": "string", "enum": ["raw", "document"], "description": "Shape of the answer (1.0)." },
            "subscriber": { "$ref": "#/components/schemas/subscriber" },
        },
    });
    if !required.is_empty() {
        inputs["required"] = json!(required);
        request["required"] = json!(["inputs"]);
    }
    request["properties"]["inputs"] = inputs;
    request
}

/// What may stand for an input: one value, or an array where there may be several.
fn values(input: &Input) -> Value {
    let one = value(input);
    let mut schema = if input.is_many() {
        let mut many = json!({ "type": "array", "items": one, "minItems": input.min_occurs });
        if let Some(most) = input.max_occurs {
            many["maxItems"] = json!(most);
        }
        many
    } else {
        one
    };
    let about = &input.description;
    let text: Vec<&str> =
        [&about.title, &about.description].into_iter().flatten().map(String::as_str).collect();
    if !text.is_empty() {
        schema["description"] = text.join(". ").into();
    }
    schema
}

/// One value: bare, with its format beside it, or by reference (`inlineOrRefData.yaml`).
fn value(input: &Input) -> Value {
    let mut ways = Vec::new();
    if input.by_value {
        let bare = openapi(&input.description.schema);
        let mut qualified = json!({
            "type": "object",
            "required": ["value"],
            "properties": { "value": bare, "mediaType": media_type(input) },
        });
        if input.is_file {
            let encoding = if is_base64(&qualified["properties"]["value"]) { "base64" } else { "utf-8" };
            qualified["properties"]["encoding"] = json!({ "type": "string", "enum": [encoding] });
        }
        ways.extend([bare, qualified]);
    }
    if input.by_reference {
        ways.push(json!({ "$ref": "#/components/schemas/reference" }));
    }
    json!({ "anyOf": ways })
}

/// Whether the first alternative is base64.
fn is_base64(schema: &Value) -> bool {
    let first = ["oneOf", "anyOf"].iter().find_map(|name| schema.get(name)?.get(0)).unwrap_or(schema);
    first.get("format").is_some_and(|format| format == "byte")
}

/// The media types that the branches of an input's schema have; where they have none, any may be named.
fn media_type(input: &Input) -> Value {
    match input.schema.names_media_types() {
        true => json!({ "type": "string", "enum": input.schema.media_types() }),
        false => json!({ "type": "string" }),
    }
}

fn selection(process: &Process, output: &Output) -> Value {
    let offered = &process.description.summary.output_transmission;
    let modes = if offered.is_empty() { &[TransmissionMode::Value][..] } else { offered };
    json!({
        "type": "object",
        "properties": {
            "format": {
                "type": "object",
                "properties": {
                    "mediaType": { "type": "string", "enum": output.media_types },
                    "encoding": { "type": "string", "enum": ["base64", "binary", "utf-8"] },
                },
            },
            "transmissionMode": { "type": "string", "enum": modes, "description": "How it travels (1.0)." },
        },
    })
}

/// The results document of a process (`results.yaml`).
pub(super) fn results(process: &Process) -> Value {
    let one = |output: &Output| {
        let bare = openapi(&output.description.schema);
        let qualified = json!({
            "type": "object",
            "required": ["value"],
            "properties": { "value": {}, "mediaType": { "type": "string" }, "encoding": { "type": "string" } },
        });
        let several = json!({ "type": "array", "items": {} });
        let mut ways = vec![bare, qualified, json!({ "$ref": "#/components/schemas/reference" })];
        if output.is_many() {
            ways.push(several);
        }
        json!({ "anyOf": ways })
    };
    json!({
        "type": "object",
        "properties": object(process.outputs.iter().map(|(id, output)| (id.to_string(), one(output)))),
    })
}
