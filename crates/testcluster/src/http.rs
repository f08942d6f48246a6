//! Just enough HTTP to ask etcd and the kubelet inside a cluster's network.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use crate::error::{Error, io};

/// The body of the answer to a request; an error unless it is 200. With a body, it is a POST of JSON.
pub(crate) fn ask(mut stream: TcpStream, path: &str, body: Option<&str>) -> Result<String, Error> {
    let method = if body.is_some() { "POST" } else { "GET" };
    let body = body.unwrap_or_default();
    // HTTP/1.0: the answer ends with the connection and is not cut into chunks.
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut answer = Vec::new();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .and_then(|()| stream.write_all(request.as_bytes()))
        .and_then(|()| stream.read_to_end(&mut answer))
        .map_err(io(format!("ask {path}")))?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.split(' ').nth(1) != Some("200") {
        return Err(Error::Unreadable { what: "an answer of status 200", text: answer });
    }
    Ok(body.to_owned())
}
