//! Section `server`: address, public URL, access, limits.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The HTTP side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Server {
    /// Address and port.
    pub listen: String,
    /// URL under which the world sees this server, path included; every link starts with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Addresses or networks (CIDR) of proxies whose `Forwarded` and `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<String>,
    /// Who may call: `none`, or a token file. Needed as soon as `listen` is no loopback address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Origins of web pages that may call (CORS); `*` = any.
    pub allowed_origins: Vec<String>,
    /// Name on the landing page.
    pub title: String,
    /// Text on the landing page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Greatest size of a request body, bytes.
    pub max_body_bytes: u64,
    /// Longest wait of a synchronous request, seconds.
    pub sync_wait_seconds: u64,
    /// Time that requests get to finish when the server is asked to stop, seconds.
    pub shutdown_seconds: u64,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            public_url: None,
            trusted_proxies: Vec::new(),
            auth: None,
            allowed_origins: vec!["*".into()],
            title: "Rutter".into(),
            description: None,
            max_body_bytes: 16 * 1024 * 1024,
            sync_wait_seconds: 30,
            shutdown_seconds: 10,
        }
    }
}

/// Who may call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Auth {
    /// Everybody who reaches the address.
    None,
    /// Bearers of the tokens in this file, relative to the configuration file.
    TokenFile(PathBuf),
}

impl Server {
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.listen.parse::<std::net::SocketAddr>().is_err() {
            faults.push(format!(
                "server.listen: {:?} is no address with a port; write one like 127.0.0.1:8080",
                self.listen
            ));
        }
        if let Some(text) = &self.public_url {
            match url::Url::parse(text) {
                Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {}
                _ => faults.push(format!(
                    "server.publicUrl: {text:?} is no http or https URL; write one like https://example.org/rutter"
                )),
            }
        }
        faults
    }
}
