//! A port of this machine that leads into a cluster's network: for browsers, and clients that cannot enter.

use std::{
    fs,
    io::{self, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{
    cluster::Cluster,
    error::{Error, io},
};

/// Leads connections on; dropped, it takes no more.
#[derive(Debug)]
pub struct Forward {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl Cluster {
    /// Lead a port of 127.0.0.1 (0: a free one) to an address inside the cluster's network.
    pub fn forward(&self, port: u16, to: SocketAddr) -> Result<Forward, Error> {
        let what = || format!("listen on port {port} of 127.0.0.1");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(io(what()))?;
        let address = listener.local_addr().map_err(io(what()))?;
        let stopped = Arc::new(AtomicBool::new(false));
        let (network, stop) = (self.holder.network(), stopped.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let network = network.clone();
                // A connection that fails ends; its client sees that.
                thread::spawn(move || lead(stream, network, to));
            }
        });
        Ok(Forward { address, stopped })
    }
}

impl Forward {
    /// Where it listens on this machine.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

fn lead(outside: TcpStream, network: PathBuf, to: SocketAddr) -> io::Result<()> {
    enter(&network)?;
    both_ways(outside, TcpStream::connect(to)?)
}

/// Moves the calling thread into a network for good.
pub(crate) fn enter(network: &Path) -> io::Result<()> {
    let network = fs::File::open(network)?;
    Ok(move_into_link_name_space(std::os::fd::AsFd::as_fd(&network), Some(LinkNameSpaceType::Network))?)
}

/// Pours two connections into each other until both are at their end.
pub(crate) fn both_ways(one: TcpStream, other: TcpStream) -> io::Result<()> {
    let (from, into) = (one.try_clone()?, other.try_clone()?);
    thread::spawn(move || pour(from, into));
    pour(other, one)
}

fn pour(mut from: TcpStream, mut into: TcpStream) -> io::Result<()> {
    io::copy(&mut from, &mut into)?;
    into.flush()?;
    into.shutdown(Shutdown::Write)
}
