//! The folder of one attempt, and what it tells about its agent.
//!
//! ```text
//! token         the attempt's secret, 64 hexadecimal digits
//! agent.log     standard output and standard error of the agent itself
//! lock          held (flock) by the agent as long as it lives
//! record.json   which process the agent is, written before its command starts
//! report.json   what the agent reported
//! end.json      how the agent ended, written here once nothing of it runs any more
//! ```

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use rutter_core::executor::Observation;
use rutter_types::agent::{Outcome, Report, exit};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{folder, process::Process};

const TOKEN_BYTES: usize = 32;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AttemptEnd {
    /// The agent exited with this code.
    Code(i32),
    /// The agent was killed or vanished.
    Lost,
    /// The system ended it because its memory was used up.
    OutOfMemory,
    /// Somebody else removed its container.
    Removed,
}

/// What there is of an attempt.
#[derive(Debug)]
pub(crate) enum Standing {
    /// No agent holds it and none got as far as its command: one may be started.
    Fresh,
    /// An agent holds it, and which process that is does not stand in the folder.
    Held,
    /// What there is of its container was not asked yet.
    Unseen,
    /// Its agent runs, or ended and was not waited for.
    Alive(Process),
    /// Its agent is gone.
    Over {
        /// How.
        end: AttemptEnd,
        /// Whether nothing of it can run any more.
        clean: bool,
    },
}

impl Standing {
    /// What is seen of its launch.
    pub(crate) fn observation(&self) -> Observation {
        match self {
            Self::Fresh | Self::Unseen => Observation::Pending { reason: None },
            Self::Held | Self::Alive(_) | Self::Over { .. } => Observation::Running,
        }
    }
}

/// `record.json`, the agent's.
#[derive(Debug, Deserialize)]
pub(crate) struct AgentRecord {
    pub(crate) pid: i32,
    start_time: u64,
    boot_id: String,
}

/// The folder of an attempt.
#[derive(Clone, Debug)]
pub(crate) struct AttemptFolder(PathBuf);

impl AttemptFolder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn token_path(&self) -> PathBuf {
        self.0.join("token")
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.0.join("agent.log")
    }

    /// Make the folder and its secret, or find them: an agent that reads the secret soon may have been started before.
    pub(crate) fn make(&self) -> io::Result<String> {
        if !folder::make_private(&self.0)?
            && let Some(token) = self.token()
        {
            return Ok(token);
        }
        let token = random_token()?;
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(self.token_path())?;
        file.write_all(token.as_bytes())?;
        Ok(token)
    }

    /// The secret, when it was written whole.
    pub(crate) fn token(&self) -> Option<String> {
        let token = fs::read_to_string(self.token_path()).ok()?;
        let is_hex = token.bytes().all(|byte| byte.is_ascii_hexdigit());
        (token.len() == 2 * TOKEN_BYTES && is_hex).then_some(token)
    }

    /// What there is of it; `boot` is the identifier of the time since the machine was started.
    pub(crate) fn examine(&self, boot: &str) -> io::Result<Standing> {
        if let Some(end) = self.end() {
            return Ok(Standing::Over { end, clean: true });
        }
        // The lock first: an agent that ended in between has left its record.
        let held = self.is_held()?;
        let Some(record) = self.record() else {
            return Ok(match self.reported() {
                _ if held => Standing::Held,
                Some(end) => Standing::Over { end, clean: false },
                None => Standing::Fresh,
            });
        };
        if record.boot_id != boot {
            return Ok(Standing::Over { end: self.reported().unwrap_or(AttemptEnd::Lost), clean: true });
        }
        Ok(match Process::find(record.pid, record.start_time) {
            Some(process) => Standing::Alive(process),
            None => Standing::Over { end: self.reported().unwrap_or(AttemptEnd::Lost), clean: false },
        })
    }

    /// How it ended, once nothing of it runs any more.
    pub(crate) fn end(&self) -> Option<AttemptEnd> {
        read_json(&self.0.join("end.json"))
    }

    pub(crate) fn record(&self) -> Option<AgentRecord> {
        read_json(&self.0.join("record.json"))
    }

    /// Whether an agent holds the attempt.
    ///
    /// Looking takes the lock for an instant, which may turn away an agent that is just starting: so this is asked
    /// only where the answer "not held" leads to starting one.
    pub(crate) fn is_held(&self) -> io::Result<bool> {
        let lock = match File::open(self.0.join("lock")) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        match flock(&lock, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(false),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Remember how it ended, once nothing of it runs.
    pub(crate) fn write_end(&self, end: AttemptEnd) -> io::Result<()> {
        folder::write_whole(&self.0.join("end.json"), &serde_json::to_vec(&end)?)
    }

    /// The exit code that follows from what the agent reported, for an agent that nobody waited for.
    pub(crate) fn reported(&self) -> Option<AttemptEnd> {
        let report: Report = read_json(&self.0.join("report.json"))?;
        Some(AttemptEnd::Code(match report.outcome {
            Outcome::Exited { code: exit::BAD_INPUT..=exit::AGENT_FAULT } => 1,
            Outcome::Exited { code } => code,
            Outcome::BadInput { .. } => exit::BAD_INPUT,
            Outcome::StagingFailed { .. } => exit::STAGING_FAILED,
            Outcome::AgentFault { .. } => exit::AGENT_FAULT,
            _ => 1,
        }))
    }
}

/// A file that is absent, half written or unreadable says nothing.
fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn random_token() -> io::Result<String> {
    let mut bytes = [0; TOKEN_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
