//! What is different in a container: the agent is brought in by another one, it echoes what the program prints, and it
//! leaves a word for whoever looks at the pod.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::StatVfsMountFlags;
use rutter_types::agent::Outcome;

/// Name of the program below the folder that both containers share.
const PROGRAM: &str = "bin/rutter-agent";
/// Where Kubernetes takes the last word of a container from, when it mounted a file there.
const LAST_WORD: &str = "/dev/termination-log";
/// Longest that Kubernetes keeps.
const LONGEST_WORD: usize = 4096;

/// Why the agent could not be brought into the shared folder.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("failed to copy itself to '{path}': {source}")]
    Copy { path: PathBuf, source: io::Error },
    #[error("programs can't be run from '{0}': its volume is mounted noexec")]
    NoExec(PathBuf),
}

/// Copies this program below `root`, for a container that has no Rutter in its image.
pub(crate) fn install(root: &Path) -> Result<(), Error> {
    let path = root.join(PROGRAM);
    copy(&path).map_err(|source| Error::Copy { path: path.clone(), source })?;
    let is_noexec =
        rustix::fs::statvfs(&path).is_ok_and(|volume| volume.f_flag.contains(StatVfsMountFlags::NOEXEC));
    if is_noexec { Err(Error::NoExec(path)) } else { Ok(()) }
}

/// Under another name first, so that a program that is there is whole.
fn copy(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension("new");
    let mut own = std::fs::File::open("/proc/self/exe")?;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(&draft)?;
    io::copy(&mut own, &mut file)?;
    // Whoever the other container runs as.
    file.set_permissions(PermissionsExt::from_mode(0o755))?;
    std::fs::rename(&draft, path)
}

/// Leaves the last word. It can be read by everybody who sees the pod, so nothing of the caller's stands in it.
pub(crate) fn last_word(text: &str) {
    let mut end = text.len().min(LONGEST_WORD);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // Only where Kubernetes made the file: elsewhere nobody reads it.
    if let Ok(mut file) = OpenOptions::new().write(true).truncate(true).open(LAST_WORD) {
        let _ = file.write_all(&text.as_bytes()[..end]);
    }
}

/// An outcome in words without anything that the caller sent or the program printed.
pub(crate) fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Exited { code } => format!("the program ended with exit code {code}"),
        Outcome::Signalled { signal } => format!("signal {signal} ended the program"),
        Outcome::Stopped => "asked to stop".to_owned(),
        Outcome::TimeLimit => "time limit".to_owned(),
        Outcome::OutOfMemory { peak_bytes } => format!("out of memory at {peak_bytes} bytes"),
        Outcome::ScratchLimit => "limit of disk space".to_owned(),
        Outcome::OutputLimit { .. } => "limit of outputs".to_owned(),
        Outcome::OutputMissing { .. } => "outputs are missing".to_owned(),
        Outcome::OutputUnusable { .. } => "an output can't be used".to_owned(),
        Outcome::CannotStart { .. } => "the program could not be started".to_owned(),
        Outcome::StagingFailed { .. } => "inputs could not be fetched".to_owned(),
        Outcome::BadInput { .. } => "inputs break the process description".to_owned(),
        Outcome::AgentFault { .. } => "the agent failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_brought_whole_and_executable_twice() {
        let root = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            install(root.path()).unwrap();
            let copied = root.path().join(PROGRAM);
            let own = std::fs::metadata("/proc/self/exe").unwrap();
            let metadata = std::fs::metadata(&copied).unwrap();
            assert_eq!((metadata.len(), metadata.permissions().mode() & 0o777), (own.len(), 0o755));
        }
    }

    #[test]
    fn words_say_nothing_of_the_callers() {
        let fault = rutter_types::Fault::new("/inputs/secret", "has the value hunter2");
        let outcomes = [
            Outcome::BadInput { faults: vec![fault.clone()] },
            Outcome::StagingFailed { faults: vec![fault] },
            Outcome::CannotStart { reason: "no such program: hunter2 secret".into() },
            Outcome::AgentFault { reason: "hunter2 secret".into() },
        ];
        for outcome in outcomes {
            let words = words(&outcome);
            assert!(!words.contains("hunter2") && !words.contains("secret"), "{words}");
        }
    }
}
