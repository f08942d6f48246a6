//! Why an image is not there, by what the machine that wanted it says.

/// What is wrong with an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// For people.
    pub(super) reason: String,
    /// Whether trying again is useless.
    pub(super) is_final: bool,
}

/// The trouble with an image, when a container waits for this reason.
pub(super) fn trouble(reason: &str, message: &str, image: &str) -> Option<Trouble> {
    let backing_off = match reason {
        "ErrImagePull" | "RegistryUnavailable" | "ImageInspectError" | "SignatureValidationFailed" => false,
        "ImagePullBackOff" => true,
        "InvalidImageName" => return Some(finally(format!("`{image}` is no valid name of an image"))),
        "ErrImageNeverPull" => {
            return Some(finally(format!(
                "the image `{image}` is not on the machine and may not be fetched"
            )));
        }
        _ => return None,
    };
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
    } else if says(&["no match for platform"]) {
        ("there is none for this kind of machine", true)
    } else {
        ("it is tried again", false)
    };
    let reason = format!("the image `{image}` can't be fetched: {why}");
    // What is final is believed at the second look.
    Some(Trouble { reason, is_final: is_final && backing_off })
}

fn finally(reason: String) -> Trouble {
    Trouble { reason, is_final: true }
}
