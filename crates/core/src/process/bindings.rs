//! Reads `bindings` of an execution unit (Part 2, requirement class docker): where arguments come from beyond the
//! command, and where outputs are found.

use indexmap::IndexMap;

use super::{
    CommandItem, Input, OutputBinding, Template, TemplatePart, command,
    located::{Kind, Place},
    suggest,
    template::Names,
    walk::{Report, Spot, shorten},
};
use crate::id::{InputId, OutputId};

/// Arguments that input bindings add to the command, in order of their position; then in the order they are written.
pub(super) fn inputs(report: &mut Report<'_>, bindings: &Spot<'_>, names: Names<'_>) -> Vec<CommandItem> {
    let inputs = names.inputs;
    let Some(spot) = bindings.get("inputBindings") else { return Vec::new() };
    if !report.any_object(&spot) {
        return Vec::new();
    }
    let mut placed: Vec<(u32, CommandItem)> = Vec::new();
    for (key, member) in spot.members() {
        let Some((id, input)) = inputs.get_key_value(key.text.as_str()) else {
            no_such(report, key.place, &member, "input", inputs.keys().map(InputId::as_str));
            continue;
        };
        placed.extend(input_binding(report, &member, input, Names { own: Some(id), ..names }));
    }
    placed.sort_by_key(|(position, _)| *position);
    placed.into_iter().map(|(_, item)| item).collect()
}

fn input_binding(
    report: &mut Report<'_>,
    spot: &Spot<'_>,
    input: &Input,
    names: Names<'_>,
) -> Option<(u32, CommandItem)> {
    let known = ["prefix", "position", "valueFrom", "itemSeparator", "shellQuote"];
    // The example of the official schema misnames its own member.
    let misnamed = |name: &str| (name == "inputSeparator").then_some("is called `itemSeparator`");
    if !report.object_but(spot, &known, misnamed) {
        return None;
    }
    let before = report.faults.len();
    let position = spot.get("position").map_or(Some(0), |member| report.whole(&member));
    if let Some(member) = spot.get("shellQuote")
        && report.boolean(&member) == Some(false)
    {
        report.fault(&member, "asks for a shell, and there is none", "remove it");
    }
    let value = binding_value(report, spot, input, names)?;
    let item = match spot.get("prefix") {
        None => CommandItem::One(value),
        Some(member) => prefixed(report.text(&member)?, value),
    };
    command::check_repetition(report, spot, &item, names.inputs);
    (report.faults.len() == before).then_some((position?, item))
}

/// `--dem` stands before its value as an argument of its own; `--dem=` is glued to it.
fn prefixed(prefix: &str, value: Template) -> CommandItem {
    let text = TemplatePart::Text(prefix.to_owned());
    if prefix.ends_with('=') || prefix.ends_with(':') {
        let glued = std::iter::once(text).chain(value.0).collect();
        return CommandItem::One(Template(glued));
    }
    CommandItem::Together(vec![Template(vec![text]), value])
}

fn binding_value(
    report: &mut Report<'_>,
    spot: &Spot<'_>,
    input: &Input,
    names: Names<'_>,
) -> Option<Template> {
    let id = names.own?;
    let separator = spot.get("itemSeparator");
    let Some(member) = spot.get("valueFrom") else {
        return match separator {
            Some(separator) => joined(report, &separator, id, input),
            None => Some(whole_value(id, input)),
        };
    };
    if let Some(separator) = &separator {
        report.fault(
            separator,
            "stands beside `valueFrom`, which says the value already",
            "remove one of them",
        );
    }
    let value = command::argument(report, &member, names)?;
    let may_be_absent = input.min_occurs == 0 && input.default.is_none();
    if may_be_absent && !value.inputs().any(|named| named == id) {
        let message = format!("does not name $(self): without a value for {id} it could not be left out");
        report.fault(&member, message, "name $(self) in it, give the input a default, or write minOccurs: 1");
        return None;
    }
    Some(value)
}

/// A file is told to a program by its path.
fn whole_value(id: &InputId, input: &Input) -> Template {
    let part = if input.is_file {
        TemplatePart::File(id.clone(), rutter_types::agent::FileField::Path)
    } else {
        TemplatePart::Value(id.clone())
    };
    Template(vec![part])
}

