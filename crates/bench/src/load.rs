//! Closed-loop load: so many connections, each asks again as soon as it was answered.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn::http1, header::HeaderMap};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};

/// What is asked, over and over.
#[derive(Clone)]
pub(crate) struct Ask {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    body: Bytes,
}

impl Ask {
    /// GET as JSON.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        let headers = vec![("accept", "application/json")];
        Self { method: "GET", path: path.into(), headers, body: Bytes::new() }
    }

    /// Execute a process.
    pub(crate) fn execute(process: &str, prefer: Option<&'static str>, body: impl Into<Bytes>) -> Self {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(prefer.map(|prefer| ("prefer", prefer)));
        Self { method: "POST", path: format!("/processes/{process}/execution"), headers, body: body.into() }
    }
}

/// What was measured.
pub(crate) struct Outcome {
    /// Answers per second, all connections.
    pub(crate) per_second: f64,
    /// How long each took.
    pub(crate) times: Vec<Duration>,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Ask `count` times over `connections` connections.
pub(crate) async fn run(
    address: SocketAddr,
    ask: &Ask,
    connections: usize,
    count: usize,
) -> anyhow::Result<Outcome> {
    let left = Arc::new(AtomicUsize::new(count));
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        tasks.spawn(one_connection(address, ask.clone(), left.clone()));
    }
    let mut times = Vec::with_capacity(count);
    while let Some(part) = tasks.join_next().await {
        times.extend(part??);
    }
    Ok(Outcome { per_second: times.len() as f64 / start.elapsed().as_secs_f64(), times })
}

/// Ask once.
pub(crate) async fn once(address: SocketAddr, ask: &Ask) -> anyhow::Result<Answer> {
    let answer = send(&mut connect(address).await?, address, ask).await?;
    ensure_good(ask, &answer)?;
    Ok(answer)
}

async fn one_connection(
    address: SocketAddr,
    ask: Ask,
    left: Arc<AtomicUsize>,
) -> anyhow::Result<Vec<Duration>> {
    let mut sender = connect(address).await?;
    let mut times = Vec::new();
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        let start = Instant::now();
        let answer = send(&mut sender, address, &ask).await?;
        times.push(start.elapsed());
        ensure_good(&ask, &answer)?;
    }
    Ok(times)
}

async fn connect(address: SocketAddr) -> anyhow::Result<http1::SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await.context("could not connect")?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn send(
    sender: &mut http1::SendRequest<Full<Bytes>>,
    address: SocketAddr,
    ask: &Ask,
) -> anyhow::Result<Answer> {
    let mut request =
        Request::builder().method(ask.method).uri(&ask.path).header("host", address.to_string());
    for (name, value) in &ask.headers {
        request = request.header(*name, *value);
    }
    sender.ready().await?;
    let answer = sender.send_request(request.body(Full::new(ask.body.clone()))?).await?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Ok(Answer { status, headers, body: answer.into_body().collect().await?.to_bytes() })
}

fn ensure_good(ask: &Ask, answer: &Answer) -> anyhow::Result<()> {
    let Answer { status, body, .. } = answer;
    ensure!(*status < 300, "{} {} gave {status}: {}", ask.method, ask.path, String::from_utf8_lossy(body));
    Ok(())
}
