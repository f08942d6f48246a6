//! The bucket for copies of logs (`jobs.logBucket`).

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use object_store::{RetryConfig, aws::AmazonS3Builder};
use rutter_core::{logs::LogCopies, results::Objects};

use crate::config::Config;

/// Longest time for one copy, several tries together: a job that is over stays in the cluster meanwhile.
const LONGEST: Duration = Duration::from_secs(30);

/// Where copies go; `None` = nowhere. Nothing is asked of the store yet.
pub(crate) fn open(config: &Config) -> anyhow::Result<Option<LogCopies>> {
    let Some(bucket) = &config.jobs.log_bucket else { return Ok(None) };
    let theirs = config.pygeoapi.as_ref().and_then(|theirs| theirs.bucket_key.clone());
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let ours = || Some((variable("AWS_ACCESS_KEY_ID")?, variable("AWS_SECRET_ACCESS_KEY")?));
    let (key, secret) = theirs
        .or_else(ours)
        .context("jobs.logBucket: set the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key of the bucket")?;
    let store = AmazonS3Builder::new()
        .with_endpoint(bucket.endpoint.trim_end_matches('/'))
        .with_allow_http(bucket.endpoint.starts_with("http:"))
        .with_region(&bucket.region)
        .with_bucket_name(&bucket.name)
        .with_access_key_id(key)
        .with_secret_access_key(secret)
        .with_retry(RetryConfig { max_retries: 4, retry_timeout: LONGEST, ..RetryConfig::default() })
        .build()
        .context("jobs.logBucket")?;
    Ok(Some(LogCopies::new(Objects::new(Arc::new(store)), &bucket.prefix, &bucket.job_prefix)))
}
