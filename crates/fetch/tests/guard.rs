//! What attackers and broken sources do: each ends in a named error, never in a connection to a forbidden address.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rutter_fetch::{Client, Error, Lookup, Policy, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn policy() -> Policy {
    Policy {
        private_networks: true,
        allow: Vec::new(),
        max_bytes: 100_000,
        idle: Duration::from_secs(5),
        max_redirects: 5,
    }
}

fn guarded() -> Policy {
    Policy { private_networks: false, ..policy() }
}

/// A server that answers each connection with these bytes, then waits or closes; it counts connections.
async fn raw(address: &str, answer: impl Into<Vec<u8>>, keep_open: bool) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let (answer, seen) = (answer.into(), Arc::clone(&count));
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            seen.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).await;
                let _ = socket.write_all(&answer).await;
                if keep_open {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    (port, count)
}

async fn read(client: &Client, url: &str) -> Result<(u16, Vec<u8>), Error> {
    let mut response: Response = client.get(url).await?;
    let mut all = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        all.extend_from_slice(&chunk);
    }
    Ok((response.status, all))
}

#[tokio::test]
async fn a_body_with_its_type_and_name() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-type: image/tiff\r\ncontent-length: 3\r\n\r\nabc";
    let (port, _) = raw("127.0.0.1", answer, false).await;
    let client = Client::new(policy(), None).unwrap();
    for host in ["127.0.0.1", "localhost"] {
        let response = client.get(&format!("http://{host}:{port}/a/dem%20x.tif?q=1")).await.unwrap();
        assert_eq!(response.media_type(), Some("image/tiff"));
        assert_eq!(response.file_name().as_deref(), Some("dem x.tif"));
        assert_eq!(response.length, Some(3));
    }
    assert_eq!(read(&client, &format!("http://localhost:{port}/")).await.unwrap(), (200, b"abc".to_vec()));
}

