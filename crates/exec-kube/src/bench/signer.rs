//! Signs tokens as a cluster does.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://kubernetes.default.svc";

/// A key and its published half.
pub(crate) struct Signer {
    id: String,
    pub(crate) key: EncodingKey,
    pub(crate) jwk: Value,
}

impl Signer {
    pub(crate) fn new(id: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let key = EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref());
        // Uncompressed: 4, x, y.
        let point = pair.public_key().as_ref();
        let jwk = json!({"kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "alg": "ES256",
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..65])});
        Self { id: id.to_owned(), key, jwk }
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::ES256) };
        encode(&header, claims, &self.key).unwrap()
    }
}

/// Claims of a pod's token.
pub(crate) fn claims(pod: &str, uid: &str) -> Value {
    json!({
        "aud": ["rutter"], "iss": ISSUER, "exp": 4600, "iat": 1000, "nbf": 1000,
        "sub": "system:serviceaccount:jobs:default",
        "kubernetes.io": {"namespace": "jobs", "node": {"name": "node1", "uid": "n"},
            "pod": {"name": pod, "uid": uid}, "serviceaccount": {"name": "default", "uid": "s"}},
    })
}
