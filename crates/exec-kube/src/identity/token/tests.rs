//! Tokens of pods: the right one opens, and nothing else does.

use jiff::Timestamp;
use jsonwebtoken::{EncodingKey, Header as JwtHeader, encode};
use serde_json::{Value, json};

use super::{Algorithm, Claim, PodClaim, header, verify};
use crate::bench::signer::{self, ISSUER, Signer};

fn check(signer: &Signer, token: &str, now: i64) -> Option<Claim> {
    let now = Timestamp::from_second(now).unwrap();
    let key = serde_json::from_value(signer.jwk.clone()).unwrap();
    verify(token, &header(token)?, ISSUER, &key, now)
}

fn claims() -> Value {
    signer::claims("rutter-x-1-abcde", "5f7c")
}

fn with(member: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[member] = value;
    claims
}

#[test]
fn a_right_token_tells_its_pod() {
    let signer = Signer::new("k1");
    let wanted = Claim {
        namespace: "jobs".to_owned(),
        pod: PodClaim { name: "rutter-x-1-abcde".to_owned(), uid: "5f7c".to_owned() },
    };
    for now in [1000, 4600] {
        assert_eq!(check(&signer, &signer.sign(&claims()), now).as_ref(), Some(&wanted));
    }
}

#[test]
fn nothing_else_opens() {
    let signer = Signer::new("k1");
    let right = signer.sign(&claims());
    assert_eq!(check(&signer, &right, 4700), None, "expired");
    assert_eq!(check(&signer, &right, 900), None, "not yet");
    for (what, wrong) in [
        ("another audience", with("aud", json!(["https://kubernetes.default.svc"]))),
        ("no audience", with("aud", Value::Null)),
        ("another issuer", with("iss", json!("https://elsewhere"))),
        ("no issuer", with("iss", Value::Null)),
        ("no expiry", with("exp", Value::Null)),
        ("no pod", with("kubernetes.io", json!({"namespace": "jobs"}))),
    ] {
        assert_eq!(check(&signer, &signer.sign(&wrong), 2000), None, "{what}");
    }
    assert_eq!(check(&signer, &Signer::new("k1").sign(&claims()), 2000), None, "another cluster's key");
    let parts: Vec<&str> = right.split('.').collect();
    let other = signer.sign(&with("sub", json!("system:serviceaccount:jobs:admin")));
    let other: Vec<&str> = other.split('.').collect();
    let mixed = format!("{}.{}.{}", parts[0], other[1], parts[2]);
    assert_eq!(check(&signer, &mixed, 2000), None, "changed after it was signed");
}

#[test]
fn what_is_no_such_token_is_not_even_looked_at() {
    let secret = EncodingKey::from_secret(b"public key as a secret");
    let mut forged = JwtHeader::new(Algorithm::HS256);
    forged.kid = Some("k1".to_owned());
    assert!(header(&encode(&forged, &claims(), &secret).unwrap()).is_none(), "a shared secret");
    let unnamed = JwtHeader::new(Algorithm::ES256);
    assert!(header(&encode(&unnamed, &claims(), &Signer::new("k1").key).unwrap()).is_none(), "no key named");
    let none = "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.e30.";
    for wrong in ["", ".", "..", "a.b.c", none, &"x".repeat(1 << 20)] {
        assert!(header(wrong).is_none(), "{}", &wrong[..wrong.len().min(20)]);
    }
}
