//! `rutter init`: a first package for a command, with the next steps as comments.

mod guess;
mod write;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::Args;
use rutter_core::{id::ProcessId, process::file};

/// Arguments of `rutter init`.
#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// Identifier of the process; the package is written to NAME/package.yaml.
    name: String,
    /// The command as one would type it, after `--`: values of its flags become inputs.
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Write a first package.
pub(crate) fn run(args: InitArgs) -> anyhow::Result<ExitCode> {
    let made = make(&args, &std::env::current_dir()?)?;
    println!("wrote {}", made.package.display());
    for (from, to) in &made.copied {
        println!("copied {} to {}", from.display(), to.display());
    }
    println!("check it:  rutter check {}", args.name);
    println!("serve it:  rutter serve --processes {}", args.name);
    Ok(ExitCode::SUCCESS)
}

/// What was written.
#[derive(Debug)]
pub(crate) struct Made {
    package: PathBuf,
    copied: Vec<(PathBuf, PathBuf)>,
}

/// Files of the command go into the package's folder with it: there the server finds them.
pub(crate) fn make(args: &InitArgs, here: &Path) -> anyhow::Result<Made> {
    let id: ProcessId =
        args.name.parse().map_err(|error| anyhow::anyhow!("the name {:?} {error}", args.name))?;
    let folder = here.join(id.as_str());
    let package = folder.join("package.yaml");
    for name in ["package.yaml", "package.yml", "package.json"] {
        if folder.join(name).symlink_metadata().is_ok() {
            bail!("{} is there already: remove it, or choose another name", folder.join(name).display());
        }
    }
    let guessed = guess::guess(&args.command, here, id.as_str())?;
    let text = write::package(id.as_str(), &guessed);
    fs::create_dir_all(&folder).with_context(|| format!("could not make the folder {}", folder.display()))?;
    let mut copied = Vec::new();
    for copy in &guessed.copies {
        let to = folder.join(&copy.to);
        if to.symlink_metadata().is_ok() {
            continue;
        }
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)
                .with_context(|| format!("could not make the folder {}", parent.display()))?;
        }
        fs::copy(&copy.from, &to).with_context(|| format!("could not copy {}", copy.from.display()))?;
        copied.push((copy.from.clone(), to));
    }
    // Made anew, so that nothing is overwritten that came meanwhile.
    let mut file =
        fs::File::create_new(&package).with_context(|| format!("could not write {}", package.display()))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let checked = file::check(&package);
    if let Err(faults) = checked.result {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        bail!("wrote {}, but it has faults; correct them:\n{}", package.display(), faults.join("\n"));
    }
    Ok(Made { package, copied })
}

#[cfg(test)]
mod tests;
