//! The one task runner. Each task is a file; none needs more than cargo and what it installs itself.

mod bench;
mod blocks;
mod cluster;
mod demo;
mod deployed;
mod dist;
mod lint;
mod python;
mod schemas;
mod shell;
mod test;

use clap::{Parser, Subcommand};

/// Tasks of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the server and run the flood example on the shipped elevation model.
    Demo {
        /// Arguments of `rutter demo`, such as --once.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run all tests: lints, unit, end-to-end, real clients, the README's blocks.
    Test {
        /// Also run what is too slow for every change.
        #[arg(long)]
        full: bool,
        /// Run only these, by arguments of `cargo test`, such as -p rutter-e2e --test kube logs.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, conflicts_with = "full")]
        only: Vec<String>,
    },
    /// Check formatting, lints, dependency policy and generated files.
    Lint,
    /// Write the generated files below schemas/.
    Schemas,
    /// Build the programs as they are shipped, static, and pack them: a tarball and the image.
    Dist,
    /// Do what docs/kubernetes.md says, on the Kubernetes of the tests.
    Deployed {
        /// The image, as `cargo xtask dist` packs it; built when missing.
        #[arg(long)]
        image: Option<std::path::PathBuf>,
    },
    /// The Kubernetes of the tests, to play with.
    Cluster {
        #[command(subcommand)]
        task: cluster::Task,
    },
    /// Measure the figures of docs/benchmarks.md.
    Bench {
        /// Where jobs run.
        #[arg(value_enum, default_value = "local")]
        place: bench::Where,
        /// Stored jobs in the large store.
        #[arg(long, default_value_t = 1_000_000)]
        jobs: u64,
    },
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().task {
        Task::Demo { args } => demo::run(&args),
        Task::Test { full, only } if only.is_empty() => test::run(full),
        Task::Test { only, .. } => test::only(&only),
        Task::Lint => lint::run(),
        Task::Schemas => schemas::write(),
        Task::Dist => dist::run().map(|_| ()),
        Task::Deployed { image } => deployed::run(image),
        Task::Cluster { task } => cluster::run(task),
        Task::Bench { place, jobs } => bench::run(place, jobs),
    }
}
