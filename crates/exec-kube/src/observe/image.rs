//! Why an image is not there, by what the machine that wanted it says.

use rutter_core::pull;

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
    let pull::Trouble { why, is_final } = pull::trouble(message);
    let reason = format!("the image `{image}` can't be fetched: {why}");
    // What is final is believed at the second look.
    Some(Trouble { reason, is_final: is_final && backing_off })
}

fn finally(reason: String) -> Trouble {
    Trouble { reason, is_final: true }
}
