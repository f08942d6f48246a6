//! The calls of the protocol, by name.

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use rutter_types::agent::{LogAnswer, OrderAnswer, Progress, Report, Staged, StagedAnswer, Verdict};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Body, Call, Contact, Error};

impl Contact {
    /// Asks what to do.
    pub(crate) async fn order(&self) -> Result<OrderAnswer, Error> {
        let answer = self.post("/agent/v1/order", "application/json", Bytes::from_static(b"{}")).await?;
        read("/agent/v1/order", &answer)
    }

    /// Has staged values validated.
    pub(crate) async fn staged(&self, staged: &Staged) -> Result<StagedAnswer, Error> {
        self.json("/agent/v1/staged", staged).await
    }

    /// Tells a sign of life.
    pub(crate) async fn progress(&self, progress: &Progress) -> Result<(), Error> {
        let body = to_json("/agent/v1/progress", progress)?;
        self.post("/agent/v1/progress", "application/json", body).await.map(drop)
    }

    /// Sends log bytes that start at an offset; gives the offset up to which the server has them.
    pub(crate) async fn log(&self, offset: u64, bytes: Bytes) -> Result<u64, Error> {
        let path = format!("/agent/v1/log?offset={offset}");
        let answer = self.post(&path, "application/octet-stream", bytes).await?;
        read::<LogAnswer>(&path, &answer).map(|answer| answer.offset)
    }

    /// Reports the end.
    pub(crate) async fn report(&self, report: &Report) -> Result<Verdict, Error> {
        self.json("/agent/v1/report", report).await
    }

    /// Opens what the server has under a path.
    pub(crate) async fn get(&self, path: &str) -> Result<Incoming, Error> {
        let (answer, _) = self.open(&reading(path)).await?;
        Ok(answer.into_body())
    }

    /// Reads what the server says under a path.
    pub(super) async fn ask<A: DeserializeOwned>(&self, path: &str) -> Result<A, Error> {
        read(path, &self.call(&reading(path)).await?)
    }

    async fn json<Q: Serialize, A: DeserializeOwned>(&self, path: &str, question: &Q) -> Result<A, Error> {
        let answer = self.post(path, "application/json", to_json(path, question)?).await?;
        read(path, &answer)
    }

    async fn post(&self, path: &str, content_type: &str, bytes: Bytes) -> Result<Bytes, Error> {
        let length = bytes.len() as u64;
        let body = move || Ok(whole(bytes.clone()));
        self.call(&Call { method: Method::POST, path, content_type, length, body: &body }).await
    }
}

fn reading(path: &str) -> Call<'_> {
    Call { method: Method::GET, path, content_type: "", length: 0, body: &|| Ok(whole(Bytes::new())) }
}

/// Path of a result of another job.
pub(crate) fn path_of_result(job: &str, output: &str, index: usize) -> String {
    format!("/agent/v1/results/{}/{}/{index}", segment(job), segment(output))
}

/// Path of the package's file that an item of the order names.
pub(crate) fn path_of_package_file(stage: usize) -> String {
    format!("/agent/v1/package/{stage}")
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn to_json<Q: Serialize>(path: &str, question: &Q) -> Result<Bytes, Error> {
    let refused = |error: serde_json::Error| Error::Refused {
        path: path.to_owned(),
        status: 0,
        text: error.to_string(),
    };
    serde_json::to_vec(question).map(Bytes::from).map_err(refused)
}

pub(super) fn read<A: DeserializeOwned>(path: &str, answer: &[u8]) -> Result<A, Error> {
    let unreadable = |error: serde_json::Error| Error::Refused {
        path: path.to_owned(),
        status: 200,
        text: format!("the answer is not understood: {error}"),
    };
    serde_json::from_slice(answer).map_err(unreadable)
}

/// A text as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if plain(byte) { encoded.push(char::from(byte)) } else { encoded.push_str(&format!("%{byte:02X}")) }
    }
    encoded
}

#[cfg(test)]
mod tests {
    #[test]
    fn segments() {
        assert_eq!(super::segment("a b/ü.tif"), "a%20b%2F%C3%BC.tif");
    }
}
