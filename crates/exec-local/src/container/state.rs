//! What the engine knows of a container.

use serde::Deserialize;

use super::{Engine, EngineError};
use crate::attempt::AttemptEnd;

/// Exit code of a container whose first process, the agent, was killed.
const KILLED: i32 = 137;

/// A container as the engine tells it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct State {
    status: String,
    #[serde(default)]
    pid: i32,
    #[serde(default)]
    exit_code: i32,
    #[serde(default, rename = "OOMKilled")]
    oom_killed: bool,
}

/// The stages of a container's life that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It never ran.
    Made,
    /// Its first process has this number.
    Runs(i32),
    /// It ended, or is about to, and how is not known yet.
    Ends,
    /// It ended so.
    Ended(AttemptEnd),
}

impl State {
    /// Where it is in its life.
    pub(super) fn life(&self) -> Life {
        match self.status.as_str() {
            "created" | "configured" | "initialized" => Life::Made,
            "running" | "paused" if self.pid > 0 => Life::Runs(self.pid),
            "exited" | "dead" => Life::Ended(self.end()),
            _ => Life::Ends,
        }
    }

    fn end(&self) -> AttemptEnd {
        match self.exit_code {
            KILLED if self.oom_killed => AttemptEnd::OutOfMemory,
            KILLED => AttemptEnd::Lost,
            code => AttemptEnd::Code(code),
        }
    }
}

/// The container of a name; `None` = there is none.
pub(super) async fn of(engine: &Engine, name: &str) -> Result<Option<State>, EngineError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Inspected {
        state: State,
    }
    const LOOK: &str = "look at a container";
    let text = match engine.ask(LOOK, &["container", "inspect", name]).await {
        Ok(text) => text,
        Err(error) if is_absent(error.said()) => return Ok(None),
        Err(error) => return Err(error),
    };
    let inspected: Result<Vec<Inspected>, _> = serde_json::from_str(&text);
    let inspected = inspected.map_err(|error| EngineError::Failed {
        engine: engine.kind().name(),
        doing: LOOK,
        said: format!("its answer is not understood: {error}"),
    })?;
    Ok(inspected.into_iter().next().map(|inspected| inspected.state))
}

/// Whether the engine says that there is no such container.
pub(super) fn is_absent(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    said.contains("no such container") || said.contains("no container with name")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(json: &str) -> Life {
        serde_json::from_str::<State>(json).unwrap().life()
    }

    #[test]
    fn a_life_of_each_engine() {
        assert_eq!(life(r#"{"Status": "created", "Pid": 0, "ExitCode": 0}"#), Life::Made);
        assert_eq!(life(r#"{"Status": "running", "Pid": 12, "OOMKilled": false}"#), Life::Runs(12));
        assert_eq!(life(r#"{"Status": "stopping", "Pid": 12}"#), Life::Ends);
        assert_eq!(life(r#"{"Status": "stopped", "Pid": 0}"#), Life::Ends);
        let ended =
            |code, oom| life(&format!(r#"{{"Status": "exited", "ExitCode": {code}, "OOMKilled": {oom}}}"#));
        assert_eq!(ended(7, false), Life::Ended(AttemptEnd::Code(7)));
        assert_eq!(ended(137, false), Life::Ended(AttemptEnd::Lost));
        assert_eq!(ended(137, true), Life::Ended(AttemptEnd::OutOfMemory));
        // A process of the program was killed, the agent lived and told.
        assert_eq!(ended(1, true), Life::Ended(AttemptEnd::Code(1)));
    }

    #[test]
    fn absence_is_told_apart_from_trouble() {
        assert!(is_absent("inspecting object: no such container rutter-x"));
        assert!(is_absent("Error response from daemon: No such container: rutter-x"));
        assert!(is_absent("no container with name or ID \"x\" found: no such container"));
        assert!(!is_absent("Cannot connect to the Docker daemon at unix:///var/run/docker.sock."));
    }
}
