//! The image: fetched when it is not here, and what it says of itself.

use rutter_core::pull;
use serde::Deserialize;

use super::{Engine, EngineError};

/// What an image says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ImageFacts {
    /// Its ENTRYPOINT and CMD.
    pub(super) command: Vec<String>,
    /// Whom it runs as: `uid`, `uid:gid`, or names.
    pub(super) user: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    #[serde(default)]
    config: Config,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    user: String,
}

/// Why an image can't be had.
#[derive(Debug)]
pub(crate) struct Missing {
    /// For people.
    pub(super) reason: String,
    /// Whether trying again is useless.
    pub(super) is_final: bool,
}

/// What is known of an image; `None` = it is not on this machine.
pub(super) async fn facts(engine: &Engine, image: &str) -> Result<Option<ImageFacts>, EngineError> {
    match engine.ask("look at the image", &["image", "inspect", image]).await {
        Ok(text) => Ok(parse(&text)),
        Err(error) if is_absent(error.said()) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_absent(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    said.contains("no such image") || said.contains("image not known")
}

fn parse(text: &str) -> Option<ImageFacts> {
    let Config { entrypoint, cmd, user } =
        serde_json::from_str::<Vec<Inspected>>(text).ok()?.into_iter().next()?.config;
    let command = entrypoint.into_iter().chain(cmd).flatten().collect();
    Some(ImageFacts { command, user })
}

/// Fetch an image with the credentials that the engine has.
pub(super) async fn fetch(engine: &Engine, image: &str) -> Result<(), Missing> {
    let pulled = engine.ask_patiently("fetch the image", &["pull", "--quiet", image]).await;
    let Err(error) = pulled else { return Ok(()) };
    let pull::Trouble { why, is_final } = pull::trouble(error.said());
    tracing::warn!(image, error = &error as &dyn std::error::Error, "an image can't be fetched");
    Err(Missing { reason: format!("the image `{image}` can't be fetched: {why}"), is_final })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_engines_are_understood() {
        let podman = r#"[{"Id": "x", "Config": {"Cmd": ["/bin/sh"]}, "User": ""}]"#;
        let facts = |command: &[&str], user: &str| {
            Some(ImageFacts { command: command.iter().map(|&it| it.into()).collect(), user: user.into() })
        };
        assert_eq!(parse(podman), facts(&["/bin/sh"], ""));
        let docker = r#"[{"Config": {"User": "65532", "Entrypoint": ["/model"], "Cmd": ["--all"]}}]"#;
        assert_eq!(parse(docker), facts(&["/model", "--all"], "65532"));
        assert_eq!(parse(r#"[{"Config": {"Entrypoint": null, "Cmd": null, "User": ""}}]"#), facts(&[], ""));
        assert_eq!(parse("[]"), None);
        assert!(is_absent("Error response from daemon: No such image: x:1"));
        assert!(is_absent("inspecting object: localhost/none:1: image not known"));
        assert!(!is_absent("Cannot connect to the Docker daemon"));
    }
}
