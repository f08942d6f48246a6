//! `rutter check`: every fault of packages with its line, and the commands that sample inputs would give.

mod command_line;
mod render;
mod sample;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;
use rutter_core::{
    id::ProcessId,
    process::{
        Fault, Process, Runs,
        file::{self, Checked},
    },
};
use serde_json::{Value, json};

use crate::serve::ServeArgs;

/// Arguments of `rutter check`.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// Package files, folders of one package, or folders of packages.
    #[arg(required_unless_present = "pygeoapi", value_name = "FILE|FOLDER")]
    pub(crate) paths: Vec<PathBuf>,
    /// Check a configuration file of pygeoapi instead: what is understood, ignored, doubtful or left out.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["paths", "json"])]
    pub(crate) pygeoapi: Option<PathBuf>,
    /// Configuration file of the server that packages are for; ./rutter.yaml when it exists.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Check packages. The exit code is 1 when one has a fault.
pub(crate) fn run(args: CheckArgs) -> anyhow::Result<ExitCode> {
    if let Some(theirs) = &args.pygeoapi {
        return check_theirs(theirs, args.config.clone());
    }
    let config = match &args.config {
        // Whoever names it wants to know by what is measured.
        Some(file) => crate::config::load(Some(file), std::env::vars(), json!({}))?,
        None => crate::doctor::configuration(None).0,
    };
    let runs = crate::place::runs(&config, &crate::place::containers(&config));
    Ok(told(report(&args, &runs)?))
}

/// By the settings that a server would have with this file.
fn check_theirs(file: &Path, config: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let arguments = ServeArgs { config, pygeoapi: Some(file.to_owned()), ..ServeArgs::default() };
    let config = crate::serve::configuration(arguments)?;
    let runs = crate::place::runs(&config, &crate::place::containers(&config));
    let theirs = config.pygeoapi.as_ref().context("a file of pygeoapi was named")?;
    Ok(told(crate::pygeoapi::report(theirs, &runs)))
}

fn told((text, right): (String, bool)) -> ExitCode {
    use std::io::Write as _;
    // Whoever reads only the first lines (`| head`) is no reason to fail.
    let _ = std::io::stdout().write_all(text.as_bytes());
    if right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is printed, and whether all packages are right.
pub(crate) fn report(args: &CheckArgs, runs: &Runs) -> anyhow::Result<(String, bool)> {
    let mut packages = Vec::new();
    for path in &args.paths {
        let files = file::find(path).with_context(|| format!("could not read {}", path.display()))?;
        if files.is_empty() {
            anyhow::bail!(
                "{} has no packages: write *.yaml, *.yml or *.json files into it, or NAME/package.yaml",
                path.display()
            );
        }
        packages.extend(files.iter().map(|file| file::check_for(file, runs)));
    }
    refuse_doubles(&mut packages);
    let right = packages.iter().all(|package| package.result.is_ok());
    let text = if args.json { as_json(&packages, runs) } else { as_text(&packages, runs) };
    Ok((text, right))
}

/// Of two packages with one id, a server uses the first.
fn refuse_doubles(packages: &mut [Checked]) {
    let mut owners: BTreeMap<ProcessId, PathBuf> = BTreeMap::new();
    for package in packages {
        let Ok(process) = &package.result else { continue };
        let owner = owners.entry(process.id.clone()).or_insert_with(|| package.file.clone());
        if !same_file(owner, &package.file) {
            let message = format!("the process {} is defined in {} already", process.id, owner.display());
            package.result = Err(vec![Fault::of_file(&package.file, message)]);
        }
    }
}

fn same_file(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn as_text(packages: &[Checked], runs: &Runs) -> String {
    let mut out = String::new();
    for package in packages {
        match &package.result {
            Err(faults) => {
                faults.iter().for_each(|fault| render::finding(&mut out, "error", fault, &package.text));
                package
                    .notices
                    .iter()
                    .for_each(|notice| render::finding(&mut out, "notice", notice, &package.text));
                out.push_str(&format!(
                    "{}: {}\n\n",
                    package.file.display(),
                    render::count(faults.len(), "fault")
                ));
            }
            Ok(process) => {
                package
                    .notices
                    .iter()
                    .for_each(|notice| render::finding(&mut out, "notice", notice, &package.text));
                right(&mut out, package, process, runs);
            }
        }
    }
    out
}

fn right(out: &mut String, package: &Checked, process: &Process, runs: &Runs) {
    let summary = &process.description.summary;
    out.push_str(&format!("{}: process {} {} is right", package.file.display(), process.id, summary.version));
    match package.notices.len() {
        0 => out.push('\n'),
        notices => out.push_str(&format!(", with {}\n", render::count(notices, "notice"))),
    }
    if let Some(line) = runs.why_not(process) {
        out.push_str(&format!("  # it is not run here: {line}\n"));
    }
    for sample in sample::samples(process) {
        out.push_str(&format!("  # {}\n", sample.title));
        match command_line::lines(process, &sample.request) {
            Ok(lines) => lines.iter().for_each(|line| out.push_str(&format!("  {line}\n"))),
            Err(reason) => out.push_str(&format!("  # {reason}\n")),
        }
    }
    out.push('\n');
}

fn as_json(packages: &[Checked], runs: &Runs) -> String {
    let packages: Vec<Value> = packages.iter().map(|package| package_json(package, runs)).collect();
    let mut text = format!("{:#}", json!({ "packages": packages }));
    text.push('\n');
    text
}

fn package_json(package: &Checked, runs: &Runs) -> Value {
    let mut document =
        json!({"file": package.file, "right": package.result.is_ok(), "notices": package.notices});
    match &package.result {
        Err(faults) => document["faults"] = json!(faults),
        Ok(process) => {
            document["id"] = json!(process.id);
            document["version"] = json!(process.description.summary.version);
            if let Some(line) = runs.why_not(process) {
                document["notRunHere"] = json!(line);
            }
            let samples = sample::samples(process).into_iter().map(|sample| {
                let lines = command_line::lines(process, &sample.request).unwrap_or_default();
                json!({"title": sample.title, "inputs": sample.request.inputs, "commands": lines})
            });
            document["samples"] = samples.collect();
        }
    }
    document
}

#[cfg(test)]
mod tests;
