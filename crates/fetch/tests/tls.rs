//! References by https: a certificate has to lead to a known authority and to name the host.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rutter_fetch::{Client, Error, Policy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret";

fn policy() -> Policy {
    Policy {
        private_networks: true,
        allow: Vec::new(),
        max_bytes: 100,
        idle: Duration::from_secs(20),
        max_redirects: 1,
    }
}

/// A server for `name` and the PEM of the authority that vouches for it.
async fn server(name: &str) -> (u16, String) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust the certificate leaves here.
                let Ok(mut socket) = acceptor.accept(socket).await else { return };
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).await;
                let _ = socket.write_all(ANSWER).await;
                let _ = socket.shutdown().await;
            });
        }
    });
    (port, authority.pem())
}

async fn read(client: &Client, port: u16) -> Result<Vec<u8>, Error> {
    let mut response = client.get(&format!("https://localhost:{port}/")).await?;
    let mut all = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

#[tokio::test]
async fn a_further_authority_is_trusted_beside_the_public_ones() {
    let (port, authority) = server("localhost").await;
    let client = Client::new(policy(), Some(authority.as_bytes())).unwrap();
    assert_eq!(read(&client, port).await.unwrap(), b"secret");
}

#[tokio::test]
async fn an_unknown_authority_and_another_name_are_refused() {
    let (port, authority) = server("localhost").await;
    let client = Client::new(policy(), None).unwrap();
    let error = read(&client, port).await.unwrap_err();
    assert!(
        matches!(&error, Error::Unreachable { .. }) && error.to_string().contains("certificate"),
        "{error}"
    );

    let (other, other_authority) = server("elsewhere.example").await;
    let client = Client::new(policy(), Some(other_authority.as_bytes())).unwrap();
    let error = read(&client, other).await.unwrap_err();
    assert!(
        matches!(&error, Error::Unreachable { .. }) && error.to_string().contains("certificate"),
        "{error}"
    );

    // Its own authority vouches for nobody else's server.
    let error = read(&client, port).await.unwrap_err();
    assert!(matches!(&error, Error::Unreachable { .. }), "{error}");
    let client = Client::new(policy(), Some(authority.as_bytes())).unwrap();
    assert!(read(&client, other).await.is_err());
}
