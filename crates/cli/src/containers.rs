//! Whether this machine runs containers: an engine, and the agent that goes into them.

use std::{
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use rutter_exec_local::{Choice, Engine, EngineKind};

use crate::config::{ContainerEngine, Local};

/// Name of the agent's program, which is shipped beside the server's.
const AGENT: &str = "rutter-agent";

/// What containers are run with.
pub(crate) struct Found {
    pub(crate) engine: Engine,
    pub(crate) agent: PathBuf,
}

/// Look for it; otherwise what is missing and what to do, as a fragment.
pub(crate) fn find(local: &Local) -> Result<Found, String> {
    let choice = match local.container_engine {
        ContainerEngine::Auto => Choice::Any,
        ContainerEngine::Podman => Choice::Only(EngineKind::Podman),
        ContainerEngine::Docker => Choice::Only(EngineKind::Docker),
        ContainerEngine::None => return Err("`local.containerEngine` is `none`".to_owned()),
    };
    let engine = Engine::find(choice).ok_or_else(|| no_engine(choice))?;
    Ok(Found { engine, agent: agent(local)? })
}

fn no_engine(choice: Choice) -> String {
    let what = match choice {
        Choice::Any => "no container engine is found: install Podman or Docker",
        Choice::Only(EngineKind::Podman) => "podman is not found: install it",
        Choice::Only(EngineKind::Docker) => "docker is not found, or its service does not answer: start it",
    };
    format!("{what}, or give the package a unit of `type: command`")
}

fn agent(local: &Local) -> Result<PathBuf, String> {
    let path = match &local.container_agent {
        Some(path) => path.clone(),
        None => std::env::current_exe().unwrap_or_default().with_file_name(AGENT),
    };
    let trouble = match is_static(&path) {
        Ok(true) => return Ok(path),
        Ok(false) => "is not linked statically",
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "is not there",
        Err(_) => "is no program for this machine",
    };
    Err(format!(
        "the agent for containers {} {trouble}: put the shipped `{AGENT}` there, or name it with `local.containerAgent`",
        path.display()
    ))
}

/// Whether a program needs no interpreter, and so no library of the image: no segment PT_INTERP (elf(5)).
fn is_static(path: &Path) -> std::io::Result<bool> {
    const INTERPRETER: [u8; 4] = 3_u32.to_ne_bytes();
    let mut file = std::fs::File::open(path)?;
    let mut head = [0; 64];
    file.read_exact(&mut head)?;
    let number = |at: usize| u64::from(u16::from_ne_bytes([head[at], head[at + 1]]));
    let (size, count) = (number(54), number(56));
    if !head.starts_with(b"\x7fELF\x02") || size < 4 {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let mut table = [0; 8];
    table.copy_from_slice(&head[32..40]);
    let table = u64::from_ne_bytes(table);
    for index in 0..count {
        let mut kind = [0; 4];
        file.seek(SeekFrom::Start(table.saturating_add(index * size)))?;
        file.read_exact(&mut kind)?;
        if kind == INTERPRETER {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_its_remedy() {
        let none = Local { container_engine: ContainerEngine::None, ..Local::default() };
        assert_eq!(find(&none).err().unwrap(), "`local.containerEngine` is `none`");
        for choice in [Choice::Any, Choice::Only(EngineKind::Podman), Choice::Only(EngineKind::Docker)] {
            assert!(no_engine(choice).contains("type: command"));
        }
    }

    #[test]
    fn only_a_static_agent_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let told =
            |path: PathBuf| agent(&Local { container_agent: Some(path), ..Local::default() }).unwrap_err();
        assert!(told(folder.path().join("absent")).contains("is not there"));
        let script = folder.path().join("script");
        std::fs::write(&script, "#!/bin/sh\n").unwrap();
        assert!(told(script.clone()).contains("is no program for this machine"));
        // Tests are linked against the C library.
        let own = std::env::current_exe().unwrap();
        assert!(!is_static(&own).unwrap());
        assert!(told(own).contains("is not linked statically"));
    }
}
