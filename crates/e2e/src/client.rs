//! A client with the few words that tests need; blocking, so that tests read from top to bottom.

use std::{sync::Once, time::Duration};

use serde_json::{Value, json};

use crate::wait_until;

/// Asks one server.
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    http: reqwest::blocking::Client,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: reqwest::header::HeaderMap,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The same, if the status is that.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

impl Client {
    /// Of the server at that URL.
    pub fn new(base: &str) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        });
        let http = reqwest::blocking::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(120))
            .build()
            .expect("an HTTP client");
        Self { base: base.into(), http }
    }

    /// Start a request; `path` may be a whole URL.
    pub fn request(&self, method: &str, path: &str) -> reqwest::blocking::RequestBuilder {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let method = method.parse().expect("a method");
        self.http.request(method, url)
    }

    /// Send a request.
    #[track_caller]
    pub fn send(&self, request: reqwest::blocking::RequestBuilder) -> Answer {
        let answer = request.send().expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer { status, headers, body: answer.bytes().expect("a whole body").to_vec() }
    }

    /// GET.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path))
    }

    /// DELETE.
    #[track_caller]
    pub fn delete(&self, path: &str) -> Answer {
        self.send(self.request("DELETE", path))
    }

    /// Execute and wait for the answer.
    #[track_caller]
    pub fn execute(&self, process: &str, body: &Value) -> Answer {
        self.send(self.request("POST", &format!("/processes/{process}/execution")).json(body))
    }

    /// Execute and get the job's URL.
    #[track_caller]
    pub fn submit(&self, process: &str, inputs: &Value) -> String {
        let request = self.request("POST", &format!("/processes/{process}/execution"));
        let answer = self
            .send(request.header("Prefer", "respond-async").json(&json!({ "inputs": inputs })))
            .expect(201);
        answer.header("location").expect("a Location").to_owned()
    }

    /// The status document of a job.
    #[track_caller]
    pub fn status(&self, job: &str) -> Value {
        self.get(job).expect(200).json()
    }

    /// Wait until a job is over; its last status document.
    #[track_caller]
    pub fn finish(&self, job: &str) -> Value {
        self.wait_for(job, &["successful", "failed", "dismissed"])
    }

    /// Wait until a job has one of these statuses.
    #[track_caller]
    pub fn wait_for(&self, job: &str, statuses: &[&str]) -> Value {
        let mut last = Value::Null;
        wait_until(&format!("{job} is one of {statuses:?}"), || {
            last = self.status(job);
            statuses.contains(&last["status"].as_str().unwrap_or_default())
        });
        last
    }
}
