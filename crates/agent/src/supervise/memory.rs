//! Memory of the command's processes: what is theirs alone (anonymous, shared and swapped pages), not the page cache,
//! which the kernel takes back by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::tree::descendants;

const CLOSE: Duration = Duration::from_millis(50);
const FAR: Duration = Duration::from_millis(250);
const UNLIMITED: Duration = Duration::from_secs(1);
/// A look may cost this part of the time between two looks.
const COST: u32 = 20;

/// Greatest memory seen.
#[derive(Debug, Default)]
pub(crate) struct Peak {
    /// Anonymous, shared and swapped, bytes.
    own: AtomicU64,
    /// Pages of mapped files, bytes.
    files: AtomicU64,
}

impl Peak {
    pub(crate) fn own(&self) -> u64 {
        self.own.load(Ordering::Relaxed)
    }

    pub(crate) fn raise(&self, bytes: u64) {
        self.own.fetch_max(bytes, Ordering::Relaxed);
    }

    /// What the greatest resident size of a process, as the kernel kept it, says about its own memory: mapped files
    /// are in that number, so what was seen of them is taken off.
    pub(crate) fn own_of_resident(&self, resident: u64) -> u64 {
        resident.saturating_sub(self.files.load(Ordering::Relaxed))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    own: u64,
    files: u64,
}

/// Looks again and again; returns when the limit is passed.
pub(crate) async fn passed(limit: Option<u64>, peak: Arc<Peak>) {
    let mut pause = if limit.is_some() { CLOSE } else { UNLIMITED };
    loop {
        tokio::time::sleep(pause).await;
        let started = Instant::now();
        let size = look(limit);
        peak.raise(size.own);
        peak.files.fetch_max(size.files, Ordering::Relaxed);
        match limit {
            Some(limit) if size.own > limit => return,
            Some(limit) => pause = if size.own > limit / 4 { CLOSE } else { (pause * 2).min(FAR) },
            None => {}
        }
        pause = pause.max(started.elapsed() * COST);
    }
}

/// The whole tree. Pages shared by forked processes are in the quick sum as often as there are processes; when that
/// sum passes the limit, the kernel is asked for the exact one.
fn look(limit: Option<u64>) -> Size {
    let processes = descendants();
    let mut sum = Size::default();
    for size in processes.iter().filter_map(|pid| quick(*pid)) {
        sum.own += size.own;
        sum.files = sum.files.max(size.files);
    }
    if processes.len() > 1 && limit.is_some_and(|limit| sum.own > limit) {
        sum.own =
            processes.iter().filter_map(|pid| exact(*pid).or_else(|| quick(*pid).map(|size| size.own))).sum();
    }
    sum
}

fn quick(pid: u32) -> Option<Size> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let own = sum_of(&status, &["RssAnon:", "RssShmem:", "VmSwap:"]);
    Some(Size { own, files: sum_of(&status, &["RssFile:"]) })
}

fn exact(pid: u32) -> Option<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    Some(sum_of(&rollup, &["Pss_Anon:", "Pss_Shmem:", "SwapPss:"]))
}

/// Adds the lines `Name:   123 kB`, in bytes.
fn sum_of(text: &str, names: &[&str]) -> u64 {
    let value = |line: &str| line.split_ascii_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok());
    let wanted = text.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
    wanted.filter_map(value).map(|kib| kib * 1024).sum()
}

/// How often the kernel has ended a process of this control group for want of memory.
pub(crate) fn kernel_kills() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let read = |file: String| kills_in(&std::fs::read_to_string(file).ok()?);
    places(&groups).into_iter().find_map(read)
}

/// Files that may tell, by the lines of `/proc/self/cgroup`: version 2, then version 1. In a container the group's own
/// folder may be mounted as the root, whatever the path says.
fn places(groups: &str) -> Vec<String> {
    let of = |wanted: &dyn Fn(&str) -> bool| {
        groups.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            wanted(controllers).then_some(path.trim_end_matches('/'))
        })
    };
    let mut files = Vec::new();
    let mut add = |path: Option<&str>, root: &str, file: &str| {
        files.extend(path.map(|path| format!("{root}{path}/{file}")));
        files.push(format!("{root}/{file}"));
    };
    let second = of(&str::is_empty);
    add(second, "/sys/fs/cgroup", "memory.events");
    add(second, "/sys/fs/cgroup/unified", "memory.events");
    let first = of(&|controllers| controllers.split(',').any(|name| name == "memory"));
    add(first, "/sys/fs/cgroup/memory", "memory.oom_control");
    files
}

fn kills_in(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_memory_is_seen() {
        let ballast = vec![1_u8; 32 << 20];
        let pid = std::process::id();
        assert!(quick(pid).unwrap().own > 32 << 20);
        assert!(exact(pid).unwrap() > 32 << 20);
        assert_eq!(ballast.iter().map(|byte| u64::from(*byte)).sum::<u64>(), 32 << 20);
    }

    #[test]
    fn kills_are_looked_for_where_either_version_keeps_them() {
        let hybrid = "9:memory:/kubepods/pod1/abc\n1:name=systemd:/\n0::/kubepods\n";
        assert_eq!(
            places(hybrid),
            [
                "/sys/fs/cgroup/kubepods/memory.events",
                "/sys/fs/cgroup/memory.events",
                "/sys/fs/cgroup/unified/kubepods/memory.events",
                "/sys/fs/cgroup/unified/memory.events",
                "/sys/fs/cgroup/memory/kubepods/pod1/abc/memory.oom_control",
                "/sys/fs/cgroup/memory/memory.oom_control",
            ]
        );
        assert_eq!(kills_in("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), Some(3));
        assert_eq!(kills_in("low 0\nmax 2\noom 1\noom_kill 1\noom_group_kill 0\n"), Some(1));
        assert_eq!(kills_in("under_oom 0\n"), None);
    }

    #[test]
    fn mapped_files_do_not_count() {
        let peak = Peak::default();
        peak.files.store(700, Ordering::Relaxed);
        assert_eq!(peak.own_of_resident(1000), 300);
        assert_eq!(peak.own_of_resident(500), 0);
    }
}
