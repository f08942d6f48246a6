//! A service account token: which key signed it, and which pod it was made for.

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::Jwk};
use serde::Deserialize;

use super::AUDIENCE;

/// Clocks differ a little.
const LEEWAY: i64 = 30;
/// Longer than any token of a cluster.
const LONGEST: usize = 16 * 1024;
/// What clusters sign with. (Never a shared secret: its "key" would be public.)
const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::ES256, Algorithm::ES384];

/// What must be known before a token can be verified.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) key: String,
    algorithm: Algorithm,
}

/// The pod that a token was made for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct PodClaim {
    pub(crate) name: String,
    pub(crate) uid: String,
}

/// What a right token says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Claim {
    pub(crate) namespace: String,
    pub(crate) pod: PodClaim,
}

#[derive(Deserialize)]
struct Claims {
    exp: i64,
    #[serde(default)]
    nbf: i64,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Claim,
}

/// Read without trust.
pub(super) fn header(token: &str) -> Option<Header> {
    if token.len() > LONGEST {
        return None;
    }
    let header = decode_header(token).ok()?;
    ALGORITHMS.contains(&header.alg).then_some(())?;
    Some(Header { key: header.kid?, algorithm: header.alg })
}

/// What it says, if signature, issuer, audience and times are right.
pub(super) fn verify(token: &str, header: &Header, issuer: &str, key: &Jwk, now: Timestamp) -> Option<Claim> {
    let key = DecodingKey::from_jwk(key).ok()?;
    let mut validation = Validation::new(header.algorithm);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[issuer]);
    validation.set_required_spec_claims(&["exp", "aud", "iss"]);
    // By our clock, not by the library's.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let claims = decode::<Claims>(token, &key, &validation).ok()?.claims;
    let now = now.as_second();
    let in_time = now < claims.exp.saturating_add(LEEWAY) && now >= claims.nbf.saturating_sub(LEEWAY);
    in_time.then_some(claims.kubernetes)
}

#[cfg(test)]
mod tests;
