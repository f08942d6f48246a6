//! Reads the Secrets that pods use for fetching images.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use tokio::time::timeout;

use super::{LookUpError, credentials::Credentials, reference::Reference};

/// Longest time for an answer.
const ANSWER: Duration = Duration::from_secs(10);

/// What Secrets have for an image.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) credentials: Option<Credentials>,
    /// One that the server may not read.
    pub(super) forbidden: Option<String>,
}

/// The first Secret that has something for the image. Those that are not there are passed over, as machines do.
pub(super) async fn find(
    secrets: &Api<Secret>,
    names: &[String],
    image: &Reference,
) -> Result<Found, LookUpError> {
    let mut found = Found::default();
    // What is no name could lead to another object.
    for name in names.iter().filter(|name| is_name(name)) {
        let lost = || LookUpError::Secret { name: name.clone() };
        match timeout(ANSWER, secrets.get_opt(name)).await.map_err(|_| lost())? {
            Ok(secret) => {
                found.credentials = secret.and_then(|secret| Credentials::of_secret(&secret, image))
            }
            Err(kube::Error::Api(status)) if status.code == 403 => found.forbidden = Some(name.clone()),
            Err(error) => {
                tracing::warn!(
                    secret = name,
                    error = &error as &dyn std::error::Error,
                    "could not read a secret for images"
                );
                return Err(lost());
            }
        }
        if found.credentials.is_some() {
            break;
        }
    }
    Ok(found)
}

fn is_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= 253
        && text.starts_with(is_plain)
        && text.ends_with(is_plain)
        && text.chars().all(|c| is_plain(c) || c == '-' || c == '.')
}