#[tokio::test]
async fn every_spelling_of_loopback_is_refused_without_a_connection() {
    let (port, count) = raw("127.0.0.1", "HTTP/1.1 200 OK\r\n\r\n", false).await;
    let client = Client::new(guarded(), None).unwrap();
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "a.localhost",
        "①②⑦.0.0.1",
        "127。0。0。1",
        "%3127.0.0.1",
    ] {
        let error = client.get(&format!("http://{host}:{port}/")).await.unwrap_err();
        assert!(matches!(error, Error::PrivateAddress { .. }), "{host}: {error:?}");
        assert!(error.to_string().contains("references.allow"));
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn metadata_is_refused_even_with_private_networks() {
    let client = Client::new(policy(), None).unwrap();
    for host in [
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "0.0.0.0",
        "0",
        "[::]",
    ] {
        let error = client.get(&format!("http://{host}/")).await.unwrap_err();
        assert!(matches!(error, Error::NeverReached { .. }), "{host}: {error:?}");
    }
}

#[tokio::test]
async fn schemes_and_credentials() {
    let client = Client::new(policy(), None).unwrap();
    assert!(matches!(client.get("file:///etc/passwd").await, Err(Error::Scheme { .. })));
    assert!(matches!(client.get("ftp://127.0.0.1/").await, Err(Error::Scheme { .. })));
    assert!(matches!(client.get("http://a:b@127.0.0.1/").await, Err(Error::Credentials)));
    assert!(matches!(client.get("/etc/passwd").await, Err(Error::NotAUrl { .. })));
}

/// Answers the addresses one after another, one a question.
fn scripted(answers: Vec<Ipv4Addr>) -> (Lookup, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let lookup: Lookup = Arc::new(move |_| {
        let turn = count.fetch_add(1, Ordering::SeqCst);
        let address = IpAddr::V4(answers[turn.min(answers.len() - 1)]);
        Box::pin(async move { Ok(vec![address]) })
    });
    (lookup, asked)
}

/// DNS rebinding: 127.0.0.2 plays the address that passes, 127.0.0.1 the one that must not be reached.
#[tokio::test]
async fn the_connection_goes_to_the_address_that_was_checked() {
    let allowed = Policy { allow: vec!["127.0.0.2".parse().unwrap()], ..guarded() };
    let (port, forbidden) = raw("127.0.0.1", "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", false).await;
    let (lookup, asked) = scripted(vec![Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::LOCALHOST]);
    let client = Client::with_lookup(allowed, None, lookup).unwrap();
    let url = format!("http://rebind.example:{port}/");
    // Nobody listens at 127.0.0.2 on this port: a second question would have led to the forbidden server.
    assert!(matches!(client.get(&url).await, Err(Error::Unreachable { .. })));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(matches!(client.get(&url).await, Err(Error::PrivateAddress { .. })));
    assert_eq!(forbidden.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn each_redirect_is_checked() {
    let allowed = Policy { allow: vec!["127.0.0.2".parse().unwrap()], ..guarded() };
    let (secret, count) = raw("127.0.0.1", "HTTP/1.1 200 OK\r\n\r\n", false).await;
    for target in
        [format!("http://127.0.0.1:{secret}/"), format!("//localhost:{secret}/"), "file:///etc/passwd".into()]
    {
        let answer = format!("HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n");
        let (port, _) = raw("127.0.0.2", answer, false).await;
        let client = Client::new(allowed.clone(), None).unwrap();
        let error = client.get(&format!("http://127.0.0.2:{port}/")).await.unwrap_err();
        assert!(matches!(error, Error::PrivateAddress { .. } | Error::Scheme { .. }), "{target}: {error:?}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_redirect_loop_ends() {
    let answer = "HTTP/1.1 307 Temporary Redirect\r\nlocation: /again\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let (port, count) = raw("127.0.0.1", answer, false).await;
    let client = Client::new(policy(), None).unwrap();
    let error = client.get(&format!("http://127.0.0.1:{port}/")).await.unwrap_err();
    assert!(matches!(error, Error::Redirects { limit: 5 }), "{error:?}");
    assert!(error.to_string().contains("references.maxRedirects"));
    assert_eq!(count.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn sizes_are_bounded_whatever_is_promised() {
    let client = Client::new(policy(), None).unwrap();
    let huge = "HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n";
    let (port, _) = raw("127.0.0.1", huge, true).await;
    assert!(matches!(client.get(&format!("http://127.0.0.1:{port}/")).await, Err(Error::TooLarge { .. })));
    let mut endless = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    endless.resize(400_000, b'x');
    let (port, _) = raw("127.0.0.1", endless, true).await;
    let error = read(&client, &format!("http://127.0.0.1:{port}/")).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 100_000 }), "{error:?}");
    assert!(error.to_string().contains("references.maxBytes"));
    let (port, _) = raw("127.0.0.1", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", false).await;
    let error = read(&client, &format!("http://127.0.0.1:{port}/")).await.unwrap_err();
    assert!(matches!(error, Error::BrokenOff { .. }), "{error:?}");
}

#[tokio::test]
async fn silence_is_bounded() {
    let quick = Policy { idle: Duration::from_millis(200), ..policy() };
    let client = Client::new(quick, None).unwrap();
    for answer in ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"] {
        let (port, _) = raw("127.0.0.1", answer, true).await;
        let error = read(&client, &format!("http://127.0.0.1:{port}/")).await.unwrap_err();
        assert!(matches!(error, Error::Idle { .. }), "{error:?}");
        assert!(error.to_string().contains("references.idleTimeout"));
    }
}

#[tokio::test]
async fn a_drip_of_single_bytes_counts_as_silence() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = socket.read(&mut request).await;
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 90000\r\n\r\n").await;
        while socket.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let quick = Policy { idle: Duration::from_millis(100), ..policy() };
    let error =
        read(&Client::new(quick, None).unwrap(), &format!("http://127.0.0.1:{port}/")).await.unwrap_err();
    assert!(matches!(error, Error::Idle { .. }), "{error:?}");
}

#[tokio::test]
async fn a_post_follows_no_redirect() {
    let (secret, count) = raw("127.0.0.1", "HTTP/1.1 200 OK\r\n\r\n", false).await;
    let answer =
        format!("HTTP/1.1 307 X\r\nlocation: http://127.0.0.1:{secret}/\r\ncontent-length: 0\r\n\r\n");
    let (port, _) = raw("127.0.0.1", answer, false).await;
    let client = Client::new(policy(), None).unwrap();
    let response =
        client.post(&format!("http://127.0.0.1:{port}/"), http::HeaderMap::new(), "{}".into()).await;
    assert_eq!(response.unwrap().status, 307);
    assert_eq!(count.load(Ordering::SeqCst), 0);
}
