//! Programs of the example packages: `echo`, `countdown` and `flood-extent`.
//!
//! They live in a library so that the server's own binary can run them (`rutter example …`): the example packages then work
//! on any machine without anything else being installed. They know nothing of the server: they are ordinary programs that keep
//! to the contract between a package and its command (files named by `RUTTER_INPUTS_FILE`, `RUTTER_OUT`, `RUTTER_PROGRESS`).

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub mod contract;
mod countdown;
mod echo;
pub mod flood;

/// Runs one example program.
///
/// `args` are the command line as the operating system gives it, the program's name first. The exit code is 0 on success,
/// 1 when the program failed (one line on standard error says why and what to change), 2 when the command line is wrong.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let program = match Programs::try_parse_from(args) {
        Ok(program) => program,
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    match start(program.program) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "{}", one_line(&error)));
            ExitCode::FAILURE
        }
    }
}

#[derive(Parser)]
#[command(name = "rutter example", about = "Programs of the example packages")]
struct Programs {
    #[command(subcommand)]
    program: Program,
}

#[derive(Subcommand)]
enum Program {
    /// Gives the inputs of the process `echo` back
    Echo,
    /// Counts seconds down and reports progress
    Countdown {
        /// How many seconds to count
        #[arg(long)]
        seconds: u32,
    },
    /// Floods an elevation model from a seed point up to a level
    FloodExtent {
        /// Elevation model, a GeoTIFF with one band
        #[arg(long)]
        dem: PathBuf,
        /// Water level in metres
        #[arg(long, allow_negative_numbers = true)]
        level: f64,
        /// Seed: a GeoJSON Point in CRS84, or `lon,lat`
        #[arg(long, allow_hyphen_values = true)]
        seed: String,
        /// Folder for depth.tif, extent.geojson and summary.json
        #[arg(long, env = "RUTTER_OUT")]
        out: PathBuf,
    },
}

fn start(program: Program) -> anyhow::Result<()> {
    let mut progress = contract::Progress::from_env();
    match program {
        Program::Echo => echo::run(&contract::Inputs::from_env()?, &contract::out_from_env()?),
        Program::Countdown { seconds } => countdown::run(seconds, &contract::out_from_env()?, &mut progress),
        Program::FloodExtent { dem, level, seed, out } => {
            let seed = flood::Seed::parse(&seed)?;
            flood::run(&flood::Request { dem, level, seed, out }, &mut progress)?;
            Ok(())
        }
    }
}

/// The error and its causes on one line, which becomes the message of the failed job. Causes that the text already names are
/// not said twice.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = cause;
        } else if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[&str]) -> impl Iterator<Item = OsString> {
        words.iter().map(OsString::from).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn a_wrong_command_line_is_told_apart_from_a_failed_program() {
        assert_eq!(run(args(&["x", "no-such-program"])), ExitCode::from(2));
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().to_str().unwrap();
        let flood = [
            "x",
            "flood-extent",
            "--dem",
            "/nonexistent.tif",
            "--level",
            "-3",
            "--seed",
            "-84,36",
            "--out",
            out,
        ];
        assert_eq!(run(args(&flood)), ExitCode::FAILURE);
    }
}
