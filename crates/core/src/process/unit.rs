//! Reads execution units (Part 2, `executionUnit.yaml`, flat or with its members below `value`).

use std::path::Path;

use indexmap::IndexMap;

use super::{
    CommandItem, CommandUnit, Config, Contract, DockerUnit, EnvEntry, ExecutionUnit, Input, Output,
    OutputBinding, TemplatePart, Validation, bindings, command, env, kubernetes,
    located::Kind,
    template::Names,
    walk::{Report, Spot, shorten},
};
use crate::id::{InputId, OutputId};

const TYPES: [&str; 3] = ["command", "docker", "oci"];
const COMMAND: [&str; 4] = ["command", "env", "config", "bindings"];
const DOCKER: [&str; 8] =
    ["image", "deployment", "contract", "command", "env", "config", "bindings", "kubernetes"];

/// What units refer to.
pub(super) struct Declared<'a> {
    pub(super) inputs: &'a IndexMap<InputId, Input>,
    pub(super) outputs: &'a IndexMap<OutputId, Output>,
    pub(super) folder: Option<&'a Path>,
    pub(super) validation: Validation,
}

/// Every unit, in order of preference.
pub(super) fn read(report: &mut Report<'_>, top: &Spot<'_>, declared: &Declared<'_>) -> Vec<ExecutionUnit> {
    let Some(spot) = top.get("executionUnit") else {
        let remedy = "add `executionUnit: {type: command, command: [python3, model.py]}`";
        report.fault(top, "`executionUnit` is missing", remedy);
        return Vec::new();
    };
    let spots = match spot.node.kind {
        Kind::List(_) => spot.items(),
        _ => vec![spot.clone()],
    };
    if spots.is_empty() {
        report.fault(&spot, "is an empty list", "write at least one unit");
    }
    spots.iter().filter_map(|unit| one(report, unit, declared)).collect()
}

fn one(report: &mut Report<'_>, spot: &Spot<'_>, declared: &Declared<'_>) -> Option<ExecutionUnit> {
    if !report.any_object(spot) || is_foreign(report, spot) {
        return None;
    }
    let Some(kind) = spot.get("type") else {
        report.fault(spot, "`type` is missing", "write `type: command` or `type: docker`");
        return None;
    };
    let kind = report.word(&kind, &TYPES)?;
    let known: &[&str] = if kind == "command" { &COMMAND } else { &DOCKER };
    let body = body(report, spot, kind, known);
    if kind == "command" {
        command_unit(report, &body, declared).map(ExecutionUnit::Command)
    } else {
        docker_unit(report, &body, declared).map(ExecutionUnit::Docker)
    }
}

/// Units in languages that this version does not run.
fn is_foreign(report: &mut Report<'_>, spot: &Spot<'_>) -> bool {
    let media_type = spot.get("mediaType").or_else(|| spot.get("type"));
    let is_cwl = media_type
        .is_some_and(|member| matches!(&member.node.kind, Kind::Text(text) if text.contains("cwl")));
    let foreign = is_cwl || spot.get("href").is_some();
    if foreign {
        let message = "CWL and units by link are not supported by this version";
        report.fault(spot, message, "write `type: docker` or `type: command`");
    }
    foreign
}

/// The object that holds the unit's members; unknown ones are reported.
fn body<'a>(report: &mut Report<'_>, spot: &Spot<'a>, kind: &str, known: &[&str]) -> Spot<'a> {
    let other = if kind == "command" { &DOCKER[..] } else { &[] };
    let why = |name: &str| {
        let elsewhere = other.contains(&name) && !known.contains(&name);
        elsewhere.then_some("belongs to units of `type: docker`")
    };
    if let Some(value) = spot.get("value") {
        report.object(spot, &["type", "value"]);
        report.object_but(&value, known, why);
        return value;
    }
    let known: Vec<&str> = std::iter::once("type").chain(known.iter().copied()).collect();
    report.object_but(spot, &known, why);
    spot.clone()
}

/// What both kinds of units have.
struct Common {
    command: Vec<CommandItem>,
    env: Vec<EnvEntry>,
    config: Config,
    outputs: IndexMap<OutputId, OutputBinding>,
    when_failed: Vec<OutputId>,
}

fn common(
    report: &mut Report<'_>,
    spot: &Spot<'_>,
    declared: &Declared<'_>,
    folder: Option<&Path>,
) -> Common {
    let names = Names { inputs: declared.inputs, own: None, folder };
    let mut items =
        spot.get("command").map(|member| command::read(report, &member, names)).unwrap_or_default();
    let (mut outputs, mut when_failed) = (IndexMap::new(), Vec::new());
    if let Some(bindings) = spot.get("bindings")
        && report.object(&bindings, &["inputBindings", "outputBindings"])
    {
        items.extend(bindings::inputs(report, &bindings, names));
        (outputs, when_failed) = bindings::outputs(report, &bindings, declared.outputs);
    }
    let env = spot.get("env").map(|member| env::read(report, &member)).unwrap_or_default();
    let config = spot.get("config").map(|member| super::config::read(report, &member)).unwrap_or_default();
    Common { command: items, env, config, outputs, when_failed }
}

