//! What the server is told by its configuration, as plain values: the command line fills them from its typed sections.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use ipnet::IpNet;
use sha2::{Digest, Sha256};
use url::Url;

use crate::{
    error::ApiError,
    tokens::{TokenFileError, Tokens},
};

/// The HTTP side.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Address that is listened on, with the port that was really bound.
    pub listen: SocketAddr,
    /// URL under which the world sees this server, path included.
    pub public_url: Option<Url>,
    /// Networks of proxies whose `Forwarded` and `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Who may call.
    pub access: Access,
    /// What callers of processes with `callerToken: required` must send.
    pub caller_token: Option<CallerToken>,
    /// Whether requests are understood as EOX's pygeoapi-kubernetes-papermill understood them: an alias of execution,
    /// asynchronous unless the client says that it waits, ids of jobs chosen by clients.
    pub eox_requests: bool,
    /// Origins of web pages that may call; `*` = any.
    pub allowed_origins: Vec<String>,
    /// Name on the landing page.
    pub title: String,
    /// Text on the landing page.
    pub description: Option<String>,
    /// Language of texts for clients that ask for none that there is; absent = the first of each process.
    pub language: Option<String>,
    /// How long pages of lists are.
    pub pages: Pages,
    /// Limits and times.
    pub limits: Limits,
}

/// How long pages of lists are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages {
    /// When the request says nothing; absent = 10 jobs, 1,000 processes.
    pub usual: Option<usize>,
    /// At most.
    pub most: usize,
    /// Whether asking for more is an error; else it is cut.
    pub refuses: bool,
}

impl Pages {
    /// Length of a page that nobody asked for; `own` = that of the list.
    pub(crate) fn usual(self, own: usize) -> usize {
        self.usual.unwrap_or(own).min(self.most)
    }

    /// Length of a page for which the value of `limit` asks.
    pub(crate) fn limit(self, text: &str) -> Result<usize, ApiError> {
        let number = text.parse::<usize>().ok().filter(|number| *number > 0 && !text.starts_with('+'));
        match number.filter(|number| *number <= self.most || !self.refuses) {
            Some(number) => Ok(number.min(self.most)),
            None => Err(ApiError::query("limit", text, &format!("a whole number from 1 to {}", self.most))),
        }
    }
}

impl Default for Pages {
    fn default() -> Self {
        Self { usual: None, most: 10_000, refuses: false }
    }
}

/// Who may call.
#[derive(Clone, Debug)]
pub enum Access {
    /// Everybody who reaches the address.
    Open,
    /// Bearers of these tokens. What the server is and what it can do (landing page, conformance, API definition,
    /// processes and their descriptions, health) is told to everybody.
    Tokens(Tokens),
}

impl Access {
    /// Callers named by a token file, see [`Tokens::parse`].
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn from_token_file(path: &Path) -> Result<Self, TokenFileError> {
        let unreadable = |source| TokenFileError::Unreadable { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Tokens::parse(&text).map(Self::Tokens)
    }
}

/// A token that callers share. Only its digest is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct CallerToken([u8; 32]);

impl CallerToken {
    /// `None` for an empty text, which is no token.
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(Sha256::digest(text.as_bytes()).into()))
    }

    /// Whether it is this one; how long the comparison takes tells nothing of the token.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.0 == <[u8; 32]>::from(Sha256::digest(text.as_bytes()))
    }
}

impl fmt::Debug for CallerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallerToken")
    }
}

/// Limits and times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Greatest size of a request body, bytes.
    pub body_bytes: u64,
    /// Deepest nesting of a JSON body.
    pub json_depth: usize,
    /// Longest wait of a synchronous request.
    pub sync_wait: Duration,
    /// Greatest size of a request's head, bytes.
    pub head_bytes: usize,
    /// Time in which a request's head must come; also how long an idle connection is kept.
    pub head_timeout: Duration,
    /// Longest silence within a request's body.
    pub body_timeout: Duration,
    /// Bytes per second that a request's body must bring on average, once `body_timeout` has passed.
    pub body_rate: u64,
    /// Longest time in which a client takes nothing of an answer that is sent to it.
    pub send_stall: Duration,
    /// Most connections at the same time; more wait until one ends.
    pub connections: usize,
    /// Time that requests get to finish when the server stops.
    pub shutdown: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            public_url: None,
            trusted_proxies: Vec::new(),
            access: Access::Open,
            caller_token: None,
            eox_requests: false,
            allowed_origins: vec!["*".into()],
            title: "Rutter".into(),
            description: None,
            language: None,
            pages: Pages::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 16 * 1024 * 1024,
            json_depth: 64,
            sync_wait: Duration::from_secs(30),
            head_bytes: 32 * 1024,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            body_rate: 1024,
            send_stall: Duration::from_secs(60),
            connections: 16_384,
            shutdown: Duration::from_secs(10),
        }
    }
}

impl ServerConfig {
    /// Whether only this machine reaches the server.
    pub fn on_loopback(&self) -> bool {
        self.listen.ip().to_canonical().is_loopback()
    }

    /// Whether everybody may call and only this machine can: then web pages must be kept from calling for others.
    pub(crate) fn is_open_loopback(&self) -> bool {
        self.on_loopback() && matches!(self.access, Access::Open)
    }
}
