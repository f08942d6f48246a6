//! One launch from attempt to attempt until it is over.

use std::{sync::Arc, time::Duration};

use rustix::process::Signal;
use rutter_core::{
    executor::{LaunchEnd, Observation},
    id::LaunchName,
};
use rutter_types::agent::exit;
use tokio::{
    sync::watch,
    task,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    attempt::{AttemptEnd, AttemptFolder, Standing},
    container::{Container, StartError},
    folder::{LaunchFolder, LaunchRecord},
    launching,
    process::{Exit, Process},
    shared::{Orders, Shared},
    sweep::{self, Belongs},
};

/// Pause between looks at an attempt whose agent is not known yet.
const LOOK: Duration = Duration::from_millis(50);
/// How often the start of an agent is tried when the machine refuses, with twice the pause each time.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause between questions to an engine that does not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Watches one launch.
pub(crate) struct Supervisor {
    shared: Arc<Shared>,
    name: LaunchName,
    folder: LaunchFolder,
    record: Arc<LaunchRecord>,
    orders: watch::Receiver<Orders>,
    attempt: u32,
}

/// Somebody else takes over: touch nothing.
struct Abandoned;

enum Next {
    Look(Standing),
    Finish(LaunchEnd),
}

impl Supervisor {
    pub(crate) fn new(
        shared: Arc<Shared>,
        name: LaunchName,
        record: LaunchRecord,
        orders: watch::Receiver<Orders>,
        attempt: u32,
    ) -> Self {
        let folder = shared.folder(name);
        Self { shared, name, folder, record: Arc::new(record), orders, attempt }
    }

    /// Work until the launch is over.
    pub(crate) async fn run(mut self, mut standing: Standing) {
        loop {
            match self.step(standing).await {
                Ok(Next::Look(next)) => standing = next,
                Ok(Next::Finish(end)) => return self.shared.finish(self.name, end),
                Err(Abandoned) => return,
            }
        }
    }

    async fn step(&mut self, standing: Standing) -> Result<Next, Abandoned> {
        match standing {
            // An agent that is on its way to the lock is found by its environment.
            Standing::Fresh if self.end_by()?.is_some() => {
                Ok(Next::Look(Standing::Over { end: AttemptEnd::Lost, clean: false }))
            }
            Standing::Fresh => self.start().await,
            Standing::Held => self.look_for_agent().await.map(Next::Look),
            Standing::Unseen => self.look_at_container().await.map(Next::Look),
            Standing::Alive(process) => {
                self.until_gone(&process).await?;
                self.after(process).await.map(Next::Look)
            }
            Standing::Over { end, clean } => self.decide(end, clean).await,
        }
    }

    /// Start an agent; a machine that refuses is asked again for a while.
    async fn start(&mut self) -> Result<Next, Abandoned> {
        let mut pause = FIRST_PAUSE;
        for try_number in 1.. {
            let Some(tried) = self.try_start().await? else { break };
            match tried {
                Ok(standing) => {
                    self.shared.note(self.name, standing.observation());
                    return Ok(Next::Look(standing));
                }
                Err(error) if try_number == TRIES || error.is_final() => {
                    if self.record.container.is_some() {
                        self.sweep().await?;
                    }
                    return Ok(Next::Finish(error.end()));
                }
                Err(error) => {
                    self.shared.note(self.name, Observation::Pending { reason: Some(error.reason()) });
                }
            }
            tokio::select! {
                () = sleep(pause) => pause *= 2,
                ended = told_to_end(&mut self.orders) => {
                    ended?;
                    break;
                }
            }
        }
        Ok(Next::Look(Standing::Fresh))
    }

