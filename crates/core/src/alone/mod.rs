//! Programs that run without an agent: images of which nobody could say what they run. The server follows what they print, and
//! speaks for them at the agents' desk, so that everything else is as for any attempt: one place that verifies and publishes,
//! results durable before `successful`, the same exceptions.
//!
//! What is known after a restart is what the executor still has: the log is read again from its start, and what is kept of it
//! already is passed over.

mod print;

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use rutter_printed::{Source, Value, is_json};
use rutter_types::agent::{Find, INLINE_LIMIT, OrderAnswer, Outcome, OutputFile, Report, Usage, WorkOrder};
use sha2::{Digest, Sha256};
use tokio::{
    fs::File,
    io::AsyncReadExt,
    time::{error::Elapsed, timeout},
};

use crate::{
    agents::{AgentError, Agents},
    engine::Parts,
    executor::{AloneEnd, AttemptName, ExecutorError, LaunchEnd},
    failure,
    id::JobId,
    logs::LogError,
    results::{ByteStream, ObjectError, hex},
};
use print::Print;

/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);
/// Tries to read what a program printed that has ended.
const TRIES: u32 = 10;
/// Longest silence before it is looked whether the program still runs.
const SILENCE: Duration = Duration::from_secs(5);
/// Bytes of a value that are read at once.
const PIECE: usize = 256 * 1024;
/// Most lines of log that are kept together.
const BATCH: usize = 256;

