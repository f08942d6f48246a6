//! What registries send of an image: lists of manifests, manifests and configurations, in Docker's and OCI's formats.

use serde::{Deserialize, de::DeserializeOwned};

use super::{LookUpError, reference::is_digest};

/// What a configuration says of how its image runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Described {
    /// ENTRYPOINT and CMD; at least a program.
    pub(super) words: Vec<String>,
    /// Whether USER is a number, and not root's.
    pub(super) has_user: bool,
}

/// What is asked for as a manifest.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";
/// Longest command.
const LONGEST: usize = 64 * 1024;

/// What stands under the name of an image.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Manifest {
    /// One image: digest of its configuration.
    Image { config: String },
    /// The image for our kind of machines: digest of its manifest.
    Of { manifest: String },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyManifest {
    schema_version: Option<u32>,
    config: Option<Descriptor>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

/// Reads a manifest or a list of them; `architecture` as Kubernetes (and Go) names it.
pub(super) fn manifest(bytes: &[u8], architecture: &str) -> Result<Manifest, LookUpError> {
    let read: AnyManifest = json(bytes, "manifest")?;
    match read {
        AnyManifest { schema_version: Some(1), .. } => Err(LookUpError::Old),
        AnyManifest { manifests: Some(entries), .. } => {
            let fits = |entry: &&Descriptor| {
                let platform = entry.platform.as_ref();
                platform.is_some_and(|it| it.os == "linux" && it.architecture == architecture)
            };
            let missing = || LookUpError::OtherKind { architecture: architecture.to_owned() };
            let entry = entries.iter().find(fits).ok_or_else(missing)?;
            Ok(Manifest::Of { manifest: digest(entry)? })
        }
        AnyManifest { config: Some(config), .. } => Ok(Manifest::Image { config: digest(&config)? }),
        _ => Err(LookUpError::NotUnderstood { what: "manifest" }),
    }
}

fn digest(descriptor: &Descriptor) -> Result<String, LookUpError> {
    if is_digest(&descriptor.digest) { Ok(descriptor.digest.clone()) } else { Err(LookUpError::OtherDigest) }
}

#[derive(Deserialize)]
struct Image {
    architecture: Option<String>,
    os: Option<String>,
    config: Option<Container>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Container {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    user: Option<String>,
}

/// Reads a configuration.
pub(super) fn described(bytes: &[u8], architecture: &str) -> Result<Described, LookUpError> {
    let image: Image = json(bytes, "configuration")?;
    let differs =
        |told: &Option<String>, wanted: &str| told.as_ref().is_some_and(|it| !it.is_empty() && it != wanted);
    if differs(&image.architecture, architecture) || differs(&image.os, "linux") {
        return Err(LookUpError::OtherKind { architecture: architecture.to_owned() });
    }
    let container = image.config.ok_or(LookUpError::NoCommand)?;
    let has_user = container.user.as_deref().is_some_and(is_number_of_user);
    let words = container.entrypoint.into_iter().chain(container.cmd).flatten().collect::<Vec<_>>();
    if words.first().is_none_or(String::is_empty) {
        return Err(LookUpError::NoCommand);
    }
    let length: usize = words.iter().map(|word| word.len() + 1).sum();
    if length > LONGEST || words.iter().any(|word| word.contains('\0')) {
        return Err(LookUpError::UnusableCommand { limit: LONGEST });
    }
    Ok(Described { words, has_user })
}

/// `1000` or `1000:1000`; a name could be root's.
fn is_number_of_user(text: &str) -> bool {
    let user = text.split(':').next().unwrap_or_default();
    user.parse::<u32>().is_ok_and(|number| number != 0)
}

fn json<T: DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<T, LookUpError> {
    serde_json::from_slice(bytes).map_err(|_| LookUpError::NotUnderstood { what })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sha(digit: &str) -> String {
        format!("sha256:{}", digit.repeat(64))
    }

    fn read(document: &Value) -> Result<Manifest, LookUpError> {
        manifest(document.to_string().as_bytes(), "arm64")
    }

    #[test]
    fn lists_lead_to_our_kind_of_machines() {
        let entry = |digit: &str, os: &str, architecture: &str| json!({"digest": sha(digit), "size": 3, "platform": {"os": os, "architecture": architecture}});
        let all = [
            entry("a", "linux", "amd64"),
            entry("b", "windows", "arm64"),
            entry("c", "linux", "arm64"),
            entry("d", "unknown", "unknown"),
            json!({"digest": sha("e")}),
        ];
        assert_eq!(
            read(&json!({"schemaVersion": 2, "manifests": all})).unwrap(),
            Manifest::Of { manifest: sha("c") }
        );
        let others = json!({"manifests": &all[..2]});
        assert_eq!(read(&others), Err(LookUpError::OtherKind { architecture: "arm64".into() }));
        let one = json!({"schemaVersion": 2, "config": {"digest": sha("a")}, "layers": []});
        assert_eq!(read(&one).unwrap(), Manifest::Image { config: sha("a") });
    }

    #[test]
    fn what_is_no_manifest_is_told_apart() {
        assert_eq!(read(&json!({"schemaVersion": 1, "fsLayers": []})), Err(LookUpError::Old));
        for odd in
            [json!({}), json!([]), json!({"manifests": {}}), json!({"config": {}}), json!({"config": null})]
        {
            assert_eq!(read(&odd), Err(LookUpError::NotUnderstood { what: "manifest" }), "{odd}");
        }
        let elsewhere = json!({"config": {"digest": "sha256:../../x"}});
        assert_eq!(read(&elsewhere), Err(LookUpError::OtherDigest));
    }

    #[test]
    fn entrypoint_then_cmd() {
        let of = |config: Value| {
            described(
                json!({"architecture": "amd64", "os": "linux", "config": config}).to_string().as_bytes(),
                "amd64",
            )
        };
        assert_eq!(of(json!({"Entrypoint": ["a"], "Cmd": ["b", "$(c)"]})).unwrap().words, ["a", "b", "$(c)"]);
        assert_eq!(of(json!({"Entrypoint": null, "Cmd": ["/bin/sh"]})).unwrap().words, ["/bin/sh"]);
        assert_eq!(of(json!({"Entrypoint": ["/x"]})).unwrap().words, ["/x"]);
        for (user, is_own) in [
            ("1000", true),
            ("1000:0", true),
            ("0", false),
            ("0:1000", false),
            ("root", false),
            ("me", false),
            ("", false),
        ] {
            assert_eq!(of(json!({"Cmd": ["x"], "User": user})).unwrap().has_user, is_own, "{user}");
        }
        for none in [json!({}), json!(null), json!({"Entrypoint": [], "Cmd": []}), json!({"Cmd": [""]})] {
            assert_eq!(of(none), Err(LookUpError::NoCommand));
        }
        let long = json!({"Cmd": vec!["x".repeat(1000); 100]});
        assert!(matches!(of(long), Err(LookUpError::UnusableCommand { .. })));
        assert!(matches!(of(json!({"Cmd": ["a\u{0}b"]})), Err(LookUpError::UnusableCommand { .. })));
        assert!(matches!(of(json!({"Cmd": "sh"})), Err(LookUpError::NotUnderstood { .. })));
        assert!(matches!(
            described(b"{\"architecture\": \"s390x\"}", "amd64"),
            Err(LookUpError::OtherKind { .. })
        ));
    }
}
