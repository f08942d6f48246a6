//! Reads: server and bare handler take turns; the median of the rounds' ratios counts.

use std::net::SocketAddr;

use anyhow::ensure;

use crate::{
    Bench,
    fill::Filled,
    folder::Folder,
    jobs,
    load::{self, Ask},
    reference::Bare,
    report::{Report, median, ms, percentile, rate},
    scale::Scale,
    server::Server,
};

/// Connections while throughput is measured.
const CONNECTIONS: usize = 8;

/// Ratios of pages of the job list by filter, in order of the stores' sizes.
#[derive(Default)]
pub(crate) struct Pages(Vec<(String, u64, f64)>);

/// Measure on a filled store.
pub(crate) async fn measure(
    bench: &Bench,
    folder: Folder,
    filled: &Filled,
    pages: &mut Pages,
    report: &mut Report,
) -> anyhow::Result<Folder> {
    let scale = &bench.scale;
    // Fifty busy jobs fit; what needs a whole core does not matter here.
    let server = Server::start(bench, folder, Some(1.0))?;
    let (address, stored) = (server.address, filled.jobs);
    report.plain(&format!("start to first 200, {stored} jobs stored"), ms(server.start), "");
    let plain = [
        ("process list", "/processes".to_owned()),
        ("process description", "/processes/copy".to_owned()),
        ("job status", format!("/jobs/{}", filled.one)),
    ];
    for (name, path) in plain {
        let compared = compare(address, &Ask::get(path), scale).await?;
        compared.tell(&format!("GET {name}, {stored} jobs stored"), ">= 0.7", report);
    }
    for (name, query) in filters(filled) {
        let compared = compare(address, &Ask::get(format!("/jobs{query}")), scale).await?;
        compared.tell(&format!("GET /jobs, {name}, {stored} jobs stored"), ">= 0.5", report);
        pages.0.push((name.into(), stored, compared.ratio));
    }
    for _ in 0..scale.running {
        jobs::submit(address, "busy", "{}".into()).await?;
    }
    jobs::wait_for_count(address, "status=running", scale.running).await?;
    for (name, query) in filters(filled) {
        let ask = Ask::get(format!("/jobs{query}"));
        let times = load::run(address, &ask, 1, scale.reads / 4).await?.times;
        let work = format!("p99 of GET /jobs, {name}, {stored} jobs stored, {} run", scale.running);
        report.plain(&work, ms(percentile(&times, 0.99)), "<= 20 ms");
    }
    let still = jobs::count(address, "status=running").await?;
    ensure!(still == scale.running, "only {still} of {} jobs still ran", scale.running);
    server.stop()
}

/// Name and query of each page.
fn filters(filled: &Filled) -> [(&'static str, String); 5] {
    let until = filled.fifth;
    [
        ("no filter", String::new()),
        ("status", "?status=dismissed".into()),
        ("processID", "?processID=process-6".into()),
        (
            "status + processID + datetime (oldest fifth)",
            format!("?status=successful&processID=process-6&datetime=../{until}"),
        ),
        ("minDuration", "?minDuration=500".into()),
    ]
}

struct Compared {
    server: f64,
    bare: f64,
    ratio: f64,
}

impl Compared {
    fn tell(&self, work: &str, goal: &str, report: &mut Report) {
        report.row(work, rate(self.server), rate(self.bare), format!("{:.2}", self.ratio), goal);
    }
}

async fn compare(address: SocketAddr, ask: &Ask, scale: &Scale) -> anyhow::Result<Compared> {
    let bare = Bare::start(&load::once(address, ask).await?.body)?;
    for warm in [address, bare.address] {
        load::run(warm, ask, CONNECTIONS, scale.reads / 4).await?;
    }
    let (mut servers, mut bares, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..scale.rounds {
        let server = load::run(address, ask, CONNECTIONS, scale.reads).await?.per_second;
        let bare = load::run(bare.address, ask, CONNECTIONS, scale.reads).await?.per_second;
        servers.push(server);
        bares.push(bare);
        ratios.push(server / bare);
    }
    Ok(Compared { server: median(servers), bare: median(bares), ratio: median(ratios) })
}

impl Pages {
    /// How the ratios of the large store compare to those of the small one.
    pub(crate) fn compare(&self, report: &mut Report) {
        let half = self.0.len() / 2;
        for ((name, few, before), (_, many, after)) in self.0[..half].iter().zip(&self.0[half..]) {
            report.row(
                &format!("GET /jobs, {name}: ratio with {many} to ratio with {few} jobs stored"),
                format!("{after:.2}"),
                format!("{before:.2}"),
                format!("{:.2}", after / before),
                "about 1 (flat)",
            );
        }
    }
}
