//! TLS: public roots of its own (an image may have none), further ones from the operator, one named provider.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Further certificates that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BadCertificates {
    /// No PEM.
    #[error("the further CA certificates are not PEM: {0}")]
    NotPem(String),
    /// PEM without a certificate.
    #[error("the further CA certificates are empty")]
    Empty,
    /// A certificate that rustls doesn't take.
    #[error("a further CA certificate can't be used: {0}")]
    Unusable(#[source] rustls::Error),
    /// The provider lacks a protocol version.
    #[error("TLS can't be set up: {0}")]
    Provider(#[source] rustls::Error),
}

/// A client configuration that trusts the public roots and `extra_ca_pem`.
pub fn client_config(extra_ca_pem: Option<&[u8]>) -> Result<ClientConfig, BadCertificates> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = extra_ca_pem {
        add(&mut roots, pem)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(BadCertificates::Provider)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn add(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), BadCertificates> {
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| BadCertificates::NotPem(error.to_string()))?;
        roots.add(certificate).map_err(BadCertificates::Unusable)?;
    }
    if roots.len() == before { Err(BadCertificates::Empty) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_roots_are_carried() {
        assert!(client_config(None).is_ok());
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(matches!(client_config(Some(b"hello")), Err(BadCertificates::Empty)));
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(client_config(Some(broken)), Err(BadCertificates::Unusable(_))));
    }
}
