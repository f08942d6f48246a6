//! Names to addresses: resolved once, filtered, and only what passed is handed to the connector.
//!
//! Resolved by hickory, not by getaddrinfo: in a static binary the latter would load modules of whatever image the
//! agent runs in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use futures_util::future::BoxFuture;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::error::{Error, root_cause};
use crate::policy::Policy;

/// Addresses of a name, or why there are none.
pub type Addresses = BoxFuture<'static, Result<Vec<IpAddr>, Error>>;
/// Finds the addresses of a name.
pub type Lookup = Arc<dyn Fn(String) -> Addresses + Send + Sync>;

/// The lookup of this system: hosts file, then the name servers of `/etc/resolv.conf`. `localhost` is always known.
pub fn system_lookup() -> Lookup {
    let resolver = Arc::new(OnceLock::new());
    Arc::new(move |host| {
        let resolver = Arc::clone(&resolver);
        Box::pin(async move { find(&resolver, host).await })
    })
}

async fn find(
    resolver: &OnceLock<Result<TokioResolver, String>>,
    host: String,
) -> Result<Vec<IpAddr>, Error> {
    if is_localhost(&host) {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let unknown = |reason: String| Error::UnknownHost { host: host.clone(), reason };
    let resolver =
        resolver.get_or_init(system_resolver).as_ref().map_err(|reason| unknown(reason.clone()))?;
    let found = resolver.lookup_ip(host.as_str()).await.map_err(|error| unknown(root_cause(&error)))?;
    Ok(found.iter().collect())
}

/// RFC 6761 section 6.3: such names never go to a name server.
fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

fn system_resolver() -> Result<TokioResolver, String> {
    // Without /etc/resolv.conf there is still the hosts file; no name server is made up.
    let mut builder = TokioResolver::builder_tokio().unwrap_or_else(|_| {
        TokioResolver::builder_with_config(ResolverConfig::default(), TokioRuntimeProvider::default())
    });
    builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    builder.build().map_err(|error| root_cause(&error))
}

/// The resolver given to the connector: what it answers has passed the policy.
pub(crate) struct Guarded {
    pub(crate) policy: Arc<Policy>,
    pub(crate) lookup: Lookup,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let policy = Arc::clone(&self.policy);
        let found = (self.lookup)(host.clone());
        Box::pin(async move {
            let passed = filter(&policy, &host, found.await?)?;
            let sockets = passed.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(sockets) as Addrs)
        })
    }
}

fn filter(policy: &Policy, host: &str, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, Error> {
    let mut refusal = Error::UnknownHost { host: host.to_owned(), reason: "it has no address".to_owned() };
    let mut passed = Vec::with_capacity(found.len());
    for address in found {
        match policy.judge(host, address) {
            Ok(()) => passed.push(address),
            Err(error) => refusal = error,
        }
    }
    if passed.is_empty() { Err(refusal) } else { Ok(passed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_in_all_spellings() {
        assert!(["localhost", "LOCALHOST.", "a.b.localhost"].iter().all(|host| is_localhost(host)));
        assert!(!is_localhost("notlocalhost"));
    }

    #[tokio::test]
    async fn localhost_needs_no_name_server() {
        let found = system_lookup()("localhost".to_owned()).await.unwrap();
        assert!(found.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
}
