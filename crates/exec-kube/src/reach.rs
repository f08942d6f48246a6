//! Whether the cluster answers: said once when it no longer does, and once when it does again, however many calls and jobs
//! that concerns.

use std::{
    error::Error,
    sync::{Mutex, MutexGuard, PoisonError},
};

use http::{Response, StatusCode};
use tokio::time::Instant;

/// What the calls of one client met with.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whoever never answered is not away, but not to be found; who looked for it is told so.
    known: bool,
    away: Option<Away>,
}

#[derive(Debug)]
struct Away {
    since: Instant,
    failed: u64,
    /// Since when every call has been answered.
    answered: Option<Instant>,
}

/// An outage that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outage {
    seconds: u64,
    failed: u64,
}

type Answer<B> = Result<Response<B>, Box<dyn Error + Send + Sync>>;

impl Reach {
    /// For the client: passes every answer on.
    pub(crate) fn heard<B>(&self, answer: Answer<B>) -> Answer<B> {
        match &answer {
            Err(error) => self.failed(&cause_of(&**error)),
            Ok(answer) if is_away(answer.status().as_u16()) => {
                self.failed(&format!("it answers {}", answer.status()));
            }
            // One call's own trouble, or the whole cluster's: nobody can tell.
            Ok(answer) if answer.status() == StatusCode::INTERNAL_SERVER_ERROR => {}
            Ok(_) => self.answered(),
        }
        answer
    }

    /// A call had no answer, or none that means anything.
    pub(crate) fn failed(&self, cause: &str) {
        if self.note_failure() {
            tracing::warn!(
                cause,
                "the cluster does not answer; what runs there goes on, everything else is tried again"
            );
        }
    }

    /// Say that it answers again, if it does. Not at the first answer: a cluster that comes back answers some calls first.
    pub(crate) fn settle(&self) {
        if let Some(Outage { seconds, failed }) = self.end() {
            tracing::info!(seconds, failed_calls = failed, "the cluster answers again");
        }
    }

    /// True when it is news.
    fn note_failure(&self) -> bool {
        let mut state = self.state();
        if !state.known {
            return false;
        }
        let is_news = state.away.is_none();
        let away =
            state.away.get_or_insert_with(|| Away { since: Instant::now(), failed: 0, answered: None });
        away.failed += 1;
        away.answered = None;
        is_news
    }

    fn answered(&self) {
        let mut state = self.state();
        state.known = true;
        if let Some(away) = &mut state.away {
            away.answered.get_or_insert_with(Instant::now);
        }
    }

    fn end(&self) -> Option<Outage> {
        let away = &mut self.state().away;
        let answered = away.as_ref()?.answered?;
        let Away { since, failed, .. } = away.take()?;
        Some(Outage { seconds: answered.duration_since(since).as_secs(), failed })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a status tells that the cluster, not this call, is in trouble.
pub(crate) fn is_away(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

/// The innermost cause says what happened.
fn cause_of(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_once_at_its_beginning_and_once_at_its_end() {
        let reach = Reach::default();
        reach.answered();
        let told: Vec<bool> = (0..3).map(|_| reach.note_failure()).collect();
        assert_eq!(told, [true, false, false]);
        assert_eq!(reach.end(), None, "it is still away");
        reach.answered();
        assert!(!reach.note_failure(), "the same outage: it had not come back for good");
        assert_eq!(reach.end(), None);
        reach.answered();
        assert_eq!(reach.end().map(|outage| outage.failed), Some(4));
        assert_eq!(reach.end(), None);
        assert!(reach.note_failure(), "the next one");
    }

    #[test]
    fn who_was_never_there_is_not_away() {
        let reach = Reach::default();
        assert!(!reach.note_failure());
        assert_eq!(reach.end(), None);
    }

    #[test]
    fn answers_that_refuse_are_answers() {
        let reach = Reach::default();
        let answer = |status| {
            Ok::<_, Box<dyn Error + Send + Sync>>(Response::builder().status(status).body(()).unwrap())
        };
        for status in [200, 403, 404, 409, 410, 422] {
            let _ = reach.heard(answer(status));
        }
        assert!(reach.state().known && reach.state().away.is_none());
        let _ = reach.heard(answer(500));
        assert!(reach.state().away.is_none(), "one call's own trouble");
        let _ = reach.heard(answer(503));
        let _ = reach.heard::<()>(Err("connection refused".into()));
        assert_eq!(reach.state().away.as_ref().map(|away| away.failed), Some(2));
    }
}
