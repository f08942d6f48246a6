//! Ports below 1024 for a server that is not root: the image's program may take them (file capability `cap_net_bind_service`,
//! permitted), and uses that right for this alone.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
};

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use tokio::net::TcpListener;

/// Listen on an address; of a port that others may not take, with the right that the program was given.
pub(crate) async fn listen(address: &str) -> io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            with_right(address).unwrap_or(Err(error))
        }
        bound => bound,
    }
}

/// Whether a port needs a right.
pub(crate) fn is_low(address: &str) -> bool {
    address.parse::<SocketAddr>().is_ok_and(|address| (1..1024).contains(&address.port()))
}

/// `None` = the program has no such right. Rights are those of a thread, so nothing here waits.
fn with_right(address: &str) -> Option<io::Result<TcpListener>> {
    let mut sets = capabilities(None).ok()?;
    if !sets.permitted.contains(CapabilitySet::NET_BIND_SERVICE) {
        return None;
    }
    let before = sets;
    sets.effective |= CapabilitySet::NET_BIND_SERVICE;
    set_capabilities(None, sets).ok()?;
    let bound = std::net::TcpListener::bind(address);
    let _ = set_capabilities(None, before);
    Some(bound.and_then(|listener| {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    }))
}
