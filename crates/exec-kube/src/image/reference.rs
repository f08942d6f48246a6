//! Names of images, as every engine reads them: `busybox`, `ghcr.io/example/flood:1.0`, `localhost:5000/x@sha256:…`.

use std::net::IpAddr;

use super::LookUpError;

/// Registry of names without one, and where its API is.
const HUB: &str = "docker.io";
const HUB_API: &str = "registry-1.docker.io";

/// Where an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// The registry, as it is named.
    pub(super) registry: String,
    /// Path of the image in it.
    pub(super) repository: String,
    /// Which of its versions.
    pub(super) version: Version,
    /// As written, without digest.
    name: String,
}

/// Which version of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Tag(String),
    Digest(String),
}

impl Version {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Tag(text) | Self::Digest(text) => text,
        }
    }
}

impl Reference {
    /// Reads a name.
    pub(super) fn parse(text: &str) -> Result<Self, LookUpError> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let (registry, path) = match name.split_once('/') {
            Some((first, rest)) if is_registry(first) => (canonical(first), rest),
            _ => (HUB.to_owned(), name),
        };
        let (path, tag) = match path.rsplit_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (path, None),
        };
        let official = registry == HUB && !path.contains('/');
        let repository = if official { format!("library/{path}") } else { path.to_owned() };
        if !is_host(&registry) || !is_repository(&repository) || !tag.is_none_or(is_tag) {
            return Err(LookUpError::NoReference);
        }
        let version = match digest {
            Some(digest) if !digest.starts_with("sha256:") => return Err(LookUpError::OtherDigest),
            Some(digest) if !is_digest(digest) => return Err(LookUpError::NoReference),
            Some(digest) => Version::Digest(digest.to_owned()),
            None => Version::Tag(tag.unwrap_or("latest").to_owned()),
        };
        Ok(Self { registry, repository, version, name: name.to_owned() })
    }

    /// Host and port of the registry's API.
    pub(super) fn host(&self) -> &str {
        if self.registry == HUB { HUB_API } else { &self.registry }
    }

    /// The same image, named by its digest as well.
    pub(super) fn pinned(&self, digest: &str) -> String {
        format!("{}@{digest}", self.name)
    }
}

/// All names of one registry as one.
pub(super) fn canonical(registry: &str) -> String {
    match registry {
        "index.docker.io" | HUB_API => HUB.to_owned(),
        other => other.to_owned(),
    }
}

/// A registry that is asked without encryption though nobody said so: this machine, as runtimes do it.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_registry(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost"
}

fn is_host(text: &str) -> bool {
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    };
    let labels = name.split('.').all(|label| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    });
    labels && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

fn is_repository(text: &str) -> bool {
    let is_edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.len() <= 255
        && text.split('/').all(|part| {
            is_edge(part.chars().next())
                && is_edge(part.chars().next_back())
                && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
        })
}

fn is_tag(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    starts && text.len() <= 128 && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// SHA-256 as registries write it.
pub(super) fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    hex.len() == 64 && hex.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (String, String, String) {
        let reference = Reference::parse(text).unwrap();
        (reference.host().to_owned(), reference.repository, reference.version.as_str().to_owned())
    }

    fn parts(host: &str, repository: &str, version: &str) -> (String, String, String) {
        (host.to_owned(), repository.to_owned(), version.to_owned())
    }

    #[test]
    fn names_as_engines_read_them() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(of("busybox"), parts(HUB_API, "library/busybox", "latest"));
        assert_eq!(of("example/flood:1.0"), parts(HUB_API, "example/flood", "1.0"));
        assert_eq!(of("docker.io/busybox:1"), parts(HUB_API, "library/busybox", "1"));
        assert_eq!(of("index.docker.io/a/b"), parts(HUB_API, "a/b", "latest"));
        assert_eq!(of("ghcr.io/a/b/c:x"), parts("ghcr.io", "a/b/c", "x"));
        assert_eq!(of("localhost/a:1"), parts("localhost", "a", "1"));
        assert_eq!(of("r:5000/a"), parts("r:5000", "a", "latest"));
        assert_eq!(of(&format!("r:5000/a:1@{digest}")), parts("r:5000", "a", &digest));
        let reference = Reference::parse(&format!("busybox:1@{digest}")).unwrap();
        assert_eq!(reference.pinned("sha256:1"), "busybox:1@sha256:1");
    }

    #[test]
    fn what_is_no_name_reaches_no_registry() {
        let short = "a@sha256:0a";
        for text in [
            "",
            "A",
            "a/B",
            "../x",
            "r.io/../x",
            "r.io//x",
            "r.io/x?y",
            "r.io/x#y",
            "r.io:99999/x",
            "r.io:/x",
            "a:",
            "a:b c",
            "user@r.io/x",
            "r.io/%2e%2e/x",
            "r.io/-x",
            short,
            "https://r.io/x",
        ] {
            assert!(Reference::parse(text).is_err(), "{text}");
        }
        assert_eq!(Reference::parse("a@sha512:00"), Err(LookUpError::OtherDigest));
    }

    #[test]
    fn this_machine_in_its_spellings() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.evil.org", "10.0.0.1:5000", "registry", "127.0.0.1.evil.org:80"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
