//! The course of an attempt between order and report: stage, start, watch, collect, send.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use rustix::process::WaitStatus;
use rutter_printed::Printed;
use rutter_types::agent::{Find, Outcome, OutputFile, OutputWanted, Phase, Report, WorkOrder};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::contact::{self, Contact, State};
use crate::container;
use crate::failure;
use crate::folders::{self, Folders};
use crate::log::{self, Log, Stream};
use crate::progress::{self, Board};
use crate::settings::Place;
use crate::stage::{self, Ready};
use crate::stop::Stop;
use crate::supervise::{Cause, Children, Ended, Supervisor, kernel_kills, scratch_size};
use crate::{command, outputs, sys};

/// Signal number reported for an attempt whose agent was asked to stop.
const SIGKILL: i32 = 9;

/// An attempt on its way.
pub(super) struct Course<'a> {
    order: &'a WorkOrder,
    pub(super) folder: PathBuf,
    ca: Option<Vec<u8>>,
    contact: Arc<Contact>,
    stop: Stop,
    place: Place,
    log: Arc<Log>,
    board: Board,
}

/// What is reported of an attempt.
struct End {
    outcome: Outcome,
    files: Vec<OutputFile>,
    reason: Option<String>,
}

/// Why the course leaves its way early.
enum Detour {
    /// There is something to report.
    Report(Outcome),
    /// There is nobody to report to.
    Contact(contact::Error),
}

impl From<contact::Error> for Detour {
    fn from(error: contact::Error) -> Self {
        match error {
            contact::Error::Over | contact::Error::Lost { .. } => Self::Contact(error),
            refused => Self::Report(Outcome::AgentFault { reason: refused.to_string() }),
        }
    }
}

fn fault(what: &str, error: &io::Error) -> Detour {
    Detour::Report(Outcome::AgentFault { reason: format!("failed to {what}: {error}") })
}

impl<'a> Course<'a> {
    pub(super) fn new(
        order: &'a WorkOrder,
        folder: PathBuf,
        ca: Option<Vec<u8>>,
        contact: Arc<Contact>,
        stop: Stop,
        place: Place,
    ) -> Self {
        let echo = place == Place::Container;
        let log = Arc::new(Log::new(folder.join("log.spool"), order.limits.log_bytes, echo));
        Self { order, folder, ca, contact, stop, place, log, board: Board::default() }
    }

    /// Goes all the way; an error means that there is nobody to report to.
    pub(super) async fn run(&self) -> Result<Report, contact::Error> {
        let (done, told) = watch::channel(false);
        let (log, contact) = (Arc::clone(&self.log), Arc::clone(&self.contact));
        let sender = tokio::spawn(async move { log::send(&log, &contact).await });
        let end = match Folders::create(&self.folder) {
            Ok(folders) => {
                let teller = tokio::spawn(progress::tell(
                    self.board.clone(),
                    folders.progress.clone(),
                    Arc::clone(&self.contact),
                    told,
                ));
                let end = self.work(&folders).await;
                done.send_replace(true);
                self.log.finish();
                let end = reportable(end)?;
                joined(teller).await?;
                end
            }
            Err(error) => reportable(Err(fault("make the attempt's folders", &error)))?,
        };
        self.log.finish();
        joined(sender).await?;
        let End { outcome, files, reason } = end;
        let (usage, log_bytes) = (self.board.usage(), self.log.bytes());
        Ok(Report { outcome, usage, outputs: files, reason, log_bytes })
    }

    async fn work(&self, folders: &Folders) -> Result<End, Detour> {
        let ready = self.staged(folders).await?;
        let inputs =
            serde_json::to_string(&ready.inputs).map_err(|error| fault("write the inputs", &error.into()))?;
        std::fs::write(&folders.inputs_file, &inputs).map_err(|error| fault("write the inputs", &error))?;
        self.board.set_phase(Phase::Running);
        let print = self.print(folders).map_err(|error| fault("keep what the command prints", &error))?;
        match self.command(folders, &ready, &inputs, print.clone()).await {
            Ok(()) => {}
            Err(Detour::Report(outcome)) => return self.failed(folders, outcome).await,
            Err(gone) => return Err(gone),
        }
        self.board.set_phase(Phase::Uploading);
        let files = self.outputs(folders, self.order.outputs.clone(), print).await?;
        Ok(End { outcome: Outcome::Exited { code: 0 }, files, reason: None })
    }

    /// The end of a command that failed: with what it says of it, and what it has done by then where that is wanted.
    async fn failed(&self, folders: &Folders, outcome: Outcome) -> Result<End, Detour> {
        let ended = matches!(outcome, Outcome::Exited { .. } | Outcome::Signalled { .. });
        // Somebody who asks it to stop does not wait.
        let has_time = ended || matches!(outcome, Outcome::TimeLimit | Outcome::OutOfMemory { .. });
        let wanted = self.order.outputs.iter().filter(|output| output.when_failed && has_time);
        let wanted: Vec<OutputWanted> =
            wanted.map(|output| OutputWanted { required: false, ..output.clone() }).collect();
        let reason = failure::reason(&folders.failure).filter(|_| ended);
        if wanted.is_empty() {
            return Ok(End { outcome, files: Vec::new(), reason });
        }
        self.board.set_phase(Phase::Uploading);
        let files = match self.outputs(folders, wanted, None).await {
            Err(Detour::Report(other)) => {
                self.log.say(&format!("what the command left can't be kept: {}", container::words(&other)));
                Vec::new()
            }
            files => files?,
        };
        Ok(End { outcome, files, reason })
    }

