//! TLS for agents that come over the network: their tokens and outputs pass other machines.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::serve::Listener;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{net::TcpStream, sync::mpsc, task::JoinSet, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::steady::{Clients, Steady};

/// Longest time for a handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes at the same time; more wait in the system's queue.
const HANDSHAKES: usize = 1024;

/// Why certificate and key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BadIdentity {
    /// No certificate in PEM.
    #[error("the certificate is no PEM text with a CERTIFICATE block")]
    Certificate,
    /// No key in PEM.
    #[error("the key is no PEM text with a PRIVATE KEY block")]
    Key,
    /// They do not fit together, or can't be used.
    #[error("certificate and key can't be used: {0}")]
    Unusable(#[source] rustls::Error),
}

/// A server's identity from its certificate, with those that vouch for it, and its key: both PEM.
///
/// # Errors
/// They are no PEM, or do not fit together.
pub fn identity(certificates: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, BadIdentity> {
    let chain = CertificateDer::pem_slice_iter(certificates).collect::<Result<Vec<_>, _>>();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(BadIdentity::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| BadIdentity::Key)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(BadIdentity::Unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(BadIdentity::Unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Connections whose handshake is done: one that is slow holds up no other.
pub(crate) struct Encrypted {
    ready: mpsc::Receiver<(TlsStream<Steady<TcpStream>>, SocketAddr)>,
    local: SocketAddr,
    _accepting: JoinSet<()>,
}

impl Encrypted {
    /// Accept from now on. Needs a Tokio runtime.
    ///
    /// # Errors
    /// The listener has no address.
    pub(crate) fn start(listener: Clients, config: Arc<ServerConfig>) -> io::Result<Self> {
        let local = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(1);
        let mut accepting = JoinSet::new();
        accepting.spawn(accept_all(listener, TlsAcceptor::from(config), sender));
        Ok(Self { ready, local, _accepting: accepting })
    }
}

async fn accept_all(
    mut listener: Clients,
    acceptor: TlsAcceptor,
    ready: mpsc::Sender<(TlsStream<Steady<TcpStream>>, SocketAddr)>,
) {
    let mut handshakes = JoinSet::new();
    loop {
        tokio::select! {
            (stream, peer) = listener.accept(), if handshakes.len() < HANDSHAKES => {
                let (acceptor, ready) = (acceptor.clone(), ready.clone());
                handshakes.spawn(async move {
                    match timeout(HANDSHAKE, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => { let _ = ready.send((stream, peer)).await; }
                        Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
                        Err(_) => tracing::debug!("a handshake took too long"),
                    }
                });
            }
            Some(_) = handshakes.join_next() => {}
        }
    }
}

impl Listener for Encrypted {
    type Io = TlsStream<Steady<TcpStream>>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // The task that sends lives as long as this.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_told_apart() {
        assert!(matches!(identity(b"hello", b""), Err(BadIdentity::Certificate)));
        let pem = rcgen::generate_simple_self_signed(vec!["a".into()]).unwrap();
        let certificate = pem.cert.pem();
        assert!(matches!(identity(certificate.as_bytes(), b"hello"), Err(BadIdentity::Key)));
        let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
        assert!(matches!(identity(certificate.as_bytes(), other.as_bytes()), Err(BadIdentity::Unusable(_))));
        assert!(identity(certificate.as_bytes(), pem.signing_key.serialize_pem().as_bytes()).is_ok());
    }
}
