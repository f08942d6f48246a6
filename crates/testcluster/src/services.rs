//! Services: their names and addresses, for tests of what uses them. A small stand-in for kube-proxy and the cluster's name
//! server, as far as TCP and names of Services go.

mod names;

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::Command,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::Value;

use crate::{
    cluster::Cluster,
    error::{Error, io},
    forward::both_ways,
    kubectl::Kubectl,
    layout::ADDRESS,
    run,
};

/// Where kubelets tell pods to ask for names.
const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);
const PERIOD: Duration = Duration::from_millis(500);

/// Services that can be reached; dropped, they can't any more.
#[derive(Debug)]
pub struct Services {
    stopped: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// What is known of all Services.
#[derive(Debug, Default)]
struct Known {
    /// Address by `name.namespace`.
    names: HashMap<String, Ipv4Addr>,
    /// Where connections to a Service's address and port may go.
    ends: HashMap<SocketAddr, Vec<SocketAddr>>,
}

type Shared = Arc<Mutex<Known>>;

impl Cluster {
    /// Let pods and programs in the cluster's network reach Services by name and by address.
    pub fn serve_services(&self) -> Result<Services, Error> {
        let known = Shared::default();
        let stopped = Arc::new(AtomicBool::new(false));
        let kubectl = self.kubectl_program();
        let network = self.holder.network().display().to_string();
        let names = self.inside(|| {
            give_address(NAME_SERVER);
            let socket = UdpSocket::bind((NAME_SERVER, 53))?;
            socket.set_read_timeout(Some(PERIOD))?;
            Ok(socket)
        });
        let names = names.map_err(io(format!("listen for names on {NAME_SERVER} in {network}")))?;
        let (table, stop) = (known.clone(), stopped.clone());
        let namer = thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                names::answer_one(&names, |name| lock(&table).names.get(name).copied());
            }
        });
        let (enter, stop) = (self.holder.network(), stopped.clone());
        let watcher = thread::spawn(move || {
            if crate::forward::enter(&enter).is_ok() {
                watch(&kubectl, &known, &stop);
            }
        });
        Ok(Services { stopped, threads: vec![namer, watcher] })
    }

    fn inside<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        let network = self.holder.network();
        let joined = thread::scope(|scope| {
            scope
                .spawn(|| {
                    crate::forward::enter(&network)?;
                    work()
                })
                .join()
        });
        joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Reads Services and their ends again and again; runs in the cluster's network.
fn watch(kubectl: &Kubectl, known: &Shared, stop: &Arc<AtomicBool>) {
    let mut taken: Vec<SocketAddr> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        // An API server that is away answers again later; what is known stays so long.
        if let Some(now) = read(kubectl) {
            let new: Vec<SocketAddr> = now.ends.keys().copied().filter(|at| !taken.contains(at)).collect();
            *lock(known) = now;
            for at in new {
                if listen(at, known.clone(), stop.clone()).is_ok() {
                    taken.push(at);
                }
            }
        }
        thread::sleep(PERIOD);
    }
}

fn read(kubectl: &Kubectl) -> Option<Known> {
    let mut command = kubectl.command();
    command.args(["get", "services,endpointslices", "--all-namespaces", "--output", "json"]);
    let list: Value = serde_json::from_str(&run::output(&mut command, None).ok()?).ok()?;
    let items = list["items"].as_array()?;
    let of_kind = |kind: &'static str| items.iter().filter(move |item| item["kind"] == kind);
    let mut known = Known::default();
    for service in of_kind("Service") {
        let (name, namespace) =
            (service["metadata"]["name"].as_str()?, service["metadata"]["namespace"].as_str()?);
        let Some(address) = service["spec"]["clusterIP"].as_str().and_then(|it| it.parse().ok()) else {
            continue;
        };
        known.names.insert(format!("{name}.{namespace}"), address);
        for port in service["spec"]["ports"].as_array().into_iter().flatten() {
            let slices = of_kind("EndpointSlice").filter(|slice| {
                slice["metadata"]["namespace"] == namespace
                    && slice["metadata"]["labels"]["kubernetes.io/service-name"] == name
            });
            let at = (address, u16::try_from(port["port"].as_u64()?).ok()?).into();
            let mut found: Vec<SocketAddr> = slices.flat_map(|slice| ends(slice, &port["name"])).collect();
            // The API server of the tests does not write down where it is itself.
            if (name, namespace) == ("kubernetes", "default") {
                found.push((ADDRESS, 6443).into());
            }
            known.ends.insert(at, found);
        }
    }
    Some(known)
}

/// Ready ends of one port.
fn ends(slice: &Value, port_name: &Value) -> Vec<SocketAddr> {
    let named = |port: &&Value| port["name"].as_str().unwrap_or("") == port_name.as_str().unwrap_or("");
    let port = slice["ports"].as_array().into_iter().flatten().find(named);
    let port = port.and_then(|port| u16::try_from(port["port"].as_u64()?).ok());
    let ready = |end: &&Value| end["conditions"]["ready"] != false;
    let endpoints = slice["endpoints"].as_array().into_iter().flatten().filter(ready);
    let addresses = endpoints.flat_map(|end| end["addresses"].as_array().into_iter().flatten());
    let parsed = addresses.filter_map(|address| address.as_str()?.parse::<IpAddr>().ok());
    parsed.filter_map(|address| Some((address, port?).into())).collect()
}

/// Leads connections to one of the ends that there are when they come.
fn listen(at: SocketAddr, known: Shared, stop: Arc<AtomicBool>) -> io::Result<()> {
    if let IpAddr::V4(address) = at.ip() {
        give_address(address);
    }
    let listener = TcpListener::bind(at)?;
    listener.set_nonblocking(true)?;
    thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            let Ok((stream, _)) = listener.accept() else {
                thread::sleep(Duration::from_millis(5));
                continue;
            };
            let end = lock(&known).ends.get(&at).and_then(|ends| ends.first().copied());
            // Without an end the connection is closed, as a refused one would be.
            let Some(end) = end else { continue };
            thread::spawn(move || {
                stream.set_nonblocking(false)?;
                both_ways(stream, TcpStream::connect(end)?)
            });
        }
    });
    Ok(())
}

/// Makes an address one of the node's own.
fn give_address(address: Ipv4Addr) {
    // It may have it already; a listener that can't be bound tells.
    let _ = Command::new("ip").args(["address", "add", &format!("{address}/32"), "dev", "lo"]).output();
}

fn lock(known: &Shared) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