fn command_unit(report: &mut Report<'_>, spot: &Spot<'_>, declared: &Declared<'_>) -> Option<CommandUnit> {
    let before = report.faults.len();
    if spot.get("command").is_none() {
        report.fault(spot, "`command` is missing", "add `command: [python3, model.py]`");
    }
    let Common { command, env, config, outputs, when_failed } =
        common(report, spot, declared, declared.folder);
    program_is_there(report, spot, &command, declared.folder);
    (report.faults.len() == before).then_some(CommandUnit { command, env, config, outputs, when_failed })
}

/// A program of the package itself should be in its folder.
fn program_is_there(
    report: &mut Report<'_>,
    spot: &Spot<'_>,
    command: &[CommandItem],
    folder: Option<&Path>,
) {
    let (Some(folder), Some(first)) = (folder, command.first()) else { return };
    let Some([TemplatePart::Text(program)]) = command::templates(first).first().map(|it| it.0.as_slice())
    else {
        return;
    };
    let ours = program.contains('/') && !program.starts_with('/');
    let Some(at) = spot.get("command").filter(|_| ours) else { return };
    let message = match std::fs::metadata(folder.join(program)) {
        Ok(meta) if meta.is_file() && is_executable(&meta) => return,
        Ok(meta) if meta.is_file() => format!("{:?} may not be executed", shorten(program)),
        _ => format!("there is no file {:?} in the package's folder", shorten(program)),
    };
    report.notice(&at, message, Some(format!("put it there, and run chmod +x {}", shorten(program))));
}

#[cfg(unix)]
fn is_executable(meta: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    meta.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &std::fs::Metadata) -> bool {
    true
}

fn docker_unit(report: &mut Report<'_>, spot: &Spot<'_>, declared: &Declared<'_>) -> Option<DockerUnit> {
    let before = report.faults.len();
    let image = image(report, spot);
    if let Some(member) = spot.get("deployment")
        && report.text(&member).is_some()
    {
        report.notice(
            &member,
            "`deployment` has no effect: the server's executor decides where it runs",
            None,
        );
    }
    let Common { command, env, config, outputs, when_failed } = common(report, spot, declared, None);
    folder_is_not_there(report, spot, &command);
    if spot.get("command").is_none() && !command.is_empty() {
        let remedy = "write the image's program below `command`";
        report.fault(spot, "`inputBindings` give arguments, and there is no `command` to take them", remedy);
    }
    let contract = match spot.get("contract").and_then(|member| report.word(&member, &["rutter", "pygeoapi"]))
    {
        Some("pygeoapi") => Contract::Pygeoapi,
        _ => Contract::Rutter,
    };
    let kubernetes = spot.get("kubernetes").and_then(|member| kubernetes::read(report, &member, declared));
    (report.faults.len() == before).then_some(DockerUnit {
        image: image?,
        contract,
        command,
        env,
        config,
        outputs,
        when_failed,
        kubernetes,
    })
}

/// The package's folder is not in the image: a program that looks for it would find nothing.
fn folder_is_not_there(report: &mut Report<'_>, spot: &Spot<'_>, command: &[CommandItem]) {
    const FOLDER: &str = "RUTTER_PACKAGE_DIR";
    let names = |part: &TemplatePart| matches!(part, TemplatePart::Text(text) if text.contains(FOLDER));
    let named = command.iter().flat_map(command::templates).flat_map(|it| &it.0).any(names);
    if let Some(at) = spot.get("command").filter(|_| named) {
        let remedy = "put the file into the image, or make it an input with `default: {href: …}`";
        report.fault(
            &at,
            format!("{FOLDER} is not set in an image: the package's folder is not there"),
            remedy,
        );
    }
}

fn image(report: &mut Report<'_>, spot: &Spot<'_>) -> Option<String> {
    let Some(member) = spot.get("image") else {
        report.fault(spot, "`image` is missing", "add for example `image: ghcr.io/example/flood:1.0`");
        return None;
    };
    let text = report.text(&member)?;
    let right = text.len() <= 512
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:@+".contains(c));
    if !right {
        let message = format!("{:?} is no image reference", shorten(text));
        report.fault(&member, message, "write REGISTRY/NAME:TAG");
        return None;
    }
    Some(text.to_owned())
}
