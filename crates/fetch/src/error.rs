//! Why something could not be fetched; settings are named where a change of them would help.

use std::net::IpAddr;

/// Why something could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a URL with a host.
    #[error("'{url}' is not a usable URL: {reason}")]
    NotAUrl {
        /// As given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Neither http nor https.
    #[error("scheme '{scheme}' is not fetched; use http or https")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// User name or password in the URL.
    #[error("the URL carries a user name or password; leave them out")]
    Credentials,
    /// The host leads to a private address.
    #[error(
        "'{host}' leads to {address} in a private network; the operator can add either to references.allow"
    )]
    PrivateAddress {
        /// Host of the URL.
        host: String,
        /// Address found.
        address: IpAddr,
    },
    /// The host leads to an address that is never reached.
    #[error(
        "'{host}' leads to {address}, which is never reached (link-local, metadata, multicast or unspecified)"
    )]
    NeverReached {
        /// Host of the URL.
        host: String,
        /// Address found.
        address: IpAddr,
    },
    /// The name has no address.
    #[error("host '{host}' is not known: {reason}")]
    UnknownHost {
        /// Host of the URL.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// No connection, or a broken one.
    #[error("'{host}' can't be reached: {reason}")]
    Unreachable {
        /// Host of the URL.
        host: String,
        /// What happened.
        reason: String,
    },
    /// The body broke off.
    #[error("the transfer from '{host}' broke off: {reason}")]
    BrokenOff {
        /// Host of the URL.
        host: String,
        /// What happened.
        reason: String,
    },
    /// More bytes than allowed.
    #[error("more than {limit} bytes (references.maxBytes)")]
    TooLarge {
        /// The limit, bytes.
        limit: u64,
    },
    /// Too slow.
    #[error("'{host}' sent (nearly) nothing for {seconds} s (references.idleTimeout)")]
    Idle {
        /// Host of the URL.
        host: String,
        /// The limit, seconds.
        seconds: u64,
    },
    /// Redirected too often.
    #[error("redirected more than {limit} times (references.maxRedirects)")]
    Redirects {
        /// The limit.
        limit: u32,
    },
    /// A redirect that leads nowhere.
    #[error("'{host}' redirects to nowhere: {reason}")]
    BadRedirect {
        /// Host that redirected.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// The client itself could not be made.
    #[error("no HTTP client: {reason}")]
    Setup {
        /// What happened.
        reason: String,
    },
}

impl Error {
    /// Whether the [policy](crate::Policy) forbids it: the same request is refused until the operator allows it.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::NotAUrl { .. }
                | Self::Scheme { .. }
                | Self::Credentials
                | Self::PrivateAddress { .. }
                | Self::NeverReached { .. }
        )
    }

    /// Whether the same request may succeed a moment later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::UnknownHost { .. } | Self::Unreachable { .. } | Self::BrokenOff { .. })
    }
}

/// The innermost cause of an error, as text.
pub(crate) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