    /// Start it once; `None` = it was told to end meanwhile.
    async fn try_start(&mut self) -> Result<Option<Result<Standing, StartError>>, Abandoned> {
        let (shared, name, record, attempt) =
            (self.shared.clone(), self.name, self.record.clone(), self.attempt);
        let Some(container) = Container::of(&shared, name, &record, attempt) else {
            let (shared, record) = (shared.clone(), record.clone());
            let started = blocking(move || launching::start(&shared, name, &record, attempt)).await?;
            return Ok(Some(started.map(Standing::Alive).map_err(StartError::from)));
        };
        let waits = |reason| shared.note(name, Observation::Pending { reason: Some(reason) });
        tokio::select! {
            started = container.start(waits) => Ok(Some(started)),
            ended = told_to_end(&mut self.orders) => ended.map(|()| None),
        }
    }

    /// Ask the engine until it answers: without it nothing is known, and so nothing is lost.
    async fn look_at_container(&mut self) -> Result<Standing, Abandoned> {
        let (shared, record) = (self.shared.clone(), self.record.clone());
        let Some(container) = Container::of(&shared, self.name, &record, self.attempt) else {
            return self.examine().await;
        };
        let mut pause = FIRST_PAUSE;
        loop {
            match container.look().await {
                Ok(standing) => {
                    self.shared.note(self.name, standing.observation());
                    return Ok(standing);
                }
                Err(error) => {
                    tracing::warn!(job.id = %self.name.job, error = &error as &dyn std::error::Error, "could not look at a container; trying again");
                }
            }
            tokio::select! {
                () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                changed = self.orders.changed() => changed.map_err(|_| Abandoned)?,
            }
            self.end_by()?;
        }
    }

    /// An agent holds the attempt: which process is it?
    async fn look_for_agent(&mut self) -> Result<Standing, Abandoned> {
        let attempt = self.current();
        if let Some(process) = blocking(move || sweep::find_agent(attempt.path())).await? {
            return Ok(Standing::Alive(process));
        }
        if self.end_by()?.is_some_and(|by| by <= Instant::now()) {
            self.sweep().await?;
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            changed = self.orders.changed() => changed.map_err(|_| Abandoned)?,
        }
        self.examine().await
    }

    /// Wait for the agent's end, and bring it about when that was ordered.
    async fn until_gone(&mut self, process: &Process) -> Result<(), Abandoned> {
        let mut told = false;
        loop {
            let end_by = self.end_by()?;
            if end_by.is_some() && !told {
                told = true;
                self.ask_to_stop(process).await;
                self.mark_ending().await?;
            }
            tokio::select! {
                gone = process.gone() => return gone.map_err(|error| self.unwatchable(&error)),
                changed = self.orders.changed() => changed.map_err(|_| Abandoned)?,
                () = sleep_until(end_by.unwrap_or_else(Instant::now)), if end_by.is_some() => break,
            }
        }
        process.signal(Signal::KILL);
        self.sweep().await?;
        process.gone().await.map_err(|error| self.unwatchable(&error))
    }

    async fn ask_to_stop(&self, process: &Process) {
        match self.container() {
            None => drop(process.signal(Signal::TERM)),
            Some(container) => container.ask_to_stop().await,
        }
    }

    /// The runtime is on its way out, or out of descriptors: the next start of the server finds the agent again.
    fn unwatchable(&self, error: &std::io::Error) -> Abandoned {
        tracing::error!(job.id = %self.name.job, %error, "could not watch an agent");
        Abandoned
    }

    /// How the attempt is now that this process is gone.
    async fn after(&mut self, process: Process) -> Result<Standing, Abandoned> {
        if self.record.container.is_some() {
            return Ok(Standing::Unseen);
        }
        let (attempt, shared) = (self.current(), self.shared.clone());
        let standing = blocking(move || {
            let status = process.reap();
            // An agent that found the attempt held by another steps back: that other one counts.
            let is_this_one = match (attempt.record(), status) {
                (Some(record), _) => record.pid == process.pid(),
                (None, Some(Exit::Code(0))) => true,
                (None, Some(_)) => !attempt.is_held()?,
                (None, None) => false,
            };
            if !is_this_one {
                return attempt.examine(&shared.boot);
            }
            let end = match status {
                Some(Exit::Code(code)) => AttemptEnd::Code(code),
                Some(Exit::Signal) => AttemptEnd::Lost,
                None => attempt.reported().unwrap_or(AttemptEnd::Lost),
            };
            Ok(Standing::Over { end, clean: false })
        })
        .await?;
        Ok(standing.unwrap_or_else(|error| self.unreadable(&error)))
    }

