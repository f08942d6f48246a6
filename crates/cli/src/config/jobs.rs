//! Section `jobs`: what jobs get when their package is silent, and how long they stay.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What jobs may take and how long they stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Jobs {
    /// Cores that a job holds when its package has no `cpuMin`.
    pub default_cpus: f64,
    /// Memory that a job holds when its package has no `memoryMin` or `memoryMax`, GB (10^9 bytes).
    pub default_memory: f64,
    /// Seconds that a command may run when its package has no `jobTimeout`.
    pub default_timeout_seconds: u64,
    /// Seconds between SIGTERM and SIGKILL.
    pub grace_seconds: u64,
    /// Bytes that the outputs of a job may take when its package has no `storageOutputsMin`.
    pub max_output_bytes: u64,
    /// Bytes of log that are kept of an attempt.
    pub max_log_bytes: u64,
    /// Days that a finished job stays.
    pub keep_days: f64,
    /// Percent of the disk in use over which the oldest finished jobs go before their time.
    pub max_disk_percent: f64,
    /// Hours that an `Idempotency-Key` is known.
    pub idempotency_hours: f64,
    /// Where a copy of every job's log is put when it is over, for others to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_bucket: Option<LogBucket>,
}

/// A bucket of an S3 store. The key is that of the variables `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LogBucket {
    /// The store, such as `https://s3.example.org`.
    pub endpoint: String,
    /// The bucket, which is there already.
    pub name: String,
    /// What the names of copies begin with, before a `/`: `PREFIX/2026-11-25_JOBPREFIX<job id>-logs.txt`.
    #[serde(default)]
    pub prefix: String,
    /// What stands before the job's id in there.
    #[serde(default)]
    pub job_prefix: String,
    /// The store's region, where it has any.
    #[serde(default = "region")]
    pub region: String,
}

fn region() -> String {
    "us-east-1".to_owned()
}

impl LogBucket {
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let is_url = url::Url::parse(&self.endpoint)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some());
        if !is_url {
            let written = &self.endpoint;
            faults.push(format!("jobs.logBucket.endpoint: {written:?} is no http(s) URL; write one like https://s3.example.org"));
        }
        if self.name.is_empty() {
            faults.push("jobs.logBucket.name: is empty; write the bucket's name".to_owned());
        }
        faults
    }
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            default_cpus: 1.0,
            default_memory: 0.5,
            default_timeout_seconds: 3600,
            grace_seconds: 10,
            max_output_bytes: 10_000_000_000,
            max_log_bytes: 1_000_000_000,
            keep_days: 30.0,
            max_disk_percent: 80.0,
            idempotency_hours: 24.0,
            log_bucket: None,
        }
    }
}

impl Jobs {
    pub(super) fn faults(&self) -> Vec<String> {
        let positive = [
            ("defaultCpus", self.default_cpus),
            ("defaultMemory", self.default_memory),
            ("keepDays", self.keep_days),
            ("maxDiskPercent", self.max_disk_percent),
            ("idempotencyHours", self.idempotency_hours),
        ];
        let mut faults: Vec<String> = positive
            .iter()
            .filter(|(_, value)| !(value.is_finite() && *value > 0.0 && *value < 1e9))
            .map(|(name, value)| format!("jobs.{name}: {value} must be more than 0"))
            .collect();
        if self.max_disk_percent > 100.0 {
            faults.push(format!("jobs.maxDiskPercent: {} must be at most 100", self.max_disk_percent));
        }
        faults.extend(self.log_bucket.iter().flat_map(LogBucket::faults));
        if self.default_timeout_seconds == 0 {
            faults
                .push("jobs.defaultTimeoutSeconds: 0 would end every command at once; write seconds".into());
        }
        faults
    }
}
