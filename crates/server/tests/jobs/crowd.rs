//! More jobs than connections: each talks to the server, and none holds a connection that others wait for.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rutter_core::id::LaunchName;
use rutter_server::{AgentsListener, Limits, ServerConfig, serve_agents};
use rutter_types::agent::{VERSION, VERSION_HEADER};
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Barrier, watch},
    task::JoinSet,
};

use crate::{
    common::FakeExecutor,
    play::{eventually, server_with},
};

const JOBS: usize = 1000;
const CONNECTIONS: usize = 100;
const PIECES: usize = 6;
const TRIES: u32 = 20;

/// An agent that keeps its connection for as long as the server does.
struct Agent {
    server: SocketAddr,
    token: String,
    kept: Option<SendRequest<Full<Bytes>>>,
}

impl Agent {
    async fn post(&mut self, path: &str, body: &str) -> StatusCode {
        // Every call may be made again; a machine that is busy with other things cuts connections that stand still.
        for _ in 0..TRIES {
            let mut sender = match self.kept.take() {
                Some(sender) if !sender.is_closed() => sender,
                _ => self.connect().await,
            };
            let request = Request::post(path)
                .header("host", "agents")
                .header(VERSION_HEADER, VERSION)
                .header("authorization", format!("Bearer {}", self.token))
                .body(Full::from(body.to_owned()))
                .unwrap();
            let answered = async {
                sender.ready().await?;
                let answer = sender.send_request(request).await?;
                let status = answer.status();
                answer.into_body().collect().await?;
                Ok::<_, hyper::Error>(status)
            };
            if let Ok(status) = answered.await {
                self.kept = Some(sender);
                return status;
            }
        }
        panic!("{path} was not answered");
    }

    async fn connect(&self) -> SendRequest<Full<Bytes>> {
        let stream = TcpStream::connect(self.server).await.unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender
    }
}

fn line(number: usize) -> String {
    format!("2026-11-25T10:00:00.000001Z out line {number}\n")
}

/// Halfway all wait for all: whoever needed a connection of its own until its end would wait for ever.
async fn logs(mut agent: Agent, halfway: Arc<Barrier>) {
    assert_eq!(agent.post("/agent/v1/order", "{}").await, StatusCode::OK);
    let mut offset = 0;
    for number in 0..PIECES {
        let line = line(number);
        let path = format!("/agent/v1/log?offset={offset}");
        assert_eq!(agent.post(&path, &line).await, StatusCode::OK);
        offset += line.len();
        if number == PIECES / 2 {
            halfway.wait().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_jobs_log_over_a_hundred_connections() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    // No connection ends for being idle.
    let hour = Duration::from_secs(3600);
    let limits = Limits { connections: CONNECTIONS, head_timeout: hour, ..Limits::default() };
    let server = server_with(ServerConfig { limits, ..ServerConfig::default() }).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(serve_agents(AgentsListener::Network(listener, None), server.state.clone(), stopped));

    for _ in 0..JOBS {
        server.submit("both", &json!({})).await;
    }
    let launches: Vec<LaunchName> = eventually(|| {
        let launched = server.executor.launched();
        (launched.len() == JOBS).then_some(launched)
    })
    .await;
    let (halfway, mut agents) = (Arc::new(Barrier::new(JOBS)), JoinSet::new());
    for launch in launches.iter().copied() {
        let agent = Agent { server: address, token: FakeExecutor::token(launch), kept: None };
        agents.spawn(logs(agent, halfway.clone()));
    }
    agents.join_all().await;
    let files = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let logs = server.folder.path().join("logs");
    let spools = files.filter(|file| std::fs::read_link(file.path()).is_ok_and(|it| it.starts_with(&logs)));
    let spools = spools.count();
    assert!(spools < JOBS / 2, "{spools} logs are open");

    let whole: Vec<String> = (0..PIECES).map(line).collect();
    for launch in launches {
        let log = server.get(&format!("/jobs/{}/logs?f=text", launch.job), &[]).await;
        assert_eq!(log.text(), whole.concat());
    }
}
