//! Settings that a file of pygeoapi, and the variables of its images, stand for.

use std::collections::BTreeSet;

use rutter_pygeoapi::{Configuration, Converted, Limits, LogLevel, Manager, Words};
use serde_json::{Map, Value, json};

use super::variable;

/// Prefix of all variables of 52North's manager.
const THEIRS: &str = "PYGEOAPI_K8S_MANAGER_";
/// Seconds that a finished Job stays: as long as theirs did.
const TTL: u64 = 8_640_000;
/// Seconds that a program may run: theirs could run for ever, and some models run for days.
const LONGEST_RUN: u64 = 30 * 24 * 3600;
/// Where the image of this server has its volume.
const IMAGE_DATA: &str = "/data";

/// The settings, as `rutter.yaml` has them.
pub(crate) fn settings(configuration: &Configuration) -> Value {
    let mut all = json!({
        "server": server(configuration),
        "jobs": {},
    });
    if let Some(level) = configuration.server.log {
        let level = match level {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
        };
        all["log"] = json!({ "level": level });
    }
    if matches!(configuration.server.manager, Manager::North | Manager::Eox) {
        all["executor"] = json!("kubernetes");
        all["kubernetes"] = kubernetes(configuration);
        // Without a volume the disk is the machine's, and removing jobs makes no room on it.
        all["jobs"]["maxDiskPercent"] = json!(100);
        all["jobs"]["defaultTimeoutSeconds"] = json!(LONGEST_RUN);
    }
    if let [Some(endpoint), Some(_), Some(_), Some(name), Some(prefix)] = BUCKET.map(of_the_bucket) {
        let job_prefix = super::job_name_prefix().unwrap_or_else(|| "pygeoapi-job-".to_owned());
        all["jobs"]["logBucket"] =
            json!({ "endpoint": endpoint, "name": name, "prefix": prefix, "jobPrefix": job_prefix });
    }
    if std::path::Path::new(IMAGE_DATA).is_dir() {
        all["data"] = json!(IMAGE_DATA);
    }
    all
}

/// The variables of the bucket for logs, without what all of them begin with.
const BUCKET: [&str; 5] = ["ENDPOINT", "KEY", "SECRET", "NAME", "PATH_PREFIX"];

fn bucket_variable(name: &str) -> String {
    format!("{THEIRS}FINALIZER_BUCKET_{name}")
}

fn of_the_bucket(name: &str) -> Option<String> {
    variable(&bucket_variable(name))
}

/// Name and secret of the key to the bucket for logs.
pub(super) fn bucket_key() -> Option<(String, String)> {
    Some((of_the_bucket("KEY")?, of_the_bucket("SECRET")?))
}

/// All of the five or none mean something; which is missing where there are some.
pub(super) fn missing_of_the_bucket() -> Option<String> {
    let missing: Vec<String> =
        BUCKET.into_iter().filter(|name| of_the_bucket(name).is_none()).map(bucket_variable).collect();
    (!missing.is_empty() && missing.len() < BUCKET.len()).then(|| missing.join(", "))
}

fn server(configuration: &Configuration) -> Value {
    let theirs = &configuration.server;
    let mut server = Map::new();
    server.insert("listen".into(), json!(listen(theirs.host.as_deref(), theirs.port)));
    if let Some(url) = public_url(theirs.url.as_deref(), theirs.url_prefix.as_deref()) {
        server.insert("publicUrl".into(), json!(url));
    }
    // As it was: whoever reaches it may call. Who wants otherwise sets `server.auth`.
    server.insert("auth".into(), json!("none"));
    server.insert("allowedOrigins".into(), if theirs.cors { json!(["*"]) } else { json!([]) });
    if matches!(theirs.manager, Manager::Eox | Manager::Argo) {
        server.insert("eoxRequests".into(), json!(true));
    }
    let language = theirs.languages.first();
    if let Some(language) = language {
        server.insert("language".into(), json!(language));
    }
    if let Some(pages) = pages(theirs.limits) {
        server.insert("pages".into(), pages);
    }
    let metadata = &configuration.metadata;
    let mut text = |key: &str, words: &Option<Words<String>>| {
        let words = words.as_ref();
        if let Some(text) = words.and_then(|words| words.in_language(language.map(String::as_str))) {
            server.insert(key.to_owned(), json!(text));
        }
    };
    text("title", &metadata.title);
    text("description", &metadata.description);
    Value::Object(server)
}

