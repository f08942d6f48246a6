//! The command that a request would give, as one would type it into a shell.

use rutter_core::{
    plan::{self, Needs, Plan, PlanDefaults, PlannedUnit},
    process::{ExecutionUnit, Process},
    validate,
};
use rutter_types::{
    ExecuteRequest,
    agent::{Arg, FetchPolicy, FileField, Limits, Part, StageItem},
};

/// One line for each unit. `Err` = why the request is no request for this process.
pub(super) fn lines(process: &Process, request: &ExecuteRequest) -> Result<Vec<String>, String> {
    let context = validate::Context { own_results: &|_| None };
    let valid = validate::validate(process, request, &context).map_err(|faults| {
        let faults: Vec<String> =
            faults.iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail)).collect();
        format!("no sample inputs could be made ({}); add `examples` to the package", faults.join("; "))
    })?;
    let line = |unit: &ExecutionUnit| shown(&plan::plan(process, unit, &valid, &defaults()));
    Ok(process.units.iter().map(line).collect())
}

/// Nothing of it shows in a command.
fn defaults() -> PlanDefaults {
    PlanDefaults {
        needs: Needs::default(),
        limits: Limits {
            command_seconds: 0,
            grace_seconds: 0,
            memory_bytes: None,
            scratch_bytes: None,
            output_bytes: 0,
            log_bytes: 0,
            contact_seconds: 0,
        },
        fetch: FetchPolicy {
            max_bytes: 0,
            idle_seconds: 0,
            max_redirects: 0,
            private_networks: false,
            allow: Vec::new(),
        },
    }
}

fn shown(plan: &Plan) -> String {
    let arguments: Vec<String> = plan.command.iter().map(|arg| argument(arg, &plan.stage)).collect();
    match &plan.unit {
        PlannedUnit::Command => format!("$ {}", arguments.join(" ")),
        PlannedUnit::Docker { image, .. } if arguments.is_empty() => {
            format!("{image} $ (the image's own command)")
        }
        PlannedUnit::Docker { image, .. } => format!("{image} $ {}", arguments.join(" ")),
        PlannedUnit::Adopted => "(made by another system)".to_owned(),
    }
}

fn argument(arg: &Arg, stage: &[StageItem]) -> String {
    let parts: Vec<String> = arg.0.iter().map(|part| shown_part(part, stage)).collect();
    if parts.is_empty() { "''".to_owned() } else { parts.concat() }
}

fn shown_part(part: &Part, stage: &[StageItem]) -> String {
    match part {
        Part::Text(text) => quoted(text),
        Part::File { stage: at, field } => stage.get(*at).map(|item| file(item, *field)).unwrap_or_default(),
        Part::Staged { stage: at } => stage
            .get(*at)
            .map(|item| format!("\"$(cat {})\"", file(item, FileField::Path)))
            .unwrap_or_default(),
    }
}

/// Where the agent puts a file: `$RUTTER_IN/<input>/<name>`, with a number between for one of several.
fn file(item: &StageItem, field: FileField) -> String {
    let (root, extension) = match item.name.rfind('.') {
        Some(at) if at > 0 => item.name.split_at(at),
        _ => (item.name.as_str(), ""),
    };
    match field {
        FileField::Basename => quoted(&item.name),
        FileField::Nameroot => quoted(root),
        FileField::Nameext => quoted(extension),
        FileField::Path => {
            let index = item.index.map(|index| format!("{index}/")).unwrap_or_default();
            format!("$RUTTER_IN/{}", quoted(&format!("{}/{index}{}", item.input, item.name)))
        }
    }
}

/// As a shell reads it back unchanged.
fn quoted(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !text.is_empty() && text.chars().all(safe) {
        return text.to_owned();
    }
    if text.chars().any(char::is_control) {
        let escaped: String = text.chars().map(escaped).collect();
        return format!("$'{escaped}'");
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn escaped(c: char) -> String {
    match c {
        '\n' => r"\n".to_owned(),
        '\t' => r"\t".to_owned(),
        '\'' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_every_argument_back_unchanged() {
        for text in [
            "a",
            "",
            "a b",
            "it's",
            "$HOME `date` \"x\"",
            "a\nb\t'c' \\",
            "ü",
            "*",
            "~",
            "#",
            "!x",
            "\u{1b}[2J",
        ] {
            let script = format!("printf %s {}", quoted(text));
            assert!(!script.chars().any(char::is_control), "{script:?}");
            let out = std::process::Command::new("bash")
                .args(["-c", &script])
                .env("LC_ALL", "C.UTF-8")
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&out.stdout), text, "{script}");
        }
    }
}
