//! Connections: real sockets, slow clients, many clients, and an orderly end.

use std::time::Duration;

use rutter_server::{Limits, ServerConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use crate::common::Server;

struct Running {
    address: std::net::SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    server: Server,
}

async fn running(limits: Limits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::with(ServerConfig { listen: address, limits, ..ServerConfig::default() }).await;
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(rutter_server::serve(listener, server.state.clone(), stopped));
    Running { address, stop, serving, server }
}

async fn ask(stream: &mut TcpStream, text: &str) -> String {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = vec![0; 64 * 1024];
    let length = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

const GET: &str = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test]
async fn a_connection_takes_many_requests_and_links_have_the_real_port() {
    let running = running(Limits::default()).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    for _ in 0..3 {
        assert!(ask(&mut stream, GET).await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    let plain = "GET / HTTP/1.0\r\n\r\n";
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let answer = ask(&mut stream, plain).await;
    assert!(answer.contains(&format!("http://{}/processes", running.address)), "{answer}");
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_head_is_let_go() {
    let limits = Limits { head_timeout: Duration::from_millis(200), ..Limits::default() };
    let running = running(limits).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: local").await.unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_body_is_let_go() {
    let limits = Limits { body_timeout: Duration::from_millis(200), ..Limits::default() };
    let running = running(limits).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let head = "POST /processes/hello/execution HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    let answer = tokio::time::timeout(Duration::from_secs(20), ask(&mut stream, head)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn a_client_whose_body_trickles_is_let_go() {
    let silence = Duration::from_secs(2);
    let limits = Limits { body_timeout: silence, body_rate: 1_000_000, ..Limits::default() };
    let running = running(limits).await;
    let (mut reader, mut writer) = TcpStream::connect(running.address).await.unwrap().into_split();
    let head = "POST /processes/hello/execution HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n";
    writer.write_all(head.as_bytes()).await.unwrap();
    // Never silent for long.
    let trickling = tokio::spawn(async move {
        while writer.write_all(b" ").await.is_ok() {
            tokio::time::sleep(silence / 20).await;
        }
    });
    let mut answer = [0; 13];
    tokio::time::timeout(Duration::from_secs(30), reader.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408 ");
    trickling.abort();
}

#[tokio::test]
async fn heads_and_bodies_over_the_limit_are_refused() {
    let limits = Limits { body_bytes: 1000, ..Limits::default() };
    let running = running(limits).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let answer = ask(
        &mut stream,
        &format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024)),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let head = "POST /processes/hello/execution HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n";
    let answer = ask(&mut stream, head).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    let head = "POST /processes/hello/execution HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = ask(&mut stream, &format!("{head}{chunk}")).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn idle_connections_do_not_keep_others_out() {
    let running = running(Limits::default()).await;
    let mut idle = Vec::new();
    for _ in 0..400 {
        idle.push(TcpStream::connect(running.address).await.unwrap());
    }
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    assert!(ask(&mut stream, GET).await.starts_with("HTTP/1.1 200"));
    for mut stream in idle {
        assert!(ask(&mut stream, GET).await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_room() {
    let running = running(Limits { connections: 2, ..Limits::default() }).await;
    let mut first = TcpStream::connect(running.address).await.unwrap();
    let mut second = TcpStream::connect(running.address).await.unwrap();
    assert!(ask(&mut first, GET).await.starts_with("HTTP/1.1 200"));
    assert!(ask(&mut second, GET).await.starts_with("HTTP/1.1 200"));
    let mut third = TcpStream::connect(running.address).await.unwrap();
    drop(first);
    let answer = tokio::time::timeout(Duration::from_secs(20), ask(&mut third, GET)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_stop_ends_idle_connections_and_lets_requests_finish() {
    let running = running(Limits { shutdown: Duration::from_secs(20), ..Limits::default() }).await;
    let mut idle = TcpStream::connect(running.address).await.unwrap();
    assert!(ask(&mut idle, GET).await.starts_with("HTTP/1.1 200"));
    let mut busy = TcpStream::connect(running.address).await.unwrap();
    let head = "POST /processes/countdown/execution HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n";
    busy.write_all(head.as_bytes()).await.unwrap();
    // The server must have begun with the request before it is stopped.
    while !running.server.get("/metrics", &[]).await.text().contains("livez") {}
    tokio::time::sleep(Duration::from_millis(100)).await;
    running.stop.send(true).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    busy.write_all(b"{\"inputs\":{}}").await.unwrap();
    let mut answer = String::new();
    busy.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    tokio::time::timeout(Duration::from_secs(20), running.serving).await.unwrap().unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
    assert_eq!(running.server.get("/readyz", &[]).await.status, 503);
}