/// How long pages of lists are, where the file says it.
fn pages(limits: Limits) -> Option<Value> {
    let Limits { default, max, refuses } = limits;
    let mut pages = Map::new();
    if let Some(default) = default {
        pages.insert("defaultItems".into(), json!(default));
    }
    if let Some(max) = max {
        pages.insert("maxItems".into(), json!(max));
    }
    if refuses {
        pages.insert("onExceed".into(), json!("error"));
    }
    (!pages.is_empty()).then_some(Value::Object(pages))
}

/// By the variables of the images, which listen on all addresses; without them as `pygeoapi serve` does.
fn listen(host: Option<&str>, port: Option<u16>) -> String {
    let in_image =
        ["CONTAINER_HOST", "CONTAINER_PORT", "PYGEOAPI_CONFIG"].iter().any(|name| variable(name).is_some());
    let in_image = in_image || std::path::Path::new(super::USUAL).is_file();
    if in_image {
        let host = variable("CONTAINER_HOST").unwrap_or_else(|| "0.0.0.0".to_owned());
        let port = variable("CONTAINER_PORT").unwrap_or_else(|| "80".to_owned());
        return address(&host, &port);
    }
    let port = port.map_or_else(|| "8080".to_owned(), |port| port.to_string());
    address(host.unwrap_or("127.0.0.1"), &port)
}

fn address(host: &str, port: &str) -> String {
    let host = if host == "localhost" { "127.0.0.1" } else { host };
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// `server.url` with the path that stands before every route. `SCRIPT_NAME` only repeats it, unless the URL has none.
fn public_url(url: Option<&str>, prefix: Option<&str>) -> Option<String> {
    let url = url?.trim_end_matches('/');
    let has_path = url::Url::parse(url).is_ok_and(|url| url.path() != "/");
    let script = variable("SCRIPT_NAME").filter(|_| !has_path).unwrap_or_default();
    let parts = [Some(url), Some(script.as_str()), prefix];
    let parts =
        parts.into_iter().flatten().map(|part| part.trim_matches('/')).filter(|part| !part.is_empty());
    Some(parts.collect::<Vec<_>>().join("/"))
}

/// The file is the operator's, like `rutter.yaml`: what it asks of the cluster is allowed, unless that says otherwise.
fn kubernetes(configuration: &Configuration) -> Value {
    let weakest = if unprotected(&configuration.processes).is_empty() { "baseline" } else { "none" };
    let mut section = json!({
        // Images run as their authors made them, most of them as root.
        "security": "baseline",
        "weakestSecurity": weakest,
        "allowedServiceAccounts": accounts(&configuration.processes),
        // Their manifests give no agent a way here; `kubernetes.serverUrl` opens one.
        "withoutAgents": true,
        // They give the server no volume either.
        "recordsOnJobs": true,
        "ttlSeconds": TTL,
    });
    if let Some(namespace) = variable(&format!("{THEIRS}NAMESPACE")) {
        section["namespace"] = json!(namespace);
    }
    if let Some(prefix) = super::job_name_prefix() {
        section["adoptPrefix"] = json!(prefix);
    }
    section
}

/// Processes whose pods are to have no security context, or more than the level `baseline` allows.
pub(super) fn unprotected(processes: &[Converted]) -> Vec<&str> {
    let asks =
        |it: &&Converted| it.package.pointer("/executionUnit/0/kubernetes/security") == Some(&json!("none"));
    processes.iter().filter(asks).map(|it| it.id.as_str()).collect()
}

/// Accounts that the file names for pods, each once.
fn accounts(processes: &[Converted]) -> BTreeSet<&str> {
    const PLACE: &str = "/executionUnit/0/kubernetes/podTemplate/spec/serviceAccountName";
    processes.iter().filter_map(|it| it.package.pointer(PLACE)?.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_keep_their_path_and_get_what_is_missing() {
        assert_eq!(public_url(Some("http://host/pygeoapi/"), None).unwrap(), "http://host/pygeoapi");
        assert_eq!(public_url(Some("http://host:5000"), Some("v1")).unwrap(), "http://host:5000/v1");
        assert_eq!(public_url(None, Some("v1")), None);
    }

    #[test]
    fn addresses_are_written_as_addresses() {
        assert_eq!(address("localhost", "5000"), "127.0.0.1:5000");
        assert_eq!(address("::", "80"), "[::]:80");
        assert_eq!(address("0.0.0.0", "80"), "0.0.0.0:80");
    }
}
