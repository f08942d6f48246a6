//! Names and passwords for registries, as Kubernetes keeps them in Secrets.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use k8s_openapi::api::core::v1::Secret;
use serde::Deserialize;

use super::reference::{Reference, canonical};

/// Name and password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

#[derive(Deserialize)]
struct ConfigFile {
    auths: BTreeMap<String, Entry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    username: Option<String>,
    password: Option<String>,
    auth: Option<String>,
}

impl Credentials {
    /// What a Secret has for an image; of several entries that with the longest path.
    pub(super) fn of_secret(secret: &Secret, image: &Reference) -> Option<Self> {
        let data = secret.data.as_ref()?;
        let entries = match (data.get(".dockerconfigjson"), data.get(".dockercfg")) {
            (Some(file), _) => serde_json::from_slice::<ConfigFile>(&file.0).ok()?.auths,
            (None, Some(file)) => serde_json::from_slice(&file.0).ok()?,
            (None, None) => return None,
        };
        let fitting = entries.iter().filter_map(|(place, entry)| Some((fit(place, image)?, entry)));
        let (_, entry) = fitting.max_by_key(|(length, _)| *length)?;
        entry.read()
    }

    /// The value of the header `Authorization`.
    pub(super) fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user, self.password)))
    }
}

impl Entry {
    fn read(&self) -> Option<Credentials> {
        if let (Some(user), Some(password)) = (&self.username, &self.password) {
            return Some(Credentials { user: user.clone(), password: password.clone() });
        }
        let decoded = String::from_utf8(STANDARD.decode(self.auth.as_ref()?.trim()).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        Some(Credentials { user: user.to_owned(), password: password.trim_end_matches('\0').to_owned() })
    }
}

/// How long the path is under which an entry holds for an image; `None` = it does not.
fn fit(place: &str, image: &Reference) -> Option<usize> {
    let bare = place.strip_prefix("https://").or_else(|| place.strip_prefix("http://")).unwrap_or(place);
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
    let path = path.trim_matches('/');
    // What Docker's own tools write behind the registry.
    let path = if matches!(path, "v1" | "v2") { "" } else { path };
    let inside = path.is_empty()
        || image.repository.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    (inside && same_host(&canonical(host), &image.registry)).then_some(path.len())
}

/// Whether a host is meant; `*` stands for one whole label, as Kubernetes has it.
fn same_host(pattern: &str, host: &str) -> bool {
    let labels = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (pattern, host) = (labels(pattern), labels(host));
    pattern.len() == host.len()
        && pattern.iter().zip(&host).all(|(wanted, label)| wanted == "*" || wanted == label)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;
    use serde_json::{Value, json};

    use super::*;

    fn secret(key: &str, content: &Value) -> Secret {
        let data = BTreeMap::from([(key.to_owned(), ByteString(content.to_string().into_bytes()))]);
        Secret { data: Some(data), ..Secret::default() }
    }

    fn user(auths: Value, image: &str) -> Option<String> {
        let image = Reference::parse(image).unwrap();
        let secret = secret(".dockerconfigjson", &json!({ "auths": auths }));
        Credentials::of_secret(&secret, &image).map(|it| it.user)
    }

    #[test]
    fn an_entry_holds_for_its_registry_and_path() {
        let entry = |user: &str| json!({"username": user, "password": "p"});
        let auths = json!({
            "https://index.docker.io/v1/": entry("hub"),
            "r.io:5000": entry("all"),
            "r.io:5000/team": entry("team"),
            "https://other.io/v2/": entry("other"),
            "*.cloud.io": entry("cloud"),
        });
        for (image, wanted) in [
            ("busybox", Some("hub")),
            ("docker.io/a/b", Some("hub")),
            ("r.io:5000/x", Some("all")),
            ("r.io:5000/team/x", Some("team")),
            ("r.io:5000/teams/x", Some("all")),
            ("r.io/x", None),
            ("other.io/x", Some("other")),
            ("a.cloud.io/x", Some("cloud")),
            ("a.b.cloud.io/x", None),
            ("cloud.io/x", None),
            ("evil.r.io:5000/x", None),
        ] {
            assert_eq!(user(auths.clone(), image).as_deref(), wanted, "{image}");
        }
    }

    #[test]
    fn all_ways_to_write_an_entry() {
        let image = Reference::parse("r.io/x").unwrap();
        let auth = STANDARD.encode("me:a:b");
        let old = secret(".dockercfg", &json!({"r.io": {"auth": auth}}));
        let found = Credentials::of_secret(&old, &image).unwrap();
        assert_eq!((found.user.as_str(), found.password.as_str()), ("me", "a:b"));
        assert_eq!(found.basic(), format!("Basic {auth}"));
        assert!(!format!("{found:?}").contains("a:b"));
        for entry in [json!({}), json!({"auth": "!"}), json!({"auth": "bWU="}), json!({"username": "me"})] {
            assert_eq!(user(json!({"r.io": entry}), "r.io/x"), None);
        }
        for broken in [json!([]), json!({"auths": []}), json!({"auths": {"r.io": 3}})] {
            assert_eq!(Credentials::of_secret(&secret(".dockerconfigjson", &broken), &image), None);
        }
        assert_eq!(Credentials::of_secret(&Secret::default(), &image), None);
    }
}
