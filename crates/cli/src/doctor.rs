//! `rutter doctor`: what this machine has for jobs, what is missing, and what to do about it.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

use crate::config::{Config, ExecutorKind};

/// Connections that a public server should be able to hold.
const MANY: usize = 10_000;

/// Arguments of `rutter doctor`.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Configuration file; ./rutter.yaml when it exists.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the data that would be used [default: as configured, or ./rutter-data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// One finding.
pub(crate) enum Finding {
    Good(String),
    Note(String),
    Bad(String),
}

/// Look, and print a line each. Exit code 1 when something would keep the server from working.
pub(crate) fn run(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let (config, read) = configuration(args.config);
    let data = args.data.or_else(|| config.data.clone()).unwrap_or_else(|| "rutter-data".into());
    let findings = [
        read,
        machine(&config),
        data_folder(&data),
        socket_path(&data),
        open_files(crate::files::hard_limit()),
        links(&config),
        containers(&config),
    ];
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

/// What `rutter serve` would read here; the defaults where that can't be used.
pub(crate) fn configuration(file: Option<PathBuf>) -> (Config, Vec<Finding>) {
    let file = file.or_else(crate::config::usual_file);
    match crate::config::load(file.as_deref(), std::env::vars(), serde_json::json!({})) {
        Ok(config) => {
            let said = file.map(|file| Finding::Good(format!("{} can be used", file.display())));
            (config, said.into_iter().collect())
        }
        Err(error) => (Config::default(), vec![Finding::Bad(error.to_string())]),
    }
}

fn machine(config: &Config) -> Vec<Finding> {
    if config.executor != ExecutorKind::Local {
        return Vec::new();
    }
    let capacity = crate::place::capacity(config);
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

/// The server raises its soft limit by itself: what binds is the hard one.
fn open_files(hard_limit: Option<u64>) -> Vec<Finding> {
    let connections = crate::files::connections(hard_limit);
    if connections >= MANY {
        return vec![Finding::Good("10,000 connections may be open at once".into())];
    }
    vec![Finding::Note(format!(
        "only {connections} connections may be open at once: the hard limit of open files is {}; for 10,000 raise it to \
         20000 (`LimitNOFILE=20000` in a systemd unit, `ulimit -Hn 20000` in a root shell)",
        hard_limit.unwrap_or_default()
    ))]
}

fn links(config: &Config) -> Vec<Finding> {
    let address = config.server.listen.parse().ok();
    let blind = address.and_then(|address| config.server.blind_links(address));
    blind.map(Finding::Note).into_iter().collect()
}

fn containers(config: &Config) -> Vec<Finding> {
    if config.executor == ExecutorKind::Kubernetes {
        let text = "jobs run on the cluster (`executor: kubernetes`), which this does not look at; `command` units are not run";
        return vec![Finding::Note(text.into())];
    }
    let finding = match crate::containers::find(&config.local) {
        Err(lacks) => Finding::Note(format!("`docker` units are not run: {lacks}")),
        Ok(found) => match found.engine.version() {
            Ok(version) => Finding::Good(format!("`docker` units run in containers: {version}")),
            Err(error) => Finding::Bad(format!("{error}; repair it, or set `local.containerEngine: none`")),
        },
    };
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ContainerEngine;

    #[test]
    fn a_low_hard_limit_is_told_with_its_remedy() {
        assert!(matches!(&open_files(None)[..], [Finding::Good(_)]));
        assert!(matches!(&open_files(Some(20_000))[..], [Finding::Good(_)]));
        let [Finding::Note(text)] = &open_files(Some(4096))[..] else { panic!("a note") };
        for piece in ["3072 connections", "4096", "LimitNOFILE=20000"] {
            assert!(text.contains(piece), "{piece:?} is missing: {text}");
        }
    }

    #[test]
    fn what_is_told_of_jobs_is_of_where_they_run() {
        let mut config = Config::default();
        let told = |config: &Config| {
            let findings = machine(config).into_iter().chain(containers(config));
            let text = |finding| match finding {
                Finding::Good(text) | Finding::Note(text) | Finding::Bad(text) => text,
            };
            findings.map(text).collect::<Vec<_>>().join("\n")
        };
        config.local.container_engine = ContainerEngine::None;
        assert!(told(&config).contains("local.cpus") && told(&config).contains("`docker` units are not run"));
        config.executor = ExecutorKind::Kubernetes;
        assert!(!told(&config).contains("local.") && told(&config).contains("on the cluster"));
    }
}
