//! Signatures of callbacks, as Standard Webhooks (1.0.0) describes them, so that receivers can use a library they have.
//!
//! `webhook-signature: v1,<base64 of HMAC-SHA256(key, "<webhook-id>.<webhook-timestamp>.<body>")>`. The key is made at
//! the first start and kept with the installation's objects, as text `whsec_<base64>` under [`KEY_PLACE`].

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue};
use rutter_core::results::{ObjectError, Objects};
use sha2::Sha256;
use tokio::io::AsyncReadExt;

/// Where the key is kept among the installation's objects.
pub const KEY_PLACE: &str = "secrets/callbacks";
const PREFIX: &str = "whsec_";

/// The key of an installation.
#[derive(Clone)]
pub(super) struct Key(Vec<u8>);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    #[error("the key of callbacks can't be read or written")]
    Objects(#[from] ObjectError),
    #[error("the system gives no random bytes")]
    Random(#[from] std::io::Error),
    #[error("<data>/objects/{KEY_PLACE} must be {PREFIX} and base64; remove it to have a new one made")]
    Form,
}

impl Key {
    /// The key that is kept, or a new one.
    pub(super) async fn open(objects: &Objects) -> Result<Self, KeyError> {
        if let Some(text) = objects.get(KEY_PLACE).await? {
            return Self::parse(&text).ok_or(KeyError::Form);
        }
        let mut bytes = vec![0; 32];
        tokio::fs::File::open("/dev/urandom").await?.read_exact(&mut bytes).await?;
        let text = format!("{PREFIX}{}", STANDARD.encode(&bytes));
        objects.put(KEY_PLACE, text.into()).await?;
        tracing::info!(
            "a key for signing callbacks was made; receivers verify with <data>/objects/{KEY_PLACE}"
        );
        Ok(Self(bytes))
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?.trim().strip_prefix(PREFIX)?;
        STANDARD.decode(text).ok().filter(|bytes| bytes.len() >= 24).map(Self)
    }

    /// The three headers of a message.
    pub(super) fn headers(&self, id: &str, seconds: i64, body: &[u8]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut add =
            |name, text: &str| headers.extend(HeaderValue::from_str(text).map(|value| (name, value)));
        add(http::HeaderName::from_static("webhook-id"), id);
        add(http::HeaderName::from_static("webhook-timestamp"), &seconds.to_string());
        add(http::HeaderName::from_static("webhook-signature"), &self.signature(id, seconds, body));
        headers
    }

    fn signature(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_comes_out() {
        // The vector that Standard Webhooks' reference libraries test with.
        let key = Key::parse(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature =
            key.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[tokio::test]
    async fn a_key_is_made_once() {
        let objects = Objects::new(std::sync::Arc::new(object_store::memory::InMemory::new()));
        let first = Key::open(&objects).await.unwrap();
        let second = Key::open(&objects).await.unwrap();
        assert_eq!(first.0, second.0);
        objects.put(KEY_PLACE, "garbage".into()).await.unwrap();
        assert!(matches!(Key::open(&objects).await, Err(KeyError::Form)));
    }
}