    async fn examine(&mut self) -> Result<Standing, Abandoned> {
        let (attempt, shared) = (self.current(), self.shared.clone());
        let standing = blocking(move || attempt.examine(&shared.boot)).await?;
        Ok(standing.unwrap_or_else(|error| self.unreadable(&error)))
    }

    fn unreadable(&self, error: &std::io::Error) -> Standing {
        tracing::error!(job.id = %self.name.job, %error, "could not read the folder of an attempt; it counts as lost");
        Standing::Over { end: AttemptEnd::Lost, clean: false }
    }

    /// After an attempt: another, or the end.
    async fn decide(&mut self, end: AttemptEnd, clean: bool) -> Result<Next, Abandoned> {
        let ending = self.end_by()?.is_some();
        if !clean {
            if ending || end == AttemptEnd::Lost || self.record.container.is_some() {
                self.sweep().await?;
            }
            let attempt = self.current();
            if let Err(error) = blocking(move || attempt.write_end(end)).await? {
                tracing::warn!(job.id = %self.name.job, %error, "could not note how an attempt ended");
            }
        }
        if self.end_by()?.is_none() && wants_another(end, self.attempt, self.record.retries) {
            self.attempt += 1;
            return Ok(Next::Look(Standing::Fresh));
        }
        Ok(Next::Finish(launch_end(end)))
    }

    async fn mark_ending(&self) -> Result<(), Abandoned> {
        let folder = self.folder.clone();
        if let Err(error) = blocking(move || folder.mark_ending()).await? {
            tracing::warn!(job.id = %self.name.job, %error, "could not note that a launch is ended");
        }
        Ok(())
    }

    /// End what is left of the attempt.
    async fn sweep(&self) -> Result<(), Abandoned> {
        if let Some(container) = self.container() {
            if let Err(error) = container.remove().await {
                tracing::warn!(job.id = %self.name.job, error = &error as &dyn std::error::Error, "could not remove a container; remove it by hand");
            }
            return Ok(());
        }
        let belongs = Belongs::new(self.record.job, self.folder.path());
        blocking(move || sweep::sweep(&belongs)).await
    }

    fn container(&self) -> Option<Container<'_>> {
        Container::of(&self.shared, self.name, &self.record, self.attempt)
    }

    fn current(&self) -> AttemptFolder {
        self.folder.attempt(self.attempt)
    }

    /// Until when it has to end, if it has to.
    fn end_by(&mut self) -> Result<Option<Instant>, Abandoned> {
        let orders = *self.orders.borrow_and_update();
        if orders.abandon { Err(Abandoned) } else { Ok(orders.end_by) }
    }
}

/// Whether a failed attempt is followed by another.
pub(crate) fn wants_another(end: AttemptEnd, attempt: u32, retries: u32) -> bool {
    let useless = matches!(end, AttemptEnd::Code(0 | exit::BAD_INPUT) | AttemptEnd::Removed);
    !useless && attempt <= retries
}

pub(crate) fn launch_end(end: AttemptEnd) -> LaunchEnd {
    match end {
        AttemptEnd::Code(code) => LaunchEnd::Exited { code },
        AttemptEnd::Lost => LaunchEnd::AgentLost,
        AttemptEnd::OutOfMemory => LaunchEnd::OutOfMemory,
        AttemptEnd::Removed => LaunchEnd::Removed,
    }
}

/// Resolves once the launch is to end, or others take over.
async fn told_to_end(orders: &mut watch::Receiver<Orders>) -> Result<(), Abandoned> {
    let told = orders.wait_for(|orders| orders.abandon || orders.end_by.is_some()).await;
    told.map(drop).map_err(|_| Abandoned)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Abandoned> {
    match task::spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Abandoned),
        },
    }
}
