//! A real Kubernetes for tests: API server, controllers, scheduler, etcd, containerd and a kubelet, started in seconds on one
//! Linux machine, without an engine, a registry or a virtual machine.
//!
//! A fake API server shows what its author believed; the faults that matter (a node lost, a watch that expired, a container
//! out of memory) are shown by the real parts only. So tests get the real parts, and ways to break each of them.
//!
//! ```no_run
//! # fn main() -> Result<(), rutter_testcluster::Error> {
//! use rutter_testcluster::{Cluster, Component, Image, Options};
//!
//! let cluster = Cluster::up(Options::new())?;
//! cluster.import(&Image::busybox("localhost/tools:1").file("/bin/work", "target/debug/work", 0o755))?;
//! cluster.kubectl(["run", "hello", "--image=localhost/tools:1", "--restart=Never", "--", "echo", "hello"])?;
//! cluster.kubectl(["wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/hello", "--timeout=60s"])?;
//! cluster.restart(Component::ApiServer)?;
//! let mut server = cluster.command("target/debug/rutter").arg("serve").spawn().unwrap();
//! # server.kill().unwrap();
//! # Ok(()) }
//! // Dropped: everything is gone again.
//! ```
//!
//! All of a cluster lives in namespaces of its own, so several run side by side. What a test starts joins the network by
//! [`Cluster::command`], the test itself by [`Cluster::enter_network`].

mod cluster;
mod component;
mod config;
mod cut;
mod dockerfile;
mod error;
mod etcd;
mod forward;
mod holder;
mod http;
mod image;
mod kubectl;
mod layout;
mod node;
mod options;
mod pods;
mod prepare;
mod process;
mod registry;
mod run;
mod services;

pub use cluster::Cluster;
pub use component::Component;
pub use cut::Cut;
pub use error::Error;
pub use forward::Forward;
pub use image::{Image, header};
pub use layout::ADDRESS;
pub use node::FakeNode;
pub use options::Options;
pub use prepare::{prepare, usable};
pub use registry::Registry;
pub use services::Services;