    async fn staged(&self, folders: &Folders) -> Result<Ready, Detour> {
        let started = Instant::now();
        let mut stop = self.stop.clone();
        let staging = stage::stage(self.order, folders, &self.contact, self.ca.as_deref(), &self.log);
        let staged = tokio::select! {
            staged = staging => staged,
            () = stop.asked() => return Err(Detour::Report(Outcome::Stopped)),
            state = self.contact.ended() => {
                let error = if state == State::Over { contact::Error::Over } else { self.lost() };
                return Err(Detour::Contact(error));
            }
        };
        self.board.measure(|usage| usage.staging_seconds = started.elapsed().as_secs_f64());
        staged.map_err(|error| match error {
            stage::Error::Failed(faults) => Detour::Report(Outcome::StagingFailed { faults }),
            stage::Error::Refused(faults) => Detour::Report(Outcome::BadInput { faults }),
            stage::Error::ScratchLimit => Detour::Report(Outcome::ScratchLimit),
            stage::Error::Contact(error) => error.into(),
        })
    }

    /// Runs the command; success means exit code 0 within all limits.
    async fn command(
        &self,
        folders: &Folders,
        ready: &Ready,
        inputs: &str,
        print: Option<log::Print>,
    ) -> Result<(), Detour> {
        let overflow = Arc::new(Notify::new());
        let copy =
            self.copy_of_stdout(folders, &overflow).map_err(|error| fault("keep standard output", &error))?;
        let children = Children::listen().map_err(|error| fault("watch over processes", &error))?;
        let kills_before = self.order.limits.memory_bytes.and_then(|_| kernel_kills());
        let started = Instant::now();
        let command = command::start(self.order, folders, self.place, ready, inputs).map_err(|error| {
            self.log.say(&error.to_string());
            Detour::Report(Outcome::CannotStart { reason: error.to_string() })
        })?;
        let (over, told) = watch::channel(false);
        let out = log::Others { copy, print: print.clone() };
        let out = self.follow(command.stdout, Stream::Out, out, told.clone());
        let err = self.follow(command.stderr, Stream::Err, log::Others { copy: None, print }, told);
        let supervisor = Supervisor {
            limits: &self.order.limits,
            folders,
            contact: &self.contact,
            log: &self.log,
            peak: Arc::clone(&self.board.peak),
            overflow: Arc::clone(&overflow),
            stop: self.stop.clone(),
            children,
        };
        let mut ended = supervisor.watch(command.pid).await;
        self.measure(started);
        over.send_replace(true);
        self.drained([out, err]).await?;
        if ended.cause.is_none() && overflow.notified().now_or_never().is_some() {
            ended.cause = Some(Cause::OutputLimit);
        }
        self.judge(&ended, folders, kills_before)
    }

    fn follow(
        &self,
        pipe: OwnedFd,
        stream: Stream,
        others: log::Others,
        ended: watch::Receiver<bool>,
    ) -> JoinHandle<io::Result<()>> {
        tokio::spawn(log::follow(pipe, stream, Arc::clone(&self.log), others, ended))
    }

    fn copy_of_stdout(&self, folders: &Folders, overflow: &Arc<Notify>) -> io::Result<Option<log::Copy>> {
        let wanted = self.order.outputs.iter().any(|output| output.find == Find::Stdout);
        let limit = self.order.limits.output_bytes;
        wanted.then(|| log::Copy::create(&folders.stdout, limit, Arc::clone(overflow))).transpose()
    }

    /// Keeps all that the command prints, where an output is looked for in it.
    fn print(&self, folders: &Folders) -> io::Result<Option<log::Print>> {
        let wanted = outputs::printed(&self.order.outputs);
        if wanted.is_empty() {
            return Ok(None);
        }
        folders::make(&folders.printed)?;
        let print = Printed::new(&folders.printed, &wanted, self.order.limits.output_bytes)?;
        Ok(Some(Arc::new(Mutex::new(print))))
    }

    fn measure(&self, started: Instant) {
        let took = sys::children_usage();
        self.board.peak.raise(self.board.peak.own_of_resident(took.max_resident));
        self.board.measure(|usage| {
            usage.command_seconds = started.elapsed().as_secs_f64();
            usage.cpu_seconds = took.cpu_seconds;
        });
    }

    /// Waits until the pipes are read out, unless nobody takes the log any more.
    async fn drained(&self, readers: [JoinHandle<io::Result<()>>; 2]) -> Result<(), Detour> {
        for mut reader in readers {
            tokio::select! {
                biased;
                read = &mut reader => match read {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return Err(fault("read the command's output", &error)),
                    Err(error) => return Err(fault("read the command's output", &io::Error::other(error))),
                },
                _ = self.contact.ended() => reader.abort(),
            }
        }
        Ok(())
    }

