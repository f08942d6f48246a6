//! The binary `rutter`: the server, what package authors need, and (hidden) what the server starts itself.

mod adopt;
mod check;
mod config;
mod containers;
mod demo;
mod doctor;
mod examples;
mod files;
mod init;
mod log_bucket;
mod logging;
mod low_port;
mod place;
mod pygeoapi;
mod release;
mod schemas;
mod serve;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand};

/// OGC API - Processes server: any command becomes a standard web process.
#[derive(Parser)]
#[command(name = "rutter", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the processes of one or more folders.
    Serve(serve::ServeArgs),
    /// Run the flood example through HTTP on the shipped elevation model, and leave the server running.
    Demo(demo::DemoArgs),
    /// Check application packages, and show the commands that sample inputs would give.
    Check(check::CheckArgs),
    /// Write packages and settings that stand for a configuration file of pygeoapi.
    Convert(pygeoapi::convert::ConvertArgs),
    /// Show the Jobs that 52North's or EOX's server left, and take them over.
    Adopt(adopt::AdoptArgs),
    /// Write a first package for a command.
    Init(init::InitArgs),
    /// Say what is missing on this machine.
    Doctor(doctor::DoctorArgs),
    /// Let go of the Jobs of an installation on Kubernetes, before it is uninstalled.
    Release(release::ReleaseArgs),
    /// Print a generated document: `config` (JSON Schema of rutter.yaml) or `openapi` (of the shipped packages).
    #[command(hide = true)]
    Schema(schemas::SchemaArgs),
    /// Supervise one attempt of a job; started by the server.
    #[command(hide = true)]
    Agent,
    /// Programs of the example packages.
    #[command(hide = true, disable_help_flag = true)]
    Example {
        /// Program and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    // Agents and examples are started once per job: they go their way before anything else is set up.
    let outcome = match Cli::parse().command {
        Command::Agent => return rutter_agent::main_from_env(),
        Command::Example { args } => {
            return rutter_examples::run(std::iter::once("rutter example".into()).chain(args));
        }
        Command::Serve(args) => serve::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Check(args) => check::run(args),
        Command::Convert(args) => pygeoapi::convert::run(&args),
        Command::Adopt(args) => adopt::run(args),
        Command::Init(args) => init::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Release(args) => release::run(args),
        Command::Schema(args) => schemas::run(args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("rutter: {error:#}");
        ExitCode::FAILURE
    })
}
