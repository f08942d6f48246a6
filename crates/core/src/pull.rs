//! Why an image can't be fetched, by what registries and the programs that ask them say; the same words wherever it runs.

/// The trouble with fetching an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// For people, as a fragment after "the image can't be fetched: ".
    pub why: &'static str,
    /// Whether trying again is useless.
    pub is_final: bool,
}

/// What a message means.
pub fn trouble(message: &str) -> Trouble {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    // A registry that does not answer is no registry without the image.
    let (why, is_final) = if says(&[
        "no such host",
        "dial tcp",
        "timeout",
        "connection re",
        "tls:",
        "unavailable",
        "too many requests",
    ]) {
        ("its registry can't be reached", false)
    } else if says(&["not found", "manifest unknown", "name unknown", "does not exist"]) {
        ("there is no such image", true)
    } else if says(&["unauthorized", "denied", "authentication", "forbidden", "authorization failed"]) {
        ("its registry refuses access", true)
    } else if says(&["no match for platform", "no matching manifest", "no image found in image index"]) {
        ("there is none for this kind of machine", true)
    } else if says(&["short-name", "invalid reference"]) {
        ("its name must begin with its registry", true)
    } else {
        ("it is tried again", false)
    };
    Trouble { why, is_final }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_engines_say() {
        let told = |message: &str| {
            let Trouble { why, is_final } = trouble(message);
            (why, is_final)
        };
        let unreachable = ("its registry can't be reached", false);
        assert_eq!(told("pinging container registry x: dial tcp: lookup x: no such host"), unreachable);
        assert_eq!(told("Get \"https://x/v2/\": net/http: TLS handshake timeout"), unreachable);
        let absent = ("there is no such image", true);
        assert_eq!(
            told("initializing source docker://x/y:1: reading manifest 1 in x/y: manifest unknown"),
            absent
        );
        assert_eq!(told("manifest for x/y:1 not found: manifest unknown: manifest unknown"), absent);
        let refused = ("its registry refuses access", true);
        assert_eq!(told("Error response from daemon: pull access denied for y"), refused);
        assert_eq!(told("unauthorized: authentication required"), refused);
        let machine = ("there is none for this kind of machine", true);
        assert_eq!(told("no matching manifest for linux/arm64 in the manifest list entries"), machine);
        assert_eq!(told("no image found in image index for architecture arm64"), machine);
        let short = ("its name must begin with its registry", true);
        assert_eq!(told("short-name \"y\" did not resolve to an alias"), short);
        assert_eq!(told("what nobody knows"), ("it is tried again", false));
    }
}
