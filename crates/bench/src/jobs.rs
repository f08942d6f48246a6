//! Jobs of the server under measurement: submitted, waited for, counted.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::load::{self, Ask};

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Submit a job; the path of its status.
pub(crate) async fn submit(address: SocketAddr, process: &str, body: String) -> anyhow::Result<String> {
    let answer = load::once(address, &Ask::execute(process, Some("respond-async"), body)).await?;
    ensure!(answer.status == 201, "{process} was executed at once, not as a job: {}", answer.status);
    let location = answer.headers.get("location").context("a job without Location")?.to_str()?;
    let path = location.split_once("/jobs/").with_context(|| format!("Location: {location} names no job"))?.1;
    Ok(format!("/jobs/{path}"))
}

/// Wait until a job has this status; an error when it ends otherwise.
pub(crate) async fn wait_for(address: SocketAddr, path: &str, wanted: &str) -> anyhow::Result<()> {
    loop {
        let status = json(address, path).await?;
        match status["status"].as_str().unwrap_or_default() {
            now if now == wanted => return Ok(()),
            "accepted" | "running" => tokio::time::sleep(LOOK).await,
            _ => bail!("{path} did not become {wanted}: {status}"),
        }
    }
}

/// Wait until so many jobs fit a filter of the list.
pub(crate) async fn wait_for_count(address: SocketAddr, filter: &str, wanted: usize) -> anyhow::Result<()> {
    while count(address, filter).await? != wanted {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// How many jobs fit a filter, up to 1,000.
pub(crate) async fn count(address: SocketAddr, filter: &str) -> anyhow::Result<usize> {
    let page = json(address, &format!("/jobs?limit=1000&{filter}")).await?;
    Ok(page["jobs"].as_array().context("a page without jobs")?.len())
}

async fn json(address: SocketAddr, path: &str) -> anyhow::Result<Value> {
    Ok(serde_json::from_slice(&load::once(address, &Ask::get(path)).await?.body)?)
}
