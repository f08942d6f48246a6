//! Section `server`: address, public URL, access, limits.

use std::{net::SocketAddr, path::PathBuf};

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
    /// File with the token that callers of processes with `callerToken: required` send, relative to the configuration file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_token_file: Option<PathBuf>,
    /// Whether requests are understood as EOX's pygeoapi-kubernetes-papermill understood them: `POST /processes/{id}/jobs` executes too, without
    /// `Prefer: wait` the answer is a job, and the member `job_id` (a new UUID) is the job's id.
    pub eox_requests: bool,
    /// Origins of web pages that may call (CORS); `*` = any.
    pub allowed_origins: Vec<String>,
    /// Name on the landing page.
    pub title: String,
    /// Text on the landing page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Language of titles and descriptions for clients that ask for none that there is, such as `de`; the first of each process when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// How long pages of the lists of jobs and processes are.
    pub pages: Pages,
    /// Greatest size of a request body, bytes.
    pub max_body_bytes: u64,
    /// Longest wait of a synchronous request, seconds.
    pub sync_wait_seconds: u64,
    /// Time in which a request's head must come; also how long an idle connection is kept. Seconds.
    pub idle_seconds: u64,
    /// Longest time in which a client takes nothing of an answer that is sent to it, seconds; then it is cut off.
    pub send_stall_seconds: u64,
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
            caller_token_file: None,
            eox_requests: false,
            allowed_origins: vec!["*".into()],
            title: "Rutter".into(),
            description: None,
            language: None,
            pages: Pages::default(),
            max_body_bytes: 16 * 1024 * 1024,
            sync_wait_seconds: 30,
            idle_seconds: 30,
            send_stall_seconds: 60,
            shutdown_seconds: 10,
        }
    }
}

/// How long pages of lists are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Pages {
    /// When the request says nothing; 10 jobs and 1,000 processes when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_items: Option<usize>,
    /// At most.
    pub max_items: usize,
    /// What becomes of a request for more.
    pub on_exceed: OnExceed,
}

/// What becomes of a request for a longer page than there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnExceed {
    /// The page is as long as it may be.
    #[default]
    Throttle,
    /// It is refused.
    Error,
}

impl Default for Pages {
    fn default() -> Self {
        Self { default_items: None, max_items: 10_000, on_exceed: OnExceed::Throttle }
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
    /// Why links in callbacks lead nowhere, and what to do about it: no request is there to tell under which URL the
    /// world sees this server, and the address alone does not.
    pub(crate) fn blind_links(&self, address: SocketAddr) -> Option<String> {
        let reason = match (self.public_url.is_some(), address.ip().is_unspecified()) {
            (true, _) => return None,
            (false, true) => format!("{} is no address of one machine", address.ip()),
            (false, false) if !self.trusted_proxies.is_empty() => "clients come through proxies".to_owned(),
            (false, false) => return None,
        };
        Some(format!(
            "links in callbacks lead nowhere: {reason}; set server.publicUrl to the URL that clients use"
        ))
    }

    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.listen.parse::<SocketAddr>().is_err() {
            faults.push(format!(
                "server.listen: {:?} is no address with a port; write one like 127.0.0.1:8080",
                self.listen
            ));
        }
        for (key, seconds) in [("idle", self.idle_seconds), ("sendStall", self.send_stall_seconds)] {
            if seconds == 0 {
                faults.push(format!(
                    "server.{key}Seconds: 0 would cut everybody off; write a number of seconds"
                ));
            }
        }
        let Pages { default_items, max_items, .. } = self.pages;
        if !(1..=10_000).contains(&max_items) || default_items == Some(0) {
            faults.push("server.pages: pages have 1 to 10000 items; write such a number".to_owned());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_blind_where_only_requests_know_the_url() {
        let bare = Server::default();
        let proxied = Server { trusted_proxies: vec!["127.0.0.1".into()], ..bare.clone() };
        let named = Server { public_url: Some("https://example.org/".into()), ..proxied.clone() };
        for (server, address, pieces) in [
            (&bare, "127.0.0.1:8080", None),
            (&bare, "192.0.2.9:8080", None),
            (&bare, "0.0.0.0:8080", Some("0.0.0.0")),
            (&bare, "[::]:8080", Some("::")),
            (&proxied, "127.0.0.1:8080", Some("proxies")),
            (&named, "0.0.0.0:8080", None),
        ] {
            let text = server.blind_links(address.parse().unwrap());
            assert_eq!(text.is_some(), pieces.is_some(), "{address}: {text:?}");
            if let Some((text, piece)) = text.zip(pieces) {
                assert!(text.contains(piece) && text.contains("server.publicUrl"), "{text}");
            }
        }
    }
}
