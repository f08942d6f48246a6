//! `rutter convert`: packages and a `rutter.yaml` that stand for a file of pygeoapi, to go on with by hand.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;

/// Arguments of `rutter convert`.
#[derive(Args, Debug)]
pub(crate) struct ConvertArgs {
    /// pygeoapi's configuration file.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Folder for `rutter.yaml` and `processes/`; it must not have them yet.
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,
}

/// Write equivalent packages and settings.
pub(crate) fn run(args: &ConvertArgs) -> anyhow::Result<ExitCode> {
    let configuration = super::read(&args.file)?;
    let folder = args.output.join("processes");
    for taken in [args.output.join("rutter.yaml"), folder.clone()] {
        if taken.exists() {
            bail!("{} is there already; name an empty folder with --output", taken.display());
        }
    }
    fs::create_dir_all(&folder).with_context(|| format!("could not make {}", folder.display()))?;
    for remark in &configuration.remarks {
        eprintln!("{}:{remark}", args.file.display());
    }
    for converted in &configuration.processes {
        let name =
            if file_name(&converted.id) { converted.id.clone() } else { format!("line-{}", converted.line) };
        write(&folder.join(format!("{name}.yaml")), &converted.package)?;
    }
    let mut settings = super::settings(&configuration);
    settings["processes"] = serde_json::json!(["processes"]);
    write(&args.output.join("rutter.yaml"), &settings)?;
    Ok(ExitCode::SUCCESS)
}

fn file_name(id: &str) -> bool {
    !id.starts_with('.') && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn write(path: &Path, document: &Value) -> anyhow::Result<()> {
    let text = text(document)?;
    fs::write(path, text).with_context(|| format!("could not write {}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}

/// As YAML that is read as the same; where the writer of YAML errs, as JSON, which is YAML too.
pub(super) fn text(document: &Value) -> anyhow::Result<String> {
    let yaml = serde_saphyr::to_string(document).unwrap_or_default();
    match rutter_core::yaml::from_str::<Value>(&yaml) {
        Ok(read) if read == *document => Ok(yaml),
        _ => Ok(serde_json::to_string_pretty(document)? + "\n"),
    }
}