    fn judge(&self, ended: &Ended, folders: &Folders, kills_before: Option<u64>) -> Result<(), Detour> {
        let limits = &self.order.limits;
        let out_of_memory = || Outcome::OutOfMemory { peak_bytes: self.board.peak.own() };
        let outcome = match ended.cause {
            Some(Cause::TimeLimit) => Outcome::TimeLimit,
            Some(Cause::OutOfMemory) => out_of_memory(),
            Some(Cause::ScratchLimit) => Outcome::ScratchLimit,
            Some(Cause::OutputLimit) => Outcome::OutputLimit { output: self.stdout_output() },
            // Whatever the program made of it: it was not left to finish.
            Some(Cause::Asked) => Outcome::Stopped,
            Some(Cause::Over) => return Err(Detour::Contact(contact::Error::Over)),
            Some(Cause::Lost) => return Err(Detour::Contact(self.lost())),
            None if limits.memory_bytes.is_some_and(|limit| self.board.peak.own() > limit) => out_of_memory(),
            None if killed_by_kernel(ended.status, kills_before) => out_of_memory(),
            None if limits.scratch_bytes.is_some_and(|limit| scratch_size(folders) > limit) => {
                Outcome::ScratchLimit
            }
            None => of_status(ended.status),
        };
        match outcome {
            Outcome::Exited { code: 0 } => Ok(()),
            Outcome::Exited { code } => {
                self.log.say(&format!("the command ended with exit code {code}"));
                Err(Detour::Report(outcome))
            }
            Outcome::Signalled { signal } if ended.cause.is_none() => {
                self.log.say(&format!("signal {signal} ended the command"));
                Err(Detour::Report(outcome))
            }
            other => Err(Detour::Report(other)),
        }
    }

    fn lost(&self) -> contact::Error {
        let cause = "nothing was heard for the contact budget".to_owned();
        contact::Error::Lost { server: self.contact.server(), cause }
    }

    fn stdout_output(&self) -> String {
        let output = self.order.outputs.iter().find(|output| output.find == Find::Stdout);
        output.map(|output| output.id.clone()).unwrap_or_default()
    }

    async fn outputs(
        &self,
        folders: &Folders,
        wanted: Vec<OutputWanted>,
        print: Option<log::Print>,
    ) -> Result<Vec<OutputFile>, Detour> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let (folders, limit) = (folders.clone(), self.order.limits.output_bytes);
        // Packing a large directory must not hold up the signs of life.
        // Its readers are gone.
        let print = print
            .and_then(Arc::into_inner)
            .map(|print| print.into_inner().unwrap_or_else(PoisonError::into_inner));
        let collect = move || outputs::collect(&wanted, &folders, print, limit);
        let found = tokio::task::spawn_blocking(collect).await;
        let items =
            found.map_err(|error| fault("collect outputs", &io::Error::other(error)))?.map_err(unusable)?;
        outputs::send(items, &self.contact).await.map_err(|error| match error {
            outputs::SendError::Output(error) => unusable(error),
            outputs::SendError::Contact(error) => error.into(),
        })
    }
}

fn unusable(error: outputs::Error) -> Detour {
    Detour::Report(match error {
        outputs::Error::Printed(outcome) => outcome,
        outputs::Error::Missing(outputs) => Outcome::OutputMissing { outputs },
        outputs::Error::Unusable { output, reason } => Outcome::OutputUnusable { output, reason },
        outputs::Error::TooLarge { output } => Outcome::OutputLimit { output },
        outputs::Error::Io(error) => {
            Outcome::AgentFault { reason: format!("failed to read outputs: {error}") }
        }
    })
}

fn of_status(status: WaitStatus) -> Outcome {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Outcome::Exited { code },
        (None, Some(signal)) => Outcome::Signalled { signal },
        (None, None) => Outcome::AgentFault { reason: "the command ended in an unknown way".to_owned() },
    }
}

/// Also when it was a child of the command, of which the command then failed: a shell exits with 137.
fn killed_by_kernel(status: WaitStatus, before: Option<u64>) -> bool {
    let failed =
        status.terminating_signal() == Some(SIGKILL) || status.exit_status().is_some_and(|code| code != 0);
    failed && before.is_some_and(|before| kernel_kills().is_some_and(|now| now > before))
}

fn reportable(end: Result<End, Detour>) -> Result<End, contact::Error> {
    match end {
        Ok(end) => Ok(end),
        Err(Detour::Report(outcome)) => Ok(End { outcome, files: Vec::new(), reason: None }),
        Err(Detour::Contact(error)) => Err(error),
    }
}

/// The end of a task that talks to the server.
async fn joined(task: JoinHandle<Result<(), contact::Error>>) -> Result<(), contact::Error> {
    // It neither panics nor is aborted; if it did, log or progress would be short, not the job wrong.
    task.await.unwrap_or(Ok(()))
}
