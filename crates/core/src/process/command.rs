//! Reads commands: lists of arguments, never lines for a shell.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::{
    CommandItem, Input, Template, TemplatePart,
    located::{Kind, Node},
    template::{self, Names},
    walk::{Report, Spot},
};
use crate::id::InputId;

/// A command as written. Faults are reported.
pub(super) fn read(report: &mut Report<'_>, spot: &Spot<'_>, names: Names<'_>) -> Vec<CommandItem> {
    if let Kind::Text(line) = &spot.node.kind {
        let words = line.split_whitespace().collect::<Vec<_>>().join(", ");
        let remedy = format!("write the arguments one by one: [{}]", super::walk::shorten(&words));
        report.fault(spot, "must be a list of arguments, is a line; there is no shell", remedy);
        return Vec::new();
    }
    let items = report.list(spot).unwrap_or_default();
    if items.is_empty() && matches!(spot.node.kind, Kind::List(_)) {
        report.fault(spot, "is empty", "write the program and its arguments: [python3, model.py]");
    }
    let read: Vec<CommandItem> = items.iter().filter_map(|item| one_item(report, item, names)).collect();
    if read.len() == items.len() {
        check_program(report, &items, &read);
        check_code(report, &items, &read);
        check_shell_words(report, &items);
    }
    read
}

fn one_item(report: &mut Report<'_>, spot: &Spot<'_>, names: Names<'_>) -> Option<CommandItem> {
    let item = match spot.node.kind {
        Kind::List(_) => {
            let parts = spot.items();
            if parts.is_empty() {
                report.fault(
                    spot,
                    "is an empty list",
                    "remove it, or write the arguments that belong together",
                );
            }
            let read: Vec<Template> = parts.iter().filter_map(|part| argument(report, part, names)).collect();
            if read.len() < parts.len() || read.is_empty() {
                return None;
            }
            CommandItem::Together(read)
        }
        _ => CommandItem::One(argument(report, spot, names)?),
    };
    check_repetition(report, spot, &item, names.inputs);
    Some(item)
}

/// One argument. An empty one is right: programs do take empty arguments.
pub(super) fn argument(report: &mut Report<'_>, spot: &Spot<'_>, names: Names<'_>) -> Option<Template> {
    let text = match &spot.node.kind {
        Kind::Text(text) if text.is_empty() => return Some(Template(Vec::new())),
        _ => report.text(spot)?,
    };
    if text.contains('\0') {
        report.fault(spot, "has a NUL character, which no argument can have", "remove it");
        return None;
    }
    match template::parse(text, names) {
        Ok(template) => Some(template),
        Err(error) => {
            report.fault(spot, error.to_string(), error.remedy());
            None
        }
    }
}

/// An item is repeated for each value of an input of several values: of two such inputs it can't.
pub(super) fn check_repetition(
    report: &mut Report<'_>,
    spot: &Spot<'_>,
    item: &CommandItem,
    inputs: &IndexMap<InputId, Input>,
) {
    let repeats = |part: &&TemplatePart| matches!(part, TemplatePart::Value(_) | TemplatePart::File(..));
    let many: BTreeSet<&InputId> = templates(item)
        .iter()
        .flat_map(|template| template.0.iter().filter(repeats))
        .filter_map(|part| match part {
            TemplatePart::Value(id) | TemplatePart::File(id, _) => Some(id),
            _ => None,
        })
        .filter(|id| inputs.get(*id).is_some_and(Input::is_many))
        .collect();
    if many.len() > 1 {
        let names: Vec<&str> = many.iter().map(|id| id.as_str()).collect();
        let message = format!("names several inputs of several values: {}", names.join(", "));
        report.fault(spot, message, "write one item for each of them");
    }
}

pub(super) fn templates(item: &CommandItem) -> &[Template] {
    match item {
        CommandItem::One(template) => std::slice::from_ref(template),
        CommandItem::Together(templates) => templates,
    }
}

/// Whoever calls must not choose the program.
fn check_program(report: &mut Report<'_>, items: &[Spot<'_>], read: &[CommandItem]) {
    let (Some(first), Some(spot)) = (read.first(), items.first()) else { return };
    match templates(first) {
        [Template(parts), ..] if parts.is_empty() => {
            report.fault(spot, "the program has no name", "write the program first: [python3, model.py]");
        }
        [template, ..] if template.inputs().next().is_some() => {
            let remedy = "name the program itself, and give it the value as an argument";
            report.fault(spot, "the program comes from an input: callers would run what they like", remedy);
        }
        _ => {}
    }
}

/// Code that is given to an interpreter must not hold what a caller gave.
fn check_code(report: &mut Report<'_>, items: &[Spot<'_>], read: &[CommandItem]) {
    let mut state = Words::Any;
    for (item, spot) in read.iter().zip(items) {
        for template in templates(item) {
            if state == Words::Code && template.inputs().next().is_some() {
                let remedy = r#"give it as an argument of its own: [sh, -c, 'model "$1"', sh, $(inputs.x)]"#;
                report.fault(spot, "an input stands in code: callers would run what they like", remedy);
            }
            let text = match template.0.as_slice() {
                [TemplatePart::Text(text)] => Some(text.as_str()),
                _ => None,
            };
            state = state.after(text);
        }
    }
}

/// What the next word of a command may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    /// Anything.
    Any,
    /// A flag of an interpreter, whose code flag has this letter.
    Flags(char),
    /// The value of a flag of an interpreter.
    Value(char),
    /// Code.
    Code,
}

impl Words {
    fn after(self, word: Option<&str>) -> Self {
        match (self, word) {
            (Self::Any, Some(word)) => code_flag(word).map_or(Self::Any, Self::Flags),
            (Self::Flags(letter), Some(word)) if word.starts_with(['-', '+']) => match word {
                "-o" | "+o" | "-O" | "-W" | "-X" => Self::Value(letter),
                "-m" | "-s" | "--" => Self::Any,
                _ if !word.starts_with("--") && word.ends_with(letter) => Self::Code,
                _ => self,
            },
            (Self::Value(letter), _) => Self::Flags(letter),
            (Self::Flags(_), Some(word)) => Self::Any.after(Some(word)),
            _ => Self::Any,
        }
    }
}

/// Letter of the flag whose value an interpreter runs as code; `None` for other programs.
pub fn code_flag(program: &str) -> Option<char> {
    let name = program.rsplit('/').next().unwrap_or(program);
    match name {
        "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash" | "busybox" | "fish" => Some('c'),
        "perl" | "ruby" | "node" | "Rscript" | "R" | "julia" | "lua" => Some('e'),
        "php" => Some('r'),
        _ if name.starts_with("python") || name.starts_with("pypy") => Some('c'),
        _ => None,
    }
}

/// What only a shell understands is an argument like any other here.
fn check_shell_words(report: &mut Report<'_>, items: &[Spot<'_>]) {
    for spot in items {
        let Node { kind: Kind::Text(text), .. } = spot.node else { continue };
        if matches!(text.as_str(), "|" | "||" | "&" | "&&" | ";" | ">" | ">>" | "<" | "2>" | "2>&1") {
            let message = format!("{text:?} is handed to the program as it stands: there is no shell");
            report.notice(spot, message, Some("write the commands into a script and call that".to_owned()));
        }
    }
}