fn joined(report: &mut Report<'_>, separator: &Spot<'_>, id: &InputId, input: &Input) -> Option<Template> {
    let text = match &separator.node.kind {
        Kind::Text(text) => text.clone(),
        _ => report.text(separator)?.to_owned(),
    };
    if input.is_file {
        let remedy = "remove it: the argument is repeated for each file";
        report.fault(separator, "joins values, and files are no values", remedy);
        return None;
    }
    let is_array = input.description.schema.get("type").is_some_and(|name| name == "array");
    if !input.is_many() && !is_array {
        report.fault(separator, format!("input {id} has one value only"), "remove it, or raise maxOccurs");
        return None;
    }
    Some(Template(vec![TemplatePart::Joined(id.clone(), text)]))
}

/// Where outputs are found, by output, and those that are kept of a command that failed, too.
pub(super) fn outputs<T>(
    report: &mut Report<'_>,
    bindings: &Spot<'_>,
    outputs: &IndexMap<OutputId, T>,
) -> (IndexMap<OutputId, OutputBinding>, Vec<OutputId>) {
    let (mut found, mut when_failed) = (IndexMap::new(), Vec::new());
    let Some(spot) = bindings.get("outputBindings") else { return (found, when_failed) };
    if !report.any_object(&spot) {
        return (found, when_failed);
    }
    for (key, member) in spot.members() {
        let Some((id, _)) = outputs.get_key_value(key.text.as_str()) else {
            no_such(report, key.place, &member, "output", outputs.keys().map(OutputId::as_str));
            continue;
        };
        if let Some(spot) = member.get("whenFailed")
            && report.boolean(&spot) == Some(true)
        {
            when_failed.push(id.clone());
        }
        let Some(binding) = output_binding(report, &member) else { continue };
        if binding == OutputBinding::Stdout && found.values().any(|other| *other == OutputBinding::Stdout) {
            report.fault(&member, "standard output is bound to another output already", "write a glob");
            continue;
        }
        found.insert(id.clone(), binding);
    }
    (found, when_failed)
}

fn output_binding(report: &mut Report<'_>, spot: &Spot<'_>) -> Option<OutputBinding> {
    if !report.object(spot, &["glob", "stdout", "whenFailed"]) {
        return None;
    }
    match (spot.get("glob"), spot.get("stdout")) {
        (Some(glob), None) => globs(report, &glob).map(OutputBinding::Glob),
        (None, Some(stdout)) => match report.boolean(&stdout)? {
            true => Some(OutputBinding::Stdout),
            false => {
                report.fault(&stdout, "says nothing", "write `stdout: true`, or a glob");
                None
            }
        },
        (Some(_), Some(_)) => {
            report.fault(spot, "has both a glob and stdout", "keep one of them");
            None
        }
        (None, None) if spot.get("whenFailed").is_some() => None,
        (None, None) => {
            report.fault(spot, "says nothing", "write `{glob: NAME}`, or `{stdout: true}`");
            None
        }
    }
}

fn globs(report: &mut Report<'_>, spot: &Spot<'_>) -> Option<Vec<String>> {
    let items = match spot.node.kind {
        Kind::List(_) => spot.items(),
        _ => vec![spot.clone()],
    };
    if items.is_empty() {
        report.fault(spot, "is an empty list", "write file names, such as depth.tif or tiles/*.tif");
        return None;
    }
    let globs: Vec<String> = items.iter().filter_map(|item| glob(report, item)).collect();
    (globs.len() == items.len()).then_some(globs)
}

fn glob(report: &mut Report<'_>, spot: &Spot<'_>) -> Option<String> {
    let text = report.text(spot)?;
    let shown = shorten(text);
    if text.contains("$(") {
        let remedy = "write a fixed name or a pattern; the program can give its outputs fixed names";
        report.fault(spot, "expressions are not supported in a glob", remedy);
        return None;
    }
    let escapes = text.starts_with('/') || text.split('/').any(|part| part == "..") || text.contains('\0');
    if escapes {
        let remedy = "write a path relative to $RUTTER_OUT, the folder of the outputs";
        report.fault(spot, format!("{shown:?} leads out of the folder of the outputs"), remedy);
        return None;
    }
    if let Err(error) = globset::GlobBuilder::new(text).literal_separator(true).build() {
        report.fault(spot, format!("{shown:?} is no pattern: {}", error.kind()), "correct the pattern");
        return None;
    }
    Some(text.to_owned())
}

fn no_such<'n>(
    report: &mut Report<'_>,
    place: Place,
    spot: &Spot<'_>,
    what: &str,
    known: impl Iterator<Item = &'n str>,
) {
    let name = spot.path.rsplit(['.', '[']).next().unwrap_or_default().trim_matches([']', '"']);
    let remedy = match suggest::nearest(name, known) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("declare it below `{what}s`, or remove the binding"),
    };
    report.fault_at(place, &spot.path, format!("there is no {what} {:?}", shorten(name)), Some(remedy));
}
