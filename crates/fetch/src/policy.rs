//! What may be fetched: settings of the operator (`references` in the configuration).

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use crate::address::{Reach, reach};
use crate::error::Error;

/// What may be fetched.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whether loopback and private networks may be reached.
    pub private_networks: bool,
    /// Hosts and networks that may be reached although private (`references.allow`).
    pub allow: Vec<Allowed>,
    /// Greatest size of one body in bytes (`references.maxBytes`).
    pub max_bytes: u64,
    /// Greatest time without a byte (`references.idleTimeout`).
    pub idle: Duration,
    /// Greatest number of redirects (`references.maxRedirects`).
    pub max_redirects: u32,
}

/// A host or a network of `references.allow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// A host name, lower case, without trailing dot: whatever private address it leads to.
    Host(String),
    /// A network: whatever name leads there.
    Network(IpNet),
}

/// An entry of `references.allow` that is neither a host name, an address nor a network.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' in references.allow is no host name, address or network (such as 10.1.0.0/16)")]
pub struct BadAllow(String);

impl FromStr for Allowed {
    type Err = BadAllow;

    fn from_str(text: &str) -> Result<Self, BadAllow> {
        let bare = text.trim().trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self::Network(address.into()));
        }
        if let Ok(network) = bare.parse::<IpNet>() {
            return Ok(Self::Network(network.trunc()));
        }
        match url::Host::parse(&host_key(bare)) {
            Ok(url::Host::Domain(name)) => Ok(Self::Host(host_key(&name))),
            _ => Err(BadAllow(text.to_owned())),
        }
    }
}

impl Policy {
    /// Whether a connection for `host` may go to `address`.
    pub(crate) fn judge(&self, host: &str, address: IpAddr) -> Result<(), Error> {
        match reach(address) {
            Reach::Public => Ok(()),
            Reach::Never => Err(Error::NeverReached { host: host.to_owned(), address }),
            Reach::Private if self.private_networks || self.allows(host, address) => Ok(()),
            Reach::Private => Err(Error::PrivateAddress { host: host.to_owned(), address }),
        }
    }

    fn allows(&self, host: &str, address: IpAddr) -> bool {
        let host = host_key(host);
        let address = address.to_canonical();
        self.allow.iter().any(|allowed| match allowed {
            Allowed::Host(name) => *name == host,
            Allowed::Network(network) => network.contains(&address),
        })
    }
}

fn host_key(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(allow: &[&str]) -> Policy {
        Policy {
            private_networks: false,
            allow: allow.iter().map(|text| text.parse().unwrap()).collect(),
            max_bytes: 1,
            idle: Duration::from_secs(1),
            max_redirects: 1,
        }
    }

    #[test]
    fn allowed_by_host_or_network_only() {
        let policy = policy(&["data.example.org", "10.1.0.0/16", "::1"]);
        let judge = |host: &str, address: &str| policy.judge(host, address.parse().unwrap()).is_ok();
        assert!(judge("DATA.example.org.", "192.168.0.4"));
        assert!(!judge("evil.data.example.org", "192.168.0.4"));
        assert!(judge("x", "10.1.200.3"));
        assert!(judge("x", "::ffff:10.1.200.3"));
        assert!(!judge("x", "10.2.0.1"));
        assert!(judge("x", "::1"));
    }

    #[test]
    fn metadata_stays_out_of_reach_whatever_is_allowed() {
        let mut policy = policy(&["metadata", "169.254.0.0/16", "0.0.0.0/0"]);
        policy.private_networks = true;
        assert!(policy.judge("metadata", "169.254.169.254".parse().unwrap()).is_err());
        assert!(policy.judge("x", "fe80::1".parse().unwrap()).is_err());
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "10.0.0.0/40", "a b", "http://x/"] {
            assert!(text.parse::<Allowed>().is_err(), "{text}");
        }
    }
}
