//! Cut lines: pods that reach the server no more, though everything else goes on.

use std::process::Command;

use crate::{cluster::Cluster, error::Error, run};

/// A cut line. It is mended by [`Cut::mend`] or when dropped.
#[derive(Debug)]
pub struct Cut {
    network: String,
    rule: Option<Vec<String>>,
}

impl Cluster {
    /// Swallow silently whatever this pod sends to the port of what listens on the node, on open connections, too.
    pub fn cut_pod(&self, pod: &str, port: u16) -> Result<Cut, Error> {
        let path = "jsonpath={.status.podIP}";
        let address = self.kubectl(["get", "pod", pod, "--output", path])?;
        if address.is_empty() {
            return Err(Error::Unreadable { what: "the pod's address", text: pod.into() });
        }
        self.cut(&address, port)
    }

    /// The same for all pods.
    pub fn cut_all_pods(&self, port: u16) -> Result<Cut, Error> {
        self.cut("10.244.0.0/24", port)
    }

    fn cut(&self, from: &str, port: u16) -> Result<Cut, Error> {
        let port = port.to_string();
        // The node's own calls come from within the same range, by the loopback interface.
        let rule = ["INPUT", "-i", "cni0", "-s", from, "-p", "tcp", "--dport", &port, "-j", "DROP"];
        let rule: Vec<String> = rule.map(str::to_owned).into();
        let network = format!("--net={}", self.holder.network().display());
        run::output(&mut iptables(&network, "-I", &rule), None)?;
        Ok(Cut { network, rule: Some(rule) })
    }
}

impl Cut {
    /// Let everything through again.
    pub fn mend(mut self) -> Result<(), Error> {
        self.remove()
    }

    fn remove(&mut self) -> Result<(), Error> {
        let Some(rule) = self.rule.take() else { return Ok(()) };
        run::output(&mut iptables(&self.network, "-D", &rule), None).map(drop)
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        // The cluster may have ended before.
        let _ = self.remove();
    }
}

fn iptables(network: &str, action: &str, rule: &[String]) -> Command {
    let mut command = Command::new("nsenter");
    // Without -w a second call at the same time fails.
    command.args([network, "--", "iptables", "-w", action]).args(rule);
    command
}
