//! Names that stand twice in one object. YAML forbids them; they are let through the parser, so that all of them are told
//! at once, together with every other fault of the file.

use std::collections::HashMap;

use super::walk::{Report, Spot, shorten};

/// A fault for each name that stands there again.
pub(super) fn check(report: &mut Report<'_>, spot: &Spot<'_>) {
    let mut first = HashMap::new();
    for (key, member) in spot.members() {
        if let Some(line) = first.get(key.text.as_str()) {
            let message = format!("duplicate key {:?}: it stands in line {line} already", shorten(&key.text));
            let remedy = "remove one of the two, or give it another name".to_owned();
            report.fault_at(key.place, &member.path, message, Some(remedy));
        } else {
            first.insert(key.text.as_str(), key.place.line);
        }
        check(report, &member);
    }
    for item in spot.items() {
        check(report, &item);
    }
}
