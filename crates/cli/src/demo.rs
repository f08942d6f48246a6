//! `rutter demo`: the flood example on the shipped elevation model, through HTTP, with the embedded defaults. Offline.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use clap::Args;
use reqwest::{Client, header::LOCATION};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{
    config::Config,
    serve::{Server, runtime},
};

/// Arguments of `rutter demo`.
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// End after the first result instead of serving until Ctrl-C.
    #[arg(long)]
    once: bool,
    /// Address and port; a free port is taken when this one is in use.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: String,
    /// Folder for packages and results; a temporary one that is removed at the end when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Run the demo.
pub(crate) fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let temporary = tempfile::Builder::new().prefix("rutter-demo").tempdir()?;
    let folder = args.data.clone().unwrap_or_else(|| temporary.path().to_owned());
    let packages = folder.join("processes");
    crate::examples::write_to(&packages)?;
    let mut config =
        Config { data: Some(folder.join("data")), processes: vec![packages], ..Config::default() };
    config.server.listen.clone_from(&args.listen);
    config.server.title = "Rutter demo".into();
    config.log.level = "warn".into();
    crate::logging::start(&config.log)?;
    runtime()?.block_on(serve_and_show(config, args.once))
}

async fn serve_and_show(mut config: Config, once: bool) -> anyhow::Result<ExitCode> {
    let port_taken = std::net::TcpListener::bind(&config.server.listen).is_err();
    if port_taken {
        println!("{} is in use, taking a free port", config.server.listen);
        config.server.listen = "127.0.0.1:0".into();
    }
    let server = Server::open(&config).await?;
    let base = format!("http://{}", server.address);
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    let shown = show(&base).await;
    if shown.is_ok() && !once {
        println!("\nServing at {base}/ until Ctrl-C.");
        tokio::signal::ctrl_c().await.context("could not wait for Ctrl-C")?;
    }
    let _ = stop.send(());
    serving.await??;
    shown?;
    Ok(ExitCode::SUCCESS)
}

/// Ask for a flood as any client would, and print what was asked and got.
async fn show(base: &str) -> anyhow::Result<()> {
    let client = Client::new();
    let request = json!({
        "inputs": {"level": 360, "seed": {"value": {"type": "Point", "coordinates": [-84.12417, 36.4925]}}}
    });
    println!("Rutter serves {base}/");
    println!("\nPOST {base}/processes/flood-extent/execution   (Prefer: respond-async)\n{request:#}\n");
    let answer = client
        .post(format!("{base}/processes/flood-extent/execution"))
        .header("Prefer", "respond-async")
        .json(&request)
        .send()
        .await?;
    let status = answer.status();
    let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let Some(job) = location else {
        bail!("the server answered {status}: {}", answer.text().await?);
    };
    println!("{status}\nLocation: {job}\n");
    follow(&client, &job).await?;
    print_results(&client, &job).await
}

async fn follow(client: &Client, job: &str) -> anyhow::Result<()> {
    let mut last = String::new();
    loop {
        let info: Value = client.get(job).send().await?.error_for_status()?.json().await?;
        let status = info["status"].as_str().unwrap_or_default().to_owned();
        let progress = info["progress"].as_u64().map_or(String::new(), |percent| format!(" {percent:>3} %"));
        let message = info["message"].as_str().map_or(String::new(), |text| format!("  {text}"));
        let line = format!("  {status}{progress}{message}");
        if line != last {
            println!("{line}");
            last = line;
        }
        match status.as_str() {
            "successful" => return Ok(()),
            "failed" | "dismissed" => bail!("the job ended as {status}: {:#}", info["exception"]),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn print_results(client: &Client, job: &str) -> anyhow::Result<()> {
    let summary: Value =
        client.get(format!("{job}/results/summary")).send().await?.error_for_status()?.json().await?;
    println!("\nsummary: {summary:#}\n");
    println!("The page:       {job}?f=html");
    for (output, what) in [("depth", "GeoTIFF"), ("extent", "GeoJSON"), ("summary", "JSON")] {
        println!("{:15} {job}/results/{output}   ({what})", format!("{output}:"));
    }
    Ok(())
}
