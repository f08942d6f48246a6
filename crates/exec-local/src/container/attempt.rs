//! One attempt in a container: started, found again, stopped, removed. Every step finds what an earlier run did.
//!
//! ```text
//! token          as of every attempt; the container has a copy
//! started        the boot in which its container was started; there before it is
//! end.json       how it ended, written once its container is gone
//! ```

use std::{fs, io, time::Duration};

use rutter_core::{
    executor::{AttemptName, ExecutorError, LaunchEnd},
    id::LaunchName,
};
use tokio::time::{Instant, sleep};

use super::{
    ContainerRecord, Containers, Engine, EngineError, contents,
    image::{self, ImageFacts, Missing},
    recipe,
    state::{self, Life},
};
use crate::{
    attempt::{AttemptEnd, AttemptFolder, Standing},
    environment::of_package,
    fault::failed,
    folder::{LaunchRecord, write_whole},
    process::Process,
    shared::Shared,
};

/// How long the engine may need to tell how a container ended whose process is gone.
const SETTLES: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// Why a container was not started.
#[derive(Debug)]
pub(crate) enum StartError {
    /// Its image can't be had.
    Image(Missing),
    /// Anything else.
    Other(ExecutorError),
}

impl StartError {
    /// Whether trying again is useless.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Image(missing) => missing.is_final,
            Self::Other(error) => matches!(error, ExecutorError::Impossible { .. }),
        }
    }

    /// How a launch ended that could not be started so.
    pub(crate) fn end(&self) -> LaunchEnd {
        let reason = self.reason();
        match self {
            Self::Image(_) => LaunchEnd::ImageMissing { reason },
            Self::Other(_) => LaunchEnd::CannotStart { reason },
        }
    }
}

impl StartError {
    /// For people.
    pub(crate) fn reason(&self) -> String {
        let error = match self {
            Self::Image(missing) => return missing.reason.clone(),
            Self::Other(error) => error,
        };
        match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        }
    }
}

impl From<ExecutorError> for StartError {
    fn from(error: ExecutorError) -> Self {
        Self::Other(error)
    }
}

impl From<EngineError> for StartError {
    fn from(error: EngineError) -> Self {
        Self::Other(ExecutorError::Unavailable {
            doing: "its container could not be started".to_owned(),
            source: Box::new(error),
        })
    }
}

/// An attempt in a container.
pub(crate) struct Container<'a> {
    shared: &'a Shared,
    launch: LaunchName,
    number: u32,
    record: &'a LaunchRecord,
    container: &'a ContainerRecord,
    folder: AttemptFolder,
}

impl<'a> Container<'a> {
    /// The attempt of that number; `None` when the launch is no container's.
    pub(crate) fn of(
        shared: &'a Shared,
        launch: LaunchName,
        record: &'a LaunchRecord,
        number: u32,
    ) -> Option<Self> {
        let container = record.container.as_ref()?;
        let folder = shared.folder(launch).attempt(number);
        Some(Self { shared, launch, number, record, container, folder })
    }

    /// Start it; `tell` is told what it waits for.
    pub(crate) async fn start(&self, tell: impl Fn(String)) -> Result<Standing, StartError> {
        let Some(containers) = &self.shared.config.containers else {
            let reason = "containers are not run here any more: set `local.containerEngine`".to_owned();
            return Err(ExecutorError::Impossible { reason }.into());
        };
        let _unmistaken = self.shared.strays.read().await;
        let facts = self.image(tell).await?;
        let config = &self.shared.config;
        // Resolved before anything is made: a missing secret leaves no trace.
        let environment = of_package(config, &self.record.env, &|name| std::env::var_os(name))?;
        let token = self.folder.make().map_err(failed("make the folder", self.folder.path()))?;
        self.shared
            .add_token(token.clone(), AttemptName { launch: self.launch, uid: self.number.to_string() });
        let archive = contents::archive(&token, &environment)
            .map_err(failed("pack what goes into the container of", self.folder.path()))?;
        self.make(containers, &facts).await?;
        let into = format!("{}:/", self.name());
        self.engine().feed("fill the container", &["cp".into(), "-".into(), into.into()], &archive).await?;
        self.mark_started().map_err(failed("write to", self.folder.path()))?;
        let (folder, name) = (self.folder.path(), self.name());
        let Err(error) = self.engine().ask_in(folder, "start the container", &["start", &name]).await else {
            return Ok(Standing::Unseen);
        };
        // It may have been started all the same: never start it twice.
        match self.look().await {
            Ok(Standing::Fresh) => Err(unstartable(error)),
            Ok(other) => Ok(other),
            Err(_) => Ok(Standing::Unseen),
        }
    }

