//! Reads request bodies, never more than allowed and never for ever.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use tokio::time::Instant;

use crate::{config::Limits, error::ApiError};

/// The whole body of a request.
///
/// # Errors
/// [`ApiError::TooLarge`] before more than the limit is read, [`ApiError::BodyStopped`] when it stops coming or trickles.
pub async fn read(limits: &Limits, headers: &HeaderMap, mut body: Body) -> Result<Bytes, ApiError> {
    let too_large = || ApiError::TooLarge { limit: limits.body_bytes };
    let limit = usize::try_from(limits.body_bytes).unwrap_or(usize::MAX);
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limits.body_bytes) {
        return Err(too_large());
    }
    let mut all = BytesMut::new();
    let begun = Instant::now();
    loop {
        // A byte now and then is no silence, yet must not hold a connection for days.
        let earned = Duration::from_secs(all.len() as u64 / limits.body_rate.max(1));
        let until = Instant::now().min(begun + earned) + limits.body_timeout;
        let frame = tokio::time::timeout_at(until, body.frame()).await;
        let frame = match frame {
            Ok(None) => return Ok(all.freeze()),
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_))) | Err(_) => return Err(ApiError::BodyStopped),
        };
        let Ok(data) = frame.into_data() else { continue };
        if all.len().saturating_add(data.len()) > limit {
            return Err(too_large());
        }
        all.extend_from_slice(&data);
    }
}
