//! pygeoapi's configuration files in place of our own: who leaves its Kubernetes managers changes the image and nothing else.
//!
//! The file becomes two things: settings, which stand below those of `rutter.yaml`, variables and flags; and packages, which
//! are written into the data folder and loaded from there like any others.

pub(crate) mod convert;
mod settings;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rutter_core::process::{Fault, Process, Runs, package};
use rutter_pygeoapi::{Configuration, Converted, Level};
use serde_json::Value;

use crate::config::Pygeoapi;

pub(crate) use settings::settings;

/// Where images of pygeoapi have their file.
const USUAL: &str = "/pygeoapi/local.config.yml";
/// Variable that names it.
const VARIABLE: &str = "PYGEOAPI_CONFIG";
/// Longest file that is read.
const LONGEST: u64 = 16 * 1024 * 1024;

/// The file that is meant: as named, else by the variable, else where the images of pygeoapi have it.
pub(crate) fn file(named: Option<PathBuf>) -> Option<PathBuf> {
    let usual = Path::new(USUAL);
    named
        .or_else(|| variable(VARIABLE).map(PathBuf::from))
        .or_else(|| usual.is_file().then(|| usual.to_owned()))
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Read a file; its faults are lines with place and remedy.
pub(crate) fn read(file: &Path) -> anyhow::Result<Configuration> {
    let unreadable = || format!("{}: can't be read; name pygeoapi's configuration file", file.display());
    let size = std::fs::metadata(file).with_context(unreadable)?.len();
    if size > LONGEST {
        bail!("{}: has {size} bytes, {LONGEST} are allowed: this is no configuration", file.display());
    }
    let bytes = std::fs::read(file).with_context(unreadable)?;
    let text = String::from_utf8(bytes)
        .with_context(|| format!("{}: is no text in UTF-8; write it so", file.display()))?;
    rutter_pygeoapi::read(&text, file, &|name| std::env::var(name).ok()).map_err(told)
}

fn told(faults: Vec<Fault>) -> anyhow::Error {
    let lines: Vec<String> = faults.iter().map(|fault| fault.to_string().trim_end().to_owned()).collect();
    anyhow::anyhow!("{}", lines.join("\n"))
}

/// What is taken from a configuration beside its settings.
pub(crate) fn taken(file: PathBuf, configuration: Configuration) -> Pygeoapi {
    let Configuration { processes, remarks, .. } = configuration;
    let token = variable("PYGEOAPI_K8S_MANAGER_API_TOKEN");
    Pygeoapi { file, processes, remarks, token, bucket_key: settings::bucket_key() }
}

/// Beginning of the names of 52North's Jobs.
pub(crate) fn job_name_prefix() -> Option<String> {
    variable("PYGEOAPI_K8S_MANAGER_JOB_NAME_PREFIX")
}

/// Say what is doubtful or left out, once, at the start.
pub(crate) fn tell(theirs: &Pygeoapi) {
    let file = theirs.file.display();
    for remark in theirs.remarks.iter().filter(|remark| remark.level >= Level::Doubt) {
        tracing::warn!("{file}:{remark}");
    }
    if let Some(missing) = settings::missing_of_the_bucket() {
        tracing::warn!("logs are not copied into a bucket: {missing} is not set");
    }
    let unprotected = settings::unprotected(&theirs.processes);
    if !unprotected.is_empty() {
        let processes = unprotected.join(", ");
        tracing::info!(
            processes,
            "pods without the protection of the level `baseline`, as the file asks; set kubernetes.weakestSecurity to refuse them"
        );
    }
    let ids: Vec<&str> = theirs.processes.iter().map(|process| process.id.as_str()).collect();
    tracing::info!(%file, processes = ids.join(", "), "processes are taken from pygeoapi's configuration");
}

/// Write packages into a folder that holds nothing else.
pub(crate) fn write(folder: &Path, processes: &[Converted]) -> anyhow::Result<()> {
    let failed = || format!("data: could not write packages into {}", folder.display());
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).with_context(failed),
        _ => std::fs::create_dir_all(folder).with_context(failed)?,
    }
    for (at, process) in processes.iter().enumerate() {
        // Ids are the file's own text, so they name no file.
        let path = folder.join(format!("{at:04}.json"));
        std::fs::write(path, serde_json::to_vec_pretty(&process.package)?).with_context(failed)?;
    }
    Ok(())
}

/// The process that a package makes.
pub(crate) fn process(package: &Value) -> Result<Process, Vec<Fault>> {
    package::parse(&package.to_string(), Path::new("package"), None).map(|(process, _)| process)
}

/// What `rutter check --pygeoapi` prints, and whether every process can be offered by a server that `runs` these.
pub(crate) fn report(theirs: &Pygeoapi, runs: &Runs) -> (String, bool) {
    let Pygeoapi { file, processes, remarks, .. } = theirs;
    let mut out = String::new();
    let mut right = true;
    for remark in remarks {
        out.push_str(&format!("{}:{remark}\n", file.display()));
    }
    for converted in processes {
        let place = format!("{}:{}: {}", file.display(), converted.line, converted.id);
        let allowed = process(&converted.package).and_then(|process| match runs.faults_of(&process, file) {
            faults if faults.is_empty() => Ok(process),
            faults => Err(faults),
        });
        match allowed {
            Ok(process) => out.push_str(&format!("{place}: {}\n", describe(&process))),
            Err(faults) => {
                right = false;
                for fault in faults {
                    let hint = fault.remedy.as_deref().map(|it| format!("; {it}")).unwrap_or_default();
                    out.push_str(&format!("{place}: error: {}: {}{hint}\n", fault.path, fault.message));
                }
            }
        }
    }
    let offered = processes.len();
    out.push_str(&format!(
        "{}: {} {}, {} {}\n",
        file.display(),
        offered,
        if offered == 1 { "process" } else { "processes" },
        remarks.len(),
        if remarks.len() == 1 { "remark" } else { "remarks" },
    ));
    (out, right)
}

fn describe(process: &Process) -> String {
    let names = |names: Vec<String>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let inputs = names(process.description.inputs.keys().cloned().collect());
    let outputs = names(process.description.outputs.keys().cloned().collect());
    let token = if process.caller_token { "; asks for the token" } else { "" };
    format!("offered; inputs: {inputs}; outputs: {outputs}{token}")
}

#[cfg(test)]
mod tests;
