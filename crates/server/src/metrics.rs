//! What is counted, for Prometheus.

use std::{fmt, sync::atomic::AtomicU64, time::Duration};

use http::{Method, StatusCode};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};
use rutter_types::StatusCode as JobStatus;

/// Seconds: from a cached document to the longest synchronous wait.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0];

/// What is counted.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    jobs: Family<JobLabels, Gauge>,
    processes: Gauge,
    broken: Gauge,
    memory: Gauge<u64, AtomicU64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobLabels {
    status: &'static str,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing counted so far.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("rutter");
        let requests = Family::default();
        let durations: Family<RouteLabels, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(BUCKETS));
        let (jobs, processes, broken, memory) =
            (Family::default(), Gauge::default(), Gauge::default(), Gauge::default());
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time to the head of the answer",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register("jobs", "Jobs stored, by status; accepted ones wait in the queue", jobs.clone());
        registry.register("processes", "Processes that are served", processes.clone());
        registry.register("broken_packages", "Package files with faults", broken.clone());
        registry.register_with_unit("resident_memory", "Memory of the server", Unit::Bytes, memory.clone());
        registry.register("build", "This program", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
        Self { registry, requests, durations, jobs, processes, broken, memory }
    }

    /// A request was answered.
    pub(crate) fn answered(&self, route: &'static str, method: &Method, status: StatusCode, took: Duration) {
        let labels = RequestLabels { route, method: name_of(method), status: status.as_u16() };
        self.requests.get_or_create(&labels).inc();
        self.durations.get_or_create(&RouteLabels { route }).observe(took.as_secs_f64());
    }

    /// How many jobs there are.
    pub(crate) fn set_jobs(&self, counts: &[(JobStatus, u64)]) {
        for status in JobStatus::ALL {
            let count = counts.iter().find(|(it, _)| *it == status).map_or(0, |(_, count)| *count);
            let labels = JobLabels { status: status.as_str() };
            self.jobs.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// How many processes there are, and files that are none.
    pub(crate) fn set_processes(&self, served: usize, broken: usize) {
        self.processes.set(i64::try_from(served).unwrap_or(i64::MAX));
        self.broken.set(i64::try_from(broken).unwrap_or(i64::MAX));
    }

    /// Everything in OpenMetrics' text form.
    pub(crate) fn text(&self) -> String {
        if let Some(bytes) = resident() {
            self.memory.set(bytes);
        }
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Resident memory as Linux tells it.
fn resident() -> Option<u64> {
    const PAGE: u64 = 4096;
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    text.split(' ').nth(1)?.parse::<u64>().ok().map(|pages| pages * PAGE)
}
