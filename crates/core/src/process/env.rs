//! Reads `env` of an execution unit.

use super::{
    EnvEntry, EnvValue,
    located::Kind,
    walk::{Report, Spot, shorten},
};

/// Every variable in order.
pub(super) fn read(report: &mut Report<'_>, spot: &Spot<'_>) -> Vec<EnvEntry> {
    if matches!(spot.node.kind, Kind::Map(_)) {
        report.fault(spot, "must be a list, is an object", "write [{name: OMP_NUM_THREADS, value: \"4\"}]");
        return Vec::new();
    }
    let mut entries: Vec<EnvEntry> = Vec::new();
    for item in report.list(spot).unwrap_or_default() {
        let Some(entry) = entry(report, &item) else { continue };
        if entries.iter().any(|other| other.name == entry.name) {
            report.fault(&item, format!("{:?} stands here twice", entry.name), "remove one");
        }
        entries.push(entry);
    }
    entries
}

fn entry(report: &mut Report<'_>, spot: &Spot<'_>) -> Option<EnvEntry> {
    const KNOWN: [&str; 5] = ["name", "value", "inherit", "secretName", "secretKey"];
    let valid = report.object_but(spot, &KNOWN, |name| {
        (name == "valueFrom").then_some("is not supported; write secretName and secretKey beside `name`")
    });
    if !valid {
        return None;
    }
    let Some(name) = spot.get("name") else {
        report.fault(spot, "`name` is missing", "write {name: NAME, value: \"…\"}");
        return None;
    };
    let name = self::name(report, &name)?;
    Some(EnvEntry { value: value(report, spot, &name)?, name })
}

fn name(report: &mut Report<'_>, spot: &Spot<'_>) -> Option<String> {
    let text = report.text(spot)?;
    let right = !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !right {
        let message = format!("{:?} is no name of a variable", shorten(text));
        report.fault(spot, message, "use letters, digits and `_`; the first is no digit");
        return None;
    }
    if text.starts_with("RUTTER_") {
        report.fault(spot, "names starting with RUTTER_ are set by the server", "choose another name");
        return None;
    }
    Some(text.to_owned())
}

fn value(report: &mut Report<'_>, spot: &Spot<'_>, variable: &str) -> Option<EnvValue> {
    let (value, inherit) = (spot.get("value"), spot.get("inherit"));
    let (secret, key) = (spot.get("secretName"), spot.get("secretKey"));
    let ways = [value.is_some(), inherit.is_some(), secret.is_some() || key.is_some()];
    if ways.into_iter().filter(|way| *way).count() != 1 {
        let remedy = "write one of: value; inherit: true; secretName and secretKey";
        report.fault(spot, format!("{variable} must have its value from one place"), remedy);
        return None;
    }
    if let Some(value) = value {
        return text(report, &value).map(EnvValue::Text);
    }
    if let Some(inherit) = inherit {
        let yes = report.boolean(&inherit)?;
        if !yes {
            report.fault(&inherit, "is false", "remove the variable: nothing is passed on unasked");
        }
        return yes.then_some(EnvValue::Inherit);
    }
    let (Some(secret), Some(key)) = (secret, key) else {
        report.fault(spot, "secretName and secretKey belong together", "write both");
        return None;
    };
    Some(EnvValue::Secret { name: report.text(&secret)?.to_owned(), key: report.text(&key)?.to_owned() })
}

/// The value as written. References would stand there unresolved.
fn text(report: &mut Report<'_>, spot: &Spot<'_>) -> Option<String> {
    let text = match &spot.node.kind {
        Kind::Text(text) => text.as_str(),
        _ => report.text(spot)?,
    };
    if text.contains("$(") {
        let remedy = "give it to the command, or let the program read $RUTTER_INPUTS_FILE";
        report.fault(spot, "inputs are not put into the environment", remedy);
        return None;
    }
    if text.contains('\0') {
        report.fault(spot, "has a NUL character", "remove it");
        return None;
    }
    Some(text.to_owned())
}
