//! Where the server is, and a connection to it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rutter_fetch::{Lookup, client_config, system_lookup};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::Body;

const CONNECT_TIME: Duration = Duration::from_secs(10);

/// Where the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// A socket on this machine.
    Unix(PathBuf),
    /// A host, with or without TLS.
    Tcp { host: String, port: u16, tls: bool },
}

impl Address {
    /// Reads `unix:/path`, `http://host:port` or `https://host:port`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            return path.starts_with('/').then(|| Self::Unix(path.into()));
        }
        let url = url::Url::parse(text).ok()?;
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        Some(Self::Tcp { host, port: url.port_or_known_default()?, tls })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp { host, port, tls } => {
                write!(f, "{}://{host}:{port}", if *tls { "https" } else { "http" })
            }
        }
    }
}

/// Makes connections; TLS and name lookup are set up when first needed.
pub(crate) struct Dialer {
    pub(crate) address: Address,
    ca: Option<Vec<u8>>,
    tls: OnceLock<Result<Arc<ClientConfig>, String>>,
    lookup: OnceLock<Lookup>,
}

impl Dialer {
    pub(crate) fn new(address: Address, ca: Option<Vec<u8>>) -> Self {
        Self { address, ca, tls: OnceLock::new(), lookup: OnceLock::new() }
    }

    /// What goes into the `Host` header.
    pub(crate) fn authority(&self) -> String {
        match &self.address {
            Address::Unix(_) => "rutter".to_owned(),
            Address::Tcp { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Address::Tcp { host, port, .. } => format!("{host}:{port}"),
        }
    }

    /// A new connection.
    pub(crate) async fn dial(&self) -> io::Result<SendRequest<Body>> {
        match &self.address {
            Address::Unix(path) => speak(UnixStream::connect(path).await?).await,
            Address::Tcp { host, port, tls } => {
                let stream = tokio::time::timeout(CONNECT_TIME, self.tcp(host, *port)).await??;
                if *tls { speak(self.encrypted(host, stream).await?).await } else { speak(stream).await }
            }
        }
    }

    async fn tcp(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let addresses = match host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => {
                let lookup = self.lookup.get_or_init(system_lookup);
                lookup(host.to_owned()).await.map_err(io::Error::other)?
            }
        };
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in addresses {
            match TcpStream::connect(SocketAddr::new(address, port)).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn encrypted(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let config = self.tls.get_or_init(|| {
            client_config(self.ca.as_deref()).map(Arc::new).map_err(|error| error.to_string())
        });
        let config = config.as_ref().map_err(|error| io::Error::other(error.clone()))?;
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(Arc::clone(config)).connect(name, stream).await
    }
}

async fn speak<S>(stream: S) -> io::Result<SendRequest<Body>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // Its errors come back through the requests.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert_eq!(Address::parse("unix:/run/x"), Some(Address::Unix("/run/x".into())));
        let tcp = |host: &str, port, tls| Some(Address::Tcp { host: host.to_owned(), port, tls });
        assert_eq!(Address::parse("https://rutter.ns.svc:8443"), tcp("rutter.ns.svc", 8443, true));
        assert_eq!(Address::parse("http://[::1]:80"), tcp("::1", 80, false));
        for bad in ["", "unix:", "unix:x", "ftp://x", "host:80"] {
            assert_eq!(Address::parse(bad), None, "{bad}");
        }
    }
}
