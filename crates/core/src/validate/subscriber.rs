//! Where a request wants to be called back (class `callback`): checked before anything runs, because a call that can
//! never be made would be noticed by nobody.

use rutter_types::{Fault, Subscriber};
use url::Url;

/// Longest URL that is called.
const LONGEST: usize = 8 * 1024;

/// Every fault of a subscriber's URLs.
pub(super) fn faults(subscriber: &Subscriber) -> Vec<Fault> {
    let members = [
        ("successUri", &subscriber.success),
        ("inProgressUri", &subscriber.in_progress),
        ("failedUri", &subscriber.failed),
    ];
    let given = members.into_iter().filter_map(|(name, url)| Some((name, url.as_deref()?)));
    given.filter(|(_, url)| !can_be_called(url)).map(|(name, url)| fault(name, url)).collect()
}

fn can_be_called(text: &str) -> bool {
    let secretless = |url: &Url| url.username().is_empty() && url.password().is_none();
    text.len() <= LONGEST
        && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && secretless(&url))
}

fn fault(name: &str, url: &str) -> Fault {
    Fault {
        pointer: format!("/subscriber/{name}"),
        detail: "must be an absolute http or https URL without user and password".into(),
        received: Some(super::shorten(&url.into())),
        allowed: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_that_can_be_called_are_taken() {
        let one = |url: &str| Subscriber { failed: Some(url.into()), ..Subscriber::default() };
        assert!(faults(&one("https://example.org/hook?x=1")).is_empty());
        for bad in ["", "AAA", "/hook", "ftp://example.org/", "https://ada:secret@example.org/", "http://"] {
            let found = faults(&one(bad));
            assert_eq!(found.len(), 1, "{bad:?}");
            assert_eq!(found[0].pointer, "/subscriber/failedUri");
        }
    }
}
