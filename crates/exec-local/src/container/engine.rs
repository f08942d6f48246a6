//! The engine's command line: found, called, and what it says when it fails.

use std::{
    ffi::OsString,
    io,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

/// What any call but a pull may take; a loaded machine needs seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where Docker listens unless it is told otherwise.
const DOCKER_SOCKET: &str = "/var/run/docker.sock";
/// Longest text of an engine that is repeated.
const LONGEST: usize = 500;

/// Which engine is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The first that is there: Podman, then Docker.
    Any,
    /// This one.
    Only(EngineKind),
}

/// A kind of engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// Podman.
    Podman,
    /// Docker.
    Docker,
}

impl EngineKind {
    /// Name of its program.
    pub fn name(self) -> &'static str {
        match self {
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }
}

/// A container engine of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engine {
    kind: EngineKind,
    program: PathBuf,
}

/// Why an engine did not do something.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Its program can't be run.
    #[error("could not run {}", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It refused or failed.
    #[error("{engine} could not {doing}: {said}")]
    Failed {
        /// Name of the engine.
        engine: &'static str,
        /// What was asked of it.
        doing: &'static str,
        /// What it said.
        said: String,
    },
    /// It did not answer.
    #[error("{engine} did not answer for {seconds} s when asked to {doing}")]
    Slow {
        /// Name of the engine.
        engine: &'static str,
        /// What was asked of it.
        doing: &'static str,
        /// How long.
        seconds: u64,
    },
}

impl EngineError {
    /// What the engine said, if it said anything.
    pub(crate) fn said(&self) -> &str {
        match self {
            Self::Failed { said, .. } => said,
            _ => "",
        }
    }
}

impl Engine {
    /// The engine that is wanted, if it is there and can be reached. Looks at files only, but where Docker does not listen at its
    /// usual place: then its program is asked.
    pub fn find(choice: Choice) -> Option<Self> {
        let kinds: &[EngineKind] = match &choice {
            Choice::Any => &[EngineKind::Podman, EngineKind::Docker],
            Choice::Only(kind) => std::slice::from_ref(kind),
        };
        let all = kinds.iter().filter_map(|&kind| Some(Self { kind, program: program(kind.name())? }));
        all.into_iter().find(Self::is_reachable)
    }

    /// Podman or Docker.
    pub fn kind(&self) -> EngineKind {
        self.kind
    }

    /// Its program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// What it says of itself, such as `podman version 4.3.1`. Blocks.
    ///
    /// # Errors
    /// It can't be run, or is broken.
    pub fn version(&self) -> Result<String, EngineError> {
        let run = |source| EngineError::Run { program: self.program.clone(), source };
        let output = std::process::Command::new(&self.program)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .map_err(run)?;
        if !output.status.success() {
            return Err(self.failed("tell its version", &output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn is_reachable(&self) -> bool {
        let asked = || {
            let server = std::process::Command::new(&self.program)
                .args(["version", "--format", "{{.Server.Version}}"])
                .stdin(Stdio::null())
                .output();
            server.is_ok_and(|output| output.status.success())
        };
        // Podman has no server.
        self.kind == EngineKind::Podman || UnixStream::connect(DOCKER_SOCKET).is_ok() || asked()
    }

    /// Let it do something, with `input` on its standard input; gives what it prints.
    pub(crate) async fn feed(
        &self,
        doing: &'static str,
        args: &[OsString],
        input: &[u8],
    ) -> Result<String, EngineError> {
        let slow = |_| EngineError::Slow { engine: self.kind.name(), doing, seconds: PATIENCE.as_secs() };
        timeout(PATIENCE, self.run(doing, args, input, None)).await.map_err(slow)?
    }

    /// Let it start something that lives on, in a folder: what supervises it may leave files there.
    pub(crate) async fn ask_in(
        &self,
        folder: &Path,
        doing: &'static str,
        args: &[&str],
    ) -> Result<String, EngineError> {
        let slow = |_| EngineError::Slow { engine: self.kind.name(), doing, seconds: PATIENCE.as_secs() };
        let args: Vec<OsString> = args.iter().map(Into::into).collect();
        timeout(PATIENCE, self.run(doing, &args, &[], Some(folder))).await.map_err(slow)?
    }

    /// Let it do something.
    pub(crate) async fn ask(&self, doing: &'static str, args: &[&str]) -> Result<String, EngineError> {
        let args: Vec<OsString> = args.iter().map(Into::into).collect();
        self.feed(doing, &args, &[]).await
    }

    /// Let it do something that may take as long as it takes.
    pub(crate) async fn ask_patiently(
        &self,
        doing: &'static str,
        args: &[&str],
    ) -> Result<String, EngineError> {
        let args: Vec<OsString> = args.iter().map(Into::into).collect();
        self.run(doing, &args, &[], None).await
    }

    /// It keeps the server's own environment: that says where its files and its service are.
    async fn run(
        &self,
        doing: &'static str,
        args: &[OsString],
        input: &[u8],
        folder: Option<&Path>,
    ) -> Result<String, EngineError> {
        let run = |source| EngineError::Run { program: self.program.clone(), source };
        let mut command = Command::new(&self.program);
        command.args(args).kill_on_drop(true);
        if let Some(folder) = folder {
            command.current_dir(folder);
        }
        let stdin = if input.is_empty() { Stdio::null() } else { Stdio::piped() };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(run)?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that ends without reading says why on its standard error.
            let _ = stdin.write_all(input).await;
        }
        let output = child.wait_with_output().await.map_err(run)?;
        if !output.status.success() {
            return Err(self.failed(doing, &output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn failed(&self, doing: &'static str, stderr: &[u8]) -> EngineError {
        EngineError::Failed {
            engine: self.kind.name(),
            doing,
            said: last_word(&String::from_utf8_lossy(stderr)),
        }
    }
}

/// The last line that says something, without the word that says that it is an error.
fn last_word(text: &str) -> String {
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it gave no reason");
    let line = line.strip_prefix("Error: ").unwrap_or(line);
    line.chars().take(LONGEST).collect()
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let is_program = |path: &PathBuf| {
        path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(is_program)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(script: &str) -> (tempfile::TempDir, Engine) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("podman");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        (folder, Engine { kind: EngineKind::Podman, program })
    }

    #[tokio::test]
    async fn what_it_says_last_is_the_reason() {
        let (_folder, engine) =
            engine("echo 'Trying to pull x' >&2; echo 'Error: no such thing' >&2; exit 125");
        let error = engine.ask("fetch the image", &["pull", "x"]).await.unwrap_err();
        assert_eq!(error.to_string(), "podman could not fetch the image: no such thing");
        let (_folder, silent) = self::engine("exit 1");
        let error = silent.ask("fetch the image", &[]).await.unwrap_err();
        assert_eq!(error.said(), "it gave no reason");
    }

    #[tokio::test]
    async fn words_stay_words_and_input_arrives() {
        let (_folder, engine) = engine("printf '%s|' \"$@\"; cat");
        let args: Vec<OsString> = ["a b", "$(x)", ""].iter().map(Into::into).collect();
        assert_eq!(engine.feed("try", &args, b"fed").await.unwrap(), "a b|$(x)||fed");
        assert_eq!(engine.ask("try", &["; rm"]).await.unwrap(), "; rm|");
    }

    #[tokio::test]
    async fn a_program_that_is_gone_is_told() {
        let (folder, engine) = engine("true");
        drop(folder);
        assert!(matches!(engine.ask("try", &[]).await, Err(EngineError::Run { .. })));
        assert!(matches!(engine.version(), Err(EngineError::Run { .. })));
    }
}
