//! All processes that descend from this one. The agent is a sub-reaper, so what daemonises stays below it.

use std::path::Path;
use std::sync::OnceLock;

/// Process ids of all descendants, as far as they are seen in one look.
pub(crate) fn descendants() -> Vec<u32> {
    static LISTED: OnceLock<bool> = OnceLock::new();
    let own = std::process::id();
    // CONFIG_PROC_CHILDREN is missing in some kernels.
    let listed = *LISTED.get_or_init(|| Path::new(&format!("/proc/self/task/{own}/children")).exists());
    if listed { by_lists(own) } else { by_parents(own) }
}

fn by_lists(own: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut look = vec![own];
    while let Some(process) = look.pop() {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { continue };
        for thread in threads.flatten() {
            let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            let children = children.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok());
            for child in children {
                found.push(child);
                look.push(child);
            }
        }
    }
    found
}

fn by_parents(own: u32) -> Vec<u32> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let pairs: Vec<(u32, u32)> = pids.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut found = Vec::new();
    let mut look = vec![own];
    while let Some(process) = look.pop() {
        for (child, _) in pairs.iter().filter(|(_, parent)| *parent == process) {
            found.push(*child);
            look.push(*child);
        }
    }
    found
}

/// Field 4 of `/proc/<pid>/stat`, counted behind the name.
fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    #[test]
    fn both_ways_see_children() {
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let own = std::process::id();
        assert!(super::by_lists(own).contains(&child.id()));
        assert!(super::by_parents(own).contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
