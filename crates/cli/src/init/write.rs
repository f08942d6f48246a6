//! Writes the package, with comments that teach the next step.

use serde_json::Value;

use super::guess::{Guess, Input, InputKind, Item};

/// The text of `package.yaml`.
pub(super) fn package(id: &str, guess: &Guess) -> String {
    let id = scalar(id);
    let mut out = String::from(
        "# An application package: what the process is, and how it runs. Check it with `rutter check`.\n",
    );
    out.push_str("processDescription:\n  process:\n");
    out.push_str(&format!("    id: {id}\n    version: 1.0.0\n    title: {id}\n"));
    out.push_str(
        "    # What it does, for people who do not know it.\n    description: Describe the process here.\n",
    );
    out.push_str("    # Leave out async-execute for a process that always ends at once, sync-execute for one that takes long.\n");
    out.push_str("    jobControlOptions: [sync-execute, async-execute, dismiss]\n");
    inputs(&mut out, &guess.inputs);
    out.push_str("    outputs:\n      # What the command prints. For files that it writes, see `outputBindings` below.\n");
    out.push_str("      result:\n        title: Result\n        schema: {type: string}\n");
    out.push_str("executionUnit:\n  - type: command\n");
    command(&mut out, guess);
    out.push_str(
        "    # Cores, GB of memory, seconds. More memory or time than the greatest ends the command.\n",
    );
    out.push_str("    config: {cpuMin: 1, memoryMax: 1, jobTimeout: 600}\n");
    out.push_str("    bindings:\n      outputBindings:\n");
    out.push_str("        # The command finds the folder for its files in $RUTTER_OUT. For a file depth.tif there, write\n");
    out.push_str("        #   depth: {glob: depth.tif}\n");
    out.push_str("        # and above, below `outputs`:\n");
    out.push_str("        #   depth: {schema: {type: string, contentEncoding: binary, contentMediaType: image/tiff}}\n");
    out.push_str("        result: {stdout: true}\n");
    out.push_str("# Progress: lines such as `40 routing` appended to the file $RUTTER_PROGRESS.\n");
    out.push_str("# Requests that work, shown to callers and tried by `rutter check`:\n");
    examples(&mut out, &guess.inputs);
    out
}

fn inputs(out: &mut String, inputs: &[Input]) {
    if inputs.is_empty() {
        out.push_str("    # Values that callers may choose; the command names them as $(inputs.level):\n");
        out.push_str(
            "    #   level: {title: Water level in metres, schema: {type: number, minimum: 0, default: 3}}\n",
        );
        out.push_str("    inputs: {}\n");
        return;
    }
    out.push_str("    # Values that callers may choose. Say what they mean, their unit, and what is allowed (minimum, enum …).\n");
    out.push_str("    inputs:\n");
    for input in inputs {
        out.push_str(&format!("      {}:\n        title: {}\n", scalar(&input.id), scalar(&input.id)));
        let (schema, required) = schema(&input.kind);
        out.push_str(&format!("        schema: {schema}\n        minOccurs: {}\n", u32::from(required)));
    }
}

/// The schema, and whether the input must be given.
fn schema(kind: &InputKind) -> (String, bool) {
    match kind {
        InputKind::Number(number) => (format!("{{type: number, default: {number}}}"), false),
        InputKind::Boolean(it) => (format!("{{type: boolean, default: {it}}}"), false),
        InputKind::Text(text) => (format!("{{type: string, default: {}}}", quoted(text)), false),
        InputKind::File(media_type, path) => {
            let media_type = quoted(media_type);
            let file = format!("type: string, contentEncoding: binary, contentMediaType: {media_type}");
            match path {
                Some(path) => (format!("{{{file}, default: {{href: {}}}}}", quoted(path)), false),
                None => (format!("{{{file}}}"), true),
            }
        }
    }
}

fn command(out: &mut String, guess: &Guess) {
    out.push_str("    # Arguments one by one: there is no shell. A flag and its value belong together: [--level, $(inputs.level)]\n");
    out.push_str("    # is left out when the input has no value. $(package) is the folder of this file.\n    command:\n");
    let reference = |id: &str| reference(id, &guess.inputs);
    for item in &guess.items {
        match item {
            Item::Text(text) => out.push_str(&format!("      - {}\n", scalar(text))),
            Item::Pair(flag, id) => {
                out.push_str(&format!(
                    "      - [{}, {}]\n",
                    scalar(&super::guess::escaped(flag)),
                    reference(id)
                ));
            }
            Item::Glued(flag, id) => {
                let text = format!("{}{}", super::guess::escaped(flag), reference(id));
                out.push_str(&format!("      - {}\n", quoted(&text)));
            }
        }
    }
}

fn reference(id: &str, inputs: &[Input]) -> String {
    let is_file = inputs.iter().any(|input| input.id == id && matches!(input.kind, InputKind::File(..)));
    if is_file { format!("$(inputs.{id}.path)") } else { format!("$(inputs.{id})") }
}

fn examples(out: &mut String, inputs: &[Input]) {
    let mut lines = String::new();
    for input in inputs {
        let value = match &input.kind {
            InputKind::Number(number) => number.to_string(),
            InputKind::Boolean(it) => it.to_string(),
            InputKind::Text(text) => quoted(text),
            InputKind::File(_, Some(_)) => continue,
            InputKind::File(_, None) => format!("{{href: \"https://example.org/{}\"}}", input.id),
        };
        lines.push_str(&format!("      {}: {value}\n", scalar(&input.id)));
    }
    out.push_str("examples:\n  - title: As first written\n");
    if lines.is_empty() {
        out.push_str("    inputs: {}\n");
    } else {
        out.push_str(&format!("    inputs:\n{lines}"));
    }
}

/// A word as it stands where YAML reads it as text, else in quotes.
fn scalar(text: &str) -> String {
    let start = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '.' | '/'))
        || text.starts_with("$(")
        || (text.starts_with("-") && text.len() > 1 && !text.starts_with("- ") && text != "---");
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./$()+%".contains(c));
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let reserved = words.contains(&text.to_ascii_lowercase().as_str()) || text.parse::<f64>().is_ok();
    let dots = text.trim_start_matches(['-', '+']).starts_with('.')
        && !text.starts_with("./")
        && !text.starts_with("../");
    if start && plain && !reserved && !dots { text.to_owned() } else { quoted(text) }
}

/// JSON's quoting is YAML's.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
