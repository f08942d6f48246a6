//! `cargo xtask bench`: every figure is a ratio to a reference measured in the same run on the same machine.
//!
//! References: a bare axum handler that sends the same bytes, a loop of durable inserts, fork and exec of the same command.

mod fill;
mod folder;
mod jobs;
mod kube;
mod load;
mod memory;
mod proc;
mod reads;
mod reference;
mod report;
mod runs;
mod scale;
mod server;
mod stream;
mod submissions;

use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, ValueEnum};

use crate::{folder::Folder, report::Report, scale::Scale};

/// Measures a built server against references of the same run; prints a table in Markdown.
#[derive(Parser)]
struct Args {
    /// The built server.
    #[arg(long, required_unless_present = "bare")]
    rutter: Option<PathBuf>,
    /// The built agent, to tell its size.
    #[arg(long)]
    agent: Option<PathBuf>,
    /// Stored jobs in the large store [default: 1000000, with --quick 2000].
    #[arg(long)]
    jobs: Option<u64>,
    /// Measure on a Kubernetes of its own instead; needs root.
    #[arg(long, conflicts_with = "only")]
    kube: bool,
    /// Only these parts; may be given several times.
    #[arg(long)]
    only: Vec<Part>,
    /// Small counts: whether everything works, not how fast.
    #[arg(long)]
    quick: bool,
    /// Be the reference for reads: answer every GET with the bytes of this file.
    #[arg(long, hide = true)]
    bare: Option<PathBuf>,
}

/// A part of the table.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// GET of descriptions, statuses and pages of the job list.
    Reads,
    /// POST, asynchronous and durable.
    Submissions,
    /// Jobs to their end.
    Runs,
    /// Start, memory, the agent.
    Memory,
}

/// What every part is told.
pub(crate) struct Bench {
    /// The built server.
    pub(crate) rutter: PathBuf,
    /// The built agent.
    pub(crate) agent: Option<PathBuf>,
    /// How much is measured.
    pub(crate) scale: Scale,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let Some(file) = args.bare {
        return reference::be_the_bare_handler(&file);
    }
    let scale = if args.quick { Scale::quick() } else { Scale::full() };
    let bench = Bench {
        rutter: args.rutter.context("--rutter is missing")?,
        agent: args.agent,
        scale: Scale { jobs: args.jobs.unwrap_or(scale.jobs), ..scale },
    };
    let mut report = Report::default();
    if args.kube {
        kube::measure(&bench, &mut report)?;
        report.print();
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(&bench, &args.only, &mut report))?;
    report.print();
    Ok(())
}

async fn measure(bench: &Bench, only: &[Part], report: &mut Report) -> anyhow::Result<()> {
    let wants = |part| only.is_empty() || only.contains(&part);
    if wants(Part::Reads) || wants(Part::Submissions) {
        let mut pages = reads::Pages::default();
        for stored in [1_000, bench.scale.jobs] {
            let mut folder = Folder::new()?;
            let filled = fill::fill(&folder.data(), stored).await?;
            if wants(Part::Reads) {
                folder = reads::measure(bench, folder, &filled, &mut pages, report).await?;
            }
            if wants(Part::Submissions) {
                submissions::measure(bench, folder, stored, report).await?;
            }
        }
        pages.compare(report);
    }
    if wants(Part::Runs) {
        runs::measure(bench, report).await?;
    }
    if wants(Part::Memory) {
        memory::measure(bench, report).await?;
    }
    Ok(())
}
