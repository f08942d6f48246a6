//! Tokens of pods: the right one opens, and nothing else does.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use jiff::Timestamp;
use jsonwebtoken::{EncodingKey, Header as JwtHeader, encode, jwk::Jwk};
use serde_json::{Value, json};

use super::{Algorithm, Claim, PodClaim, header, verify};

const ISSUER: &str = "https://kubernetes.default.svc";

struct Signer {
    key: EncodingKey,
    jwk: Jwk,
}

impl Signer {
    fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let key = EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref());
        // Uncompressed: 4, x, y.
        let point = pair.public_key().as_ref();
        let text =
            |bytes: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, bytes);
        let jwk = json!({"kty": "EC", "crv": "P-256", "kid": "k1", "use": "sig", "alg": "ES256",
            "x": text(&point[1..33]), "y": text(&point[33..65])});
        Self { key, jwk: serde_json::from_value(jwk).unwrap() }
    }

    fn sign(&self, claims: &Value) -> String {
        let header = JwtHeader { kid: Some("k1".to_owned()), ..JwtHeader::new(Algorithm::ES256) };
        encode(&header, claims, &self.key).unwrap()
    }

    fn check(&self, token: &str, now: i64) -> Option<Claim> {
        let now = Timestamp::from_second(now).unwrap();
        verify(token, &header(token)?, ISSUER, &self.jwk, now)
    }
}

fn claims() -> Value {
    json!({
        "aud": ["rutter"], "iss": ISSUER, "exp": 4600, "iat": 1000, "nbf": 1000, "sub": "system:serviceaccount:jobs:default",
        "kubernetes.io": {"namespace": "jobs", "node": {"name": "node1", "uid": "n"},
            "pod": {"name": "rutter-x-1-abcde", "uid": "5f7c"}, "serviceaccount": {"name": "default", "uid": "s"}},
    })
}

fn with(member: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[member] = value;
    claims
}

#[test]
fn a_right_token_tells_its_pod() {
    let signer = Signer::new();
    let wanted = Claim {
        namespace: "jobs".to_owned(),
        pod: PodClaim { name: "rutter-x-1-abcde".to_owned(), uid: "5f7c".to_owned() },
    };
    for now in [1000, 4600] {
        assert_eq!(signer.check(&signer.sign(&claims()), now).as_ref(), Some(&wanted));
    }
}

#[test]
fn nothing_else_opens() {
    let signer = Signer::new();
    let right = signer.sign(&claims());
    assert_eq!(signer.check(&right, 4700), None, "expired");
    assert_eq!(signer.check(&right, 900), None, "not yet");
    for (what, wrong) in [
        ("another audience", with("aud", json!(["https://kubernetes.default.svc"]))),
        ("no audience", with("aud", Value::Null)),
        ("another issuer", with("iss", json!("https://elsewhere"))),
        ("no issuer", with("iss", Value::Null)),
        ("no expiry", with("exp", Value::Null)),
        ("no pod", with("kubernetes.io", json!({"namespace": "jobs"}))),
    ] {
        assert_eq!(signer.check(&signer.sign(&wrong), 2000), None, "{what}");
    }
    assert_eq!(signer.check(&Signer::new().sign(&claims()), 2000), None, "another cluster's key");
    let parts: Vec<&str> = right.split('.').collect();
    let other = signer.sign(&with("sub", json!("system:serviceaccount:jobs:admin")));
    let other: Vec<&str> = other.split('.').collect();
    let mixed = format!("{}.{}.{}", parts[0], other[1], parts[2]);
    assert_eq!(signer.check(&mixed, 2000), None, "changed after it was signed");
}

#[test]
fn what_is_no_such_token_is_not_even_looked_at() {
    let secret = EncodingKey::from_secret(b"public key as a secret");
    let mut forged = JwtHeader::new(Algorithm::HS256);
    forged.kid = Some("k1".to_owned());
    assert!(header(&encode(&forged, &claims(), &secret).unwrap()).is_none(), "a shared secret");
    let unnamed = JwtHeader::new(Algorithm::ES256);
    assert!(header(&encode(&unnamed, &claims(), &Signer::new().key).unwrap()).is_none(), "no key named");
    let none = "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.e30.";
    for wrong in ["", ".", "..", "a.b.c", none, &"x".repeat(1 << 20)] {
        assert!(header(wrong).is_none(), "{}", &wrong[..wrong.len().min(20)]);
    }
}
