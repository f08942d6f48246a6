//! Looks up, and remembers: many jobs of one image ask its registry once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use tokio::time::{Instant, timeout};

use super::{
    LookUpError, OwnCommand,
    document::{self, Described, Manifest},
    reference::{Reference, Version},
    registry::{Conversation, Registries, Settings},
    secrets,
};

/// How long things take and hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Longest time for one look-up.
    pub(super) whole: Duration,
    /// How long a tag is taken to mean the same image.
    pub(super) fresh: Duration,
    /// How long a registry is left alone after a fault.
    pub(super) pause: Duration,
}

const TIMES: Times =
    Times { whole: Duration::from_secs(30), fresh: Duration::from_secs(60), pause: Duration::from_secs(15) };
/// Most images that are remembered.
const MOST: usize = 1000;

/// Knows what images run by themselves.
#[derive(Debug)]
pub(crate) struct LookUps {
    registries: Result<Registries, LookUpError>,
    /// As Kubernetes names it.
    architecture: String,
    secrets: Api<Secret>,
    pub(super) times: Times,
    asked: Mutex<HashMap<Question, Arc<tokio::sync::Mutex<Slot>>>>,
    /// What images say of themselves, by the digest under which it was found.
    described: Mutex<HashMap<String, Described>>,
}

/// Whoever has other secrets may see other images.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Question {
    image: String,
    secrets: Vec<String>,
}

/// What is known of one question.
#[derive(Debug, Default)]
struct Slot {
    last: Option<(Instant, Result<OwnCommand, LookUpError>)>,
    good: Option<OwnCommand>,
}

impl LookUps {
    pub(crate) fn new(settings: &Settings, architecture: &str, secrets: Api<Secret>) -> Self {
        Self {
            registries: Registries::new(settings),
            architecture: architecture.to_owned(),
            secrets,
            times: TIMES,
            asked: Mutex::default(),
            described: Mutex::default(),
        }
    }

    /// The command of an image; `secrets` = names of Secrets that pods use for it. Who asks at the same time shares one answer.
    pub(crate) async fn command(&self, image: &str, secrets: &[String]) -> Result<OwnCommand, LookUpError> {
        let question = Question { image: image.to_owned(), secrets: secrets.to_vec() };
        let slot = self.slot(&question);
        let mut slot = slot.lock().await;
        if let Some(known) = slot.fresh(image, self.times) {
            return known;
        }
        let found = self.look_up(&question).await;
        slot.take(image, found)
    }

    fn slot(&self, question: &Question) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut asked = locked(&self.asked);
        if asked.len() >= MOST && !asked.contains_key(question) {
            asked.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(asked.entry(question.clone()).or_default())
    }

    async fn look_up(&self, question: &Question) -> Result<OwnCommand, LookUpError> {
        let image = Reference::parse(&question.image)?;
        let found = secrets::find(&self.secrets, &question.secrets, &image).await?;
        let registries = self.registries.as_ref().map_err(Clone::clone)?;
        let talk = registries.about(&image, found.credentials.as_ref())?;
        match timeout(self.times.whole, self.ask(talk, &image)).await {
            Err(_) => Err(LookUpError::TooSlow { seconds: self.times.whole.as_secs() }),
            Ok(Err(LookUpError::Denied)) => {
                Err(found.forbidden.map_or(LookUpError::Denied, |name| LookUpError::SecretForbidden { name }))
            }
            Ok(answer) => answer,
        }
    }

    async fn ask(&self, mut talk: Conversation<'_>, image: &Reference) -> Result<OwnCommand, LookUpError> {
        let (digest, manifest) = talk.named().await?;
        let known = locked(&self.described).get(&digest).cloned();
        let Described { words, has_user } = match known {
            Some(known) => known,
            None => {
                let read = self.read(&mut talk, &manifest).await?;
                let mut described = locked(&self.described);
                if described.len() >= MOST {
                    described.clear();
                }
                described.insert(digest.clone(), read.clone());
                read
            }
        };
        Ok(OwnCommand { image: image.pinned(&digest), words, has_user })
    }

    async fn read(&self, talk: &mut Conversation<'_>, manifest: &[u8]) -> Result<Described, LookUpError> {
        let of = |manifest: &[u8]| document::manifest(manifest, &self.architecture);
        let inner = match of(manifest)? {
            Manifest::Of { manifest } => of(&talk.manifest(&manifest).await?)?,
            image @ Manifest::Image { .. } => image,
        };
        match inner {
            Manifest::Image { config } => {
                document::described(&talk.configuration(&config).await?, &self.architecture)
            }
            Manifest::Of { .. } => Err(LookUpError::NotUnderstood { what: "a list of lists" }),
        }
    }
}

impl Slot {
    fn fresh(&self, image: &str, times: Times) -> Option<Result<OwnCommand, LookUpError>> {
        let (since, result) = self.last.as_ref()?;
        let fixed = || Reference::parse(image).is_ok_and(|it| matches!(it.version, Version::Digest(_)));
        let holds = match result {
            Ok(_) => since.elapsed() < times.fresh || fixed(),
            Err(_) => since.elapsed() < times.pause,
        };
        holds.then(|| self.answer(result))
    }

    fn take(
        &mut self,
        image: &str,
        found: Result<OwnCommand, LookUpError>,
    ) -> Result<OwnCommand, LookUpError> {
        match &found {
            Ok(own) => self.good = Some(own.clone()),
            Err(error) => {
                if self.last.as_ref().is_none_or(|(_, last)| last.as_ref().err() != Some(error)) {
                    tracing::warn!(image, "could not look up the command of an image: {error}");
                }
            }
        }
        let (_, result) = self.last.insert((Instant::now(), found));
        let result = result.clone();
        self.answer(&result)
    }

    /// While a registry is away, what it said last holds: machines may have the image.
    fn answer(&self, result: &Result<OwnCommand, LookUpError>) -> Result<OwnCommand, LookUpError> {
        match (result, &self.good) {
            (Err(error), Some(good)) if !error.is_final() => Ok(good.clone()),
            _ => result.clone(),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
