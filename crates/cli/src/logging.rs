//! Sets up logging: text for people or JSON lines, on standard error.

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Log from now on.
pub(crate) fn start(log: &Log) -> anyhow::Result<()> {
    // Its faults are ours to tell, once and in our words; who looks for them names it in the level.
    let filter = EnvFilter::try_new(format!("kube_client=off,{}", log.level))
        .with_context(|| format!("log.level: {:?} is no level; write one like info", log.level))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match log.format {
        LogFormat::Text => {
            builder.with_target(false).with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init()
        }
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}
