//! `rutter doctor`: what this machine has for jobs, what is missing, and what to do about it.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

/// Arguments of `rutter doctor`.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Folder of the data that would be used.
    #[arg(long, value_name = "DIR", default_value = "rutter-data")]
    data: PathBuf,
}

/// One finding.
enum Finding {
    Good(String),
    Note(String),
    Bad(String),
}

/// Look, and print a line each. Exit code 1 when something would keep the server from working.
pub(crate) fn run(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let findings = [machine(), data_folder(&args.data), socket_path(&args.data), open_files(), containers()];
    let mut bad = false;
    for finding in findings.into_iter().flatten() {
        match finding {
            Finding::Good(text) => println!("  ok    {text}"),
            Finding::Note(text) => println!("  note  {text}"),
            Finding::Bad(text) => {
                bad = true;
                println!("  BAD   {text}");
            }
        }
    }
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn machine() -> Vec<Finding> {
    let capacity = crate::serve::capacity(&crate::config::Config::default());
    vec![Finding::Good(format!(
        "jobs may use {} cores and {:.1} GB of memory (`local.cpus`, `local.memory`)",
        capacity.cpu_milli as f64 / 1000.0,
        capacity.memory_bytes as f64 / 1e9
    ))]
}

fn data_folder(path: &Path) -> Vec<Finding> {
    let existing = path.ancestors().find(|path| path.as_os_str().is_empty() || path.exists());
    let existing = existing.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut findings = Vec::new();
    match tempfile::Builder::new().prefix(".rutter-doctor").tempfile_in(existing) {
        Ok(_) => findings.push(Finding::Good(format!("{} can be written", existing.display()))),
        Err(error) => findings.push(Finding::Bad(format!(
            "{} can't be written ({error}); name another folder with --data",
            existing.display()
        ))),
    }
    if let Ok(disk) = rustix::fs::statvfs(existing) {
        let free = disk.f_bavail as f64 * disk.f_frsize as f64 / 1e9;
        let text = format!("{free:.1} GB are free there");
        findings.push(if free < 1.0 {
            Finding::Note(text + "; results need room")
        } else {
            Finding::Good(text)
        });
    }
    findings
}

/// The kernel takes socket paths of at most 107 bytes.
fn socket_path(path: &Path) -> Vec<Finding> {
    let Ok(socket) = std::path::absolute(path.join("agents.sock")) else { return Vec::new() };
    let length = socket.as_os_str().len();
    if length > 107 {
        return vec![Finding::Bad(format!(
            "{} has {length} bytes, Unix sockets take 107; name a shorter folder with --data",
            socket.display()
        ))];
    }
    Vec::new()
}

fn open_files() -> Vec<Finding> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    match limit.current {
        Some(files) if files < 12_000 => vec![Finding::Note(format!(
            "{files} files may be open at once; raise it (`ulimit -n 20000`) for more than {} connections",
            files.saturating_sub(200)
        ))],
        _ => vec![Finding::Good("10,000 connections may be open at once".into())],
    }
}

fn containers() -> Vec<Finding> {
    vec![Finding::Note(
        "`docker` units are not run by this version without a cluster; give packages a `command` unit".into(),
    )]
}