    /// How it is now.
    pub(crate) async fn look(&self) -> Result<Standing, EngineError> {
        if let Some(end) = self.folder.end() {
            return Ok(Standing::Over { end, clean: true });
        }
        let over = |end| Ok(Standing::Over { end, clean: false });
        let Some(boot) = self.started() else { return Ok(Standing::Fresh) };
        if boot != self.shared.boot {
            return over(AttemptEnd::Lost);
        }
        let until = Instant::now() + SETTLES;
        while Instant::now() < until {
            match state::of(self.engine(), &self.name()).await?.map(|state| state.life()) {
                None => return over(AttemptEnd::Removed),
                Some(Life::Made) => return Ok(Standing::Fresh),
                Some(Life::Ended(end)) => return over(end),
                Some(Life::Runs(pid)) => {
                    if let Some(process) = Process::of_number(pid) {
                        return Ok(Standing::Alive(process));
                    }
                }
                Some(Life::Ends) => {}
            }
            sleep(PAUSE).await;
        }
        over(AttemptEnd::Lost)
    }

    /// Ask its agent to end it.
    pub(crate) async fn ask_to_stop(&self) {
        // One that ended meanwhile can't be asked.
        let _ = self.engine().ask("stop the container", &["kill", "--signal", "TERM", &self.name()]).await;
    }

    /// End it and remove everything of it.
    pub(crate) async fn remove(&self) -> Result<(), EngineError> {
        remove(self.engine(), &self.name()).await
    }

    /// Whether it was started, as far as the folder tells.
    pub(crate) fn was_started(&self) -> bool {
        self.started().is_some()
    }

    async fn image(&self, tell: impl Fn(String)) -> Result<ImageFacts, StartError> {
        let (engine, image) = (self.engine(), &self.container.image);
        if let Some(facts) = image::facts(engine, image).await? {
            return Ok(facts);
        }
        tell("the image is fetched".to_owned());
        image::fetch(engine, image).await.map_err(StartError::Image)?;
        let missing = || Missing {
            reason: format!("the image `{image}` is not there after it was fetched"),
            is_final: false,
        };
        image::facts(engine, image).await?.ok_or_else(missing).map_err(StartError::Image)
    }

    /// Make the container. One that an earlier try left never ran, and goes first.
    async fn make(&self, containers: &Containers, facts: &ImageFacts) -> Result<(), StartError> {
        match fs::remove_file(self.folder.path().join("started")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("write to", self.folder.path())(error).into());
            }
            _ => {}
        }
        let words = recipe::create(containers, self.container, facts, self.launch, self.number)?;
        let create = || self.engine().feed("make the container", &words, &[]);
        match create().await {
            Err(error) if error.said().contains("in use") => {
                self.remove().await?;
                create().await?;
            }
            made => drop(made?),
        }
        Ok(())
    }

    fn started(&self) -> Option<String> {
        fs::read_to_string(self.folder.path().join("started")).ok()
    }

    fn mark_started(&self) -> io::Result<()> {
        write_whole(&self.folder.path().join("started"), self.shared.boot.as_bytes())
    }

    fn engine(&self) -> &Engine {
        &self.container.engine
    }

    fn name(&self) -> String {
        recipe::name(self.launch, self.number)
    }
}

/// End a container and remove everything of it; one that is not there is gone already.
pub(super) async fn remove(engine: &Engine, name: &str) -> Result<(), EngineError> {
    // One that does not run can't be killed. Without this, removing would first ask it to end, and wait.
    let _ = engine.ask("kill the container", &["kill", "--signal", "KILL", name]).await;
    match engine.ask("remove the container", &["rm", "--force", "--volumes", name]).await {
        Err(error) if !state::is_absent(error.said()) => Err(error),
        _ => Ok(()),
    }
}

/// Why a container that was made does not start: some reasons stay.
fn unstartable(error: EngineError) -> StartError {
    let said = error.said().to_ascii_lowercase();
    let reason = if said.contains("exec format error") {
        "the image is for machines of another kind"
    } else if said.contains("rutter-agent") && said.contains("no such file") {
        "the supervisor can't run in the image: give `local.containerAgent` one that is linked statically"
    } else if said.contains("rutter-agent") && said.contains("permission denied") {
        "the supervisor may not be executed: put `local.containerAgent` on a disk that is not mounted `noexec`"
    } else {
        return error.into();
    };
    tracing::warn!(error = &error as &dyn std::error::Error, "a container can't be started");
    ExecutorError::Impossible { reason: reason.to_owned() }.into()
}
