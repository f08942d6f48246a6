//! What the kernel says about processes.

use std::{fs, path::Path, time::Duration};

use anyhow::Context;

/// A figure of `/proc/<pid>/status`, bytes.
pub(crate) fn memory(pid: u32, figure: &str) -> anyhow::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find(|line| line.starts_with(figure));
    let number =
        line.and_then(|line| line.split_whitespace().nth(1)).and_then(|word| word.parse::<u64>().ok());
    Ok(number.with_context(|| format!("the kernel does not tell {figure} of process {pid}"))? * 1024)
}

/// Let the peak of resident memory (`VmHWM`) begin anew.
pub(crate) fn forget_peak(pid: u32) -> anyhow::Result<()> {
    Ok(fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}

/// Time on a processor, all threads that live.
pub(crate) fn processor_time(pid: u32) -> anyhow::Result<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        nanoseconds += text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Processes whose environment names this folder: agents of a server there, and their commands.
pub(crate) fn of_folder(folder: &Path) -> Vec<u32> {
    let needle = folder.as_os_str().as_encoded_bytes();
    let names = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.file_name());
    names
        .filter_map(|name| name.to_str()?.parse().ok())
        .filter(|pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.windows(needle.len()).any(|window| window == needle)
        })
        .collect()
}

/// Whether a process is an agent.
pub(crate) fn is_agent(pid: u32) -> bool {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    // The server's own program as an agent, or the agent's that lies beside it.
    words.ends_with(b"\0agent\0") || words.ends_with(b"/rutter-agent\0")
}