/// Why a follower stops without a report.
#[derive(Debug, thiserror::Error)]
enum Stop {
    /// The attempt is over, or gone.
    #[error("the attempt is over")]
    Over,
    /// Something failed; another try may help.
    #[error(transparent)]
    Agents(AgentError),
    /// What was printed can't be read; another try may help.
    #[error(transparent)]
    Executor(ExecutorError),
    /// What was printed can't be kept; another try may help.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The same.
    #[error("what a program printed could not be kept in a file")]
    Print(#[from] std::io::Error),
}

impl From<AgentError> for Stop {
    fn from(error: AgentError) -> Self {
        if matches!(error, AgentError::Over) { Self::Over } else { Self::Agents(error) }
    }
}

/// Follow an attempt to its end, and report it.
pub(crate) async fn follow(parts: Arc<Parts>, attempt: AttemptName) {
    let follower = Follower { agents: Agents(Arc::clone(&parts)), parts, attempt };
    loop {
        match follower.whole().await {
            Ok(()) | Err(Stop::Over) => return,
            Err(error) => {
                complain(follower.attempt.launch.job, &error);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn complain(id: JobId, error: &Stop) {
    let cause: &dyn std::error::Error = error;
    if matches!(error, Stop::Executor(ExecutorError::Away { .. })) {
        tracing::debug!(job.id = %id, error = cause, "could not follow a program; trying again");
    } else {
        tracing::warn!(job.id = %id, error = cause, "could not follow a program; trying again");
    }
}

struct Follower {
    parts: Arc<Parts>,
    agents: Agents,
    attempt: AttemptName,
}

impl Follower {
    async fn whole(&self) -> Result<(), Stop> {
        let order = match self.agents.order(&self.attempt).await? {
            OrderAnswer::Run(order) => order,
            OrderAnswer::Over | OrderAnswer::Wait { .. } => return Err(Stop::Over),
        };
        let (end, print) = self.to_the_end(&order).await?;
        let log_bytes = print.as_ref().map_or(0, Print::log_bytes);
        let (outcome, outputs, seen) = match outcome(&end.end) {
            Some(Outcome::Exited { code: 0 }) => {
                let (outcome, outputs) = self.results(&order, end.message.as_deref(), print).await?;
                (outcome, outputs, None)
            }
            Some(other) => (other, Vec::new(), None),
            None => {
                let reason = "the program was ended from outside".to_owned();
                (Outcome::AgentFault { reason }, Vec::new(), Some(failure::exception_of_end(&end.end)))
            }
        };
        let report = Report { outcome, usage: Usage::default(), outputs, reason: None, log_bytes };
        self.agents.report_as(&self.attempt, report, seen).await?;
        Ok(())
    }

    /// Outputs of a program that ended well. One that another system started has ended well whatever is left of its results.
    async fn results(
        &self,
        order: &WorkOrder,
        message: Option<&str>,
        print: Option<Print>,
    ) -> Result<(Outcome, Vec<OutputFile>), Stop> {
        let Some(adopted) = self.parts.executor.adopted(self.attempt.launch) else {
            return self.outputs(order, message, print).await;
        };
        let print = match &adopted.result {
            Some(kept) => Some(self.print(order, 0).await?.with(kept)?),
            None => print,
        };
        let (outcome, outputs) = self.outputs(order, message, print).await?;
        if !matches!(outcome, Outcome::Exited { code: 0 }) {
            tracing::warn!(job.id = %self.attempt.launch.job, ?outcome, "the results of an adopted job can't be had");
        }
        Ok((Outcome::Exited { code: 0 }, outputs))
    }

    /// The end, and all that was printed until then; `None` = it can't be read any more.
    async fn to_the_end(&self, order: &WorkOrder) -> Result<(AloneEnd, Option<Print>), Stop> {
        let (mut tries, mut turn) = (0, 0);
        let mut kept: Option<Print> = None;
        loop {
            // Known before it is read: then the whole of it is there.
            let known = match self.end() {
                Err(Stop::Over) => return self.gone(kept),
                known => known?,
            };
            turn += 1;
            match (known, self.read(order, turn).await) {
                (Some(end), Ok(print)) => return Ok((end, Some(longer(kept, print)))),
                (Some(end), Err(Stop::Executor(ExecutorError::Impossible { .. }))) => return Ok((end, kept)),
                (Some(end), Err(Stop::Executor(_))) if tries == TRIES => return Ok((end, kept)),
                (Some(_), Err(Stop::Executor(_))) => tries += 1,
                // It may only not have begun yet.
                (None, Err(Stop::Executor(_))) => {}
                (_, Err(error)) => return Err(error),
                // Later there may be less: machines keep only the end of a long log.
                (None, Ok(print)) => kept = Some(longer(kept, print)),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Its pod was taken away when it had just ended; what was read by then may be all.
    fn gone(&self, kept: Option<Print>) -> Result<(AloneEnd, Option<Print>), Stop> {
        let end = kept.is_some().then(|| self.parts.executor.end_of(&self.attempt)).flatten();
        end.map(|end| (AloneEnd { end, message: None }, kept)).ok_or(Stop::Over)
    }

    /// How it ended; `None` = it runs.
    fn end(&self) -> Result<Option<AloneEnd>, Stop> {
        let attempts = self.parts.executor.alone(self.attempt.launch);
        let own = attempts.into_iter().find(|it| it.uid == self.attempt.uid);
        own.map(|own| own.end).ok_or(Stop::Over)
    }

    /// Reads from the start as long as it prints; the log gets what it has not.
    async fn read(&self, order: &WorkOrder, turn: u32) -> Result<Print, Stop> {
        let lines = self.parts.executor.printed(&self.attempt).await.map_err(Stop::Executor)?;
        // What has come together is kept together; nobody waits for more.
        let mut lines = lines.ready_chunks(BATCH);
        let mut print = self.print(order, turn).await?;
        let mut sent = 0;
        loop {
            let lines = match timeout(SILENCE, lines.next()).await {
                Ok(Some(lines)) => lines,
                Ok(None) => return Ok(print),
                // Who follows a program to its end is not always told that it ended.
                Err(elapsed) if self.end()?.is_some() => return Err(unfinished(elapsed)),
                Err(_) => continue,
            };
            let mut batch = BytesMut::new();
            for line in lines {
                batch.extend_from_slice(&print.line(&line.map_err(Stop::Executor)?)?);
            }
            sent = self.log(sent, batch.freeze()).await?;
        }
    }

    async fn print(&self, order: &WorkOrder, turn: u32) -> Result<Print, Stop> {
        let folder = self.parts.logs.folder_for_print(&self.attempt, turn).await?;
        Ok(Print::new(&folder, order)?)
    }

    async fn log(&self, at: u64, bytes: Bytes) -> Result<u64, Stop> {
        let next = at + bytes.len() as u64;
        if !bytes.is_empty() {
            self.agents.log(&self.attempt, at, bytes).await?;
        }
        Ok(next)
    }

    async fn outputs(
        &self,
        order: &WorkOrder,
        message: Option<&str>,
        print: Option<Print>,
    ) -> Result<(Outcome, Vec<OutputFile>), Stop> {
        if order.outputs.is_empty() {
            return Ok((Outcome::Exited { code: 0 }, Vec::new()));
        }
        // Its last word may be all that is left, and enough.
        let message = message.filter(|message| !message.trim().is_empty());
        let is_enough = message.is_some() && order.outputs.iter().all(|wanted| wanted.find != Find::Stdout);
        let print = match print {
            Some(print) => print,
            None if is_enough => self.print(order, 0).await?,
            None => {
                let reason = "what the program printed can't be read any more".to_owned();
                return Ok((Outcome::AgentFault { reason }, Vec::new()));
            }
        };
        let values = match print.values(order, message)? {
            Ok(values) => values,
            Err(outcome) => return Ok((outcome, Vec::new())),
        };
        let mut files = Vec::new();
        for value in values {
            files.push(self.keep(value).await?);
        }
        Ok((Outcome::Exited { code: 0 }, files))
    }

    async fn keep(&self, value: Value) -> Result<OutputFile, Stop> {
        let (sha256, inline) = if value.size <= INLINE_LIMIT {
            let mut bytes = Vec::new();
            value.write(&mut bytes)?;
            (hex(&Sha256::digest(&bytes)), Some(STANDARD.encode(&bytes)))
        } else {
            let bytes = match value.source {
                Source::File(path) => bytes_of(File::open(path).await?),
                Source::Bytes(bytes) => stream::iter([Ok(bytes.into())]).boxed(),
            };
            (self.agents.upload(&self.attempt, &value.output, 0, bytes).await?.sha256, None)
        };
        let extension = if is_json(&value.media_type) { "json" } else { "txt" };
        Ok(OutputFile {
            name: format!("{}.{extension}", value.output),
            output: value.output,
            index: 0,
            media_type: Some(value.media_type),
            size: value.size,
            sha256,
            inline,
        })
    }
}

fn longer(kept: Option<Print>, print: Print) -> Print {
    match kept {
        Some(kept) if kept.is_more_than(&print) => kept,
        _ => print,
    }
}

fn unfinished(elapsed: Elapsed) -> Stop {
    let doing = "read what a program printed to its end".to_owned();
    Stop::Executor(ExecutorError::Unavailable { doing, source: Box::new(elapsed) })
}

/// A file piece by piece.
fn bytes_of(file: File) -> ByteStream {
    let next = async |mut file: File| {
        let mut piece = BytesMut::with_capacity(PIECE);
        let length = file.read_buf(&mut piece).await.map_err(|error| ObjectError::Source(Box::new(error)))?;
        Ok((length > 0).then(|| (piece.freeze(), file)))
    };
    stream::try_unfold(file, next).boxed()
}

/// The end of an attempt as its agent would have told it; `None` = it could not have.
fn outcome(end: &LaunchEnd) -> Option<Outcome> {
    Some(match end {
        LaunchEnd::Exited { code } if *code > 128 && *code < 160 => Outcome::Signalled { signal: code - 128 },
        LaunchEnd::Exited { code } => Outcome::Exited { code: *code },
        LaunchEnd::OutOfMemory => Outcome::OutOfMemory { peak_bytes: 0 },
        LaunchEnd::TimeLimit => Outcome::TimeLimit,
        LaunchEnd::ScratchLimit => Outcome::ScratchLimit,
        _ => return None,
    })
}
