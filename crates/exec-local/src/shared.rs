//! What the executor and the supervisors of its launches know together.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rutter_core::{
    executor::{AttemptName, LaunchEnd, Observation},
    id::LaunchName,
    plan::Needs,
};
use tokio::{
    sync::{Notify, RwLock, mpsc, watch},
    time::Instant,
};

use crate::{config::LocalConfig, folder::LaunchFolder, packing::Packing, remover::Remover};

/// Time beyond the grace that an agent has to end itself after it ended its command.
const AGENT_GRACE: Duration = Duration::from_secs(2);

/// State of all launches.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: LocalConfig,
    pub(crate) boot: String,
    pub(crate) remover: Remover,
    /// Held for writing while containers of lost launches are removed: one that is made then could be taken for one.
    pub(crate) strays: Arc<RwLock<()>>,
    state: Mutex<State>,
    /// Told when room became free.
    freed: Notify,
    changes: mpsc::UnboundedSender<LaunchName>,
}

#[derive(Debug)]
struct State {
    packing: Packing,
    launches: HashMap<LaunchName, Entry>,
    attempts: HashMap<String, AttemptName>,
}

#[derive(Debug)]
struct Entry {
    seen: Observation,
    orders: watch::Sender<Orders>,
    tokens: Vec<String>,
}

/// What the supervisor of a launch is asked to do.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Orders {
    /// End it: SIGTERM at once, SIGKILL at this time.
    pub(crate) end_by: Option<Instant>,
    /// Remove it once it ended.
    forget: bool,
    /// Leave everything as it is: somebody else takes over.
    pub(crate) abandon: bool,
}

/// What [`Shared::begin`] found.
pub(crate) enum Begun {
    /// Nothing: it is to be made.
    New(watch::Receiver<Orders>),
    /// It is there already.
    Found,
}

impl Shared {
    pub(crate) fn new(
        config: LocalConfig,
        boot: String,
        remover: Remover,
        changes: mpsc::UnboundedSender<LaunchName>,
    ) -> Self {
        let packing = Packing::new(config.capacity);
        let state = State { packing, launches: HashMap::new(), attempts: HashMap::new() };
        let strays = Arc::default();
        let freed = Notify::new();
        Self { config, boot, remover, strays, state: Mutex::new(state), freed, changes }
    }

    pub(crate) fn folder(&self, name: LaunchName) -> LaunchFolder {
        LaunchFolder::new(&self.config.folder, name)
    }

    pub(crate) fn admit(&self, waiting: &[rutter_core::executor::Waiting]) -> Vec<LaunchName> {
        let mut state = self.state();
        let mut admitted = state.packing.admit(waiting);
        admitted.extend(state.packing.admit_ahead(waiting));
        admitted
    }

    /// Wait until a launch has its room.
    pub(crate) async fn room(&self, name: LaunchName) {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if !self.state().packing.is_ahead(name) {
                return;
            }
            freed.await;
        }
    }

    /// Give the room of a launch back.
    fn free(&self, state: &mut State, name: LaunchName) {
        state.packing.free(name);
        self.freed.notify_waiters();
    }

    /// Enter a launch, unless it is there.
    pub(crate) fn begin(&self, name: LaunchName, needs: Needs) -> Begun {
        let mut state = self.state();
        let ended = state.launches.get(&name).map(|entry| matches!(entry.seen, Observation::Ended { .. }));
        match ended {
            None => {
                if !state.packing.is_ahead(name) {
                    state.packing.hold(name, needs);
                }
                let (orders, receiver) = watch::channel(Orders::default());
                let seen = Observation::Pending { reason: None };
                state.launches.insert(name, Entry { seen, orders, tokens: Vec::new() });
                Begun::New(receiver)
            }
            Some(true) => {
                // Admitted once more although it ended: the caller missed that.
                self.free(&mut state, name);
                drop(state);
                self.tell(name);
                Begun::Found
            }
            Some(false) => Begun::Found,
        }
    }

    /// Know an attempt by its secret, from before its agent starts.
    pub(crate) fn add_token(&self, token: String, attempt: AttemptName) {
        let mut state = self.state();
        if let Some(entry) = state.launches.get_mut(&attempt.launch) {
            entry.tokens.push(token.clone());
            state.attempts.insert(token, attempt);
        }
    }

    pub(crate) fn identify(&self, token: &str) -> Option<AttemptName> {
        self.state().attempts.get(token).cloned()
    }

    /// Note that a launch is pending or running.
    pub(crate) fn note(&self, name: LaunchName, seen: Observation) {
        if let Some(entry) = self.state().launches.get_mut(&name) {
            entry.seen = seen;
        }
        self.tell(name);
    }

    /// Note that a launch ended: its room is free. One that nobody wants to see any more is removed.
    pub(crate) fn finish(&self, name: LaunchName, end: LaunchEnd) {
        let mut state = self.state();
        self.free(&mut state, name);
        let forget = match state.launches.get_mut(&name) {
            Some(entry) => {
                entry.seen = Observation::Ended { end };
                entry.orders.borrow().forget
            }
            None => return,
        };
        if forget {
            state.remove(name);
        }
        drop(state);
        if forget && let Err(error) = self.remover.remove(self.folder(name).path()) {
            tracing::warn!(job.id = %name.job, %error, "could not remove the folder of a launch");
        }
        self.tell(name);
    }

    /// A launch holds nothing any more, and goes on.
    pub(crate) fn make_room(&self, name: LaunchName) {
        let mut state = self.state();
        if state.launches.contains_key(&name) {
            self.free(&mut state, name);
        }
    }

    /// Forget a launch that was entered and not made.
    pub(crate) fn withdraw(&self, name: LaunchName) {
        let mut state = self.state();
        self.free(&mut state, name);
        state.remove(name);
    }

    pub(crate) fn end(&self, name: LaunchName, grace: Duration) {
        self.order(name, |orders| orders.end_within(grace));
    }

    /// Forget a launch; `false` = it runs, and is ended and forgotten later.
    pub(crate) fn release(&self, name: LaunchName) -> bool {
        let mut state = self.state();
        match state.launches.get(&name) {
            Some(Entry { seen: Observation::Ended { .. }, .. }) | None => {
                self.free(&mut state, name);
                state.remove(name);
                true
            }
            Some(entry) => {
                entry.orders.send_modify(|orders| {
                    orders.end_within(self.config.grace);
                    orders.forget = true;
                });
                false
            }
        }
    }

    pub(crate) fn observe(&self, name: LaunchName) -> Option<Observation> {
        let state = self.state();
        match state.launches.get(&name) {
            Some(entry) => Some(entry.seen.clone()),
            // Admitted, and its launch is on the way: waiting again would start it twice.
            None => state.packing.holds(name).then_some(Observation::Pending { reason: None }),
        }
    }

    /// Whether a launch is entered.
    pub(crate) fn knows(&self, name: LaunchName) -> bool {
        self.state().launches.contains_key(&name)
    }

    pub(crate) fn list(&self) -> Vec<LaunchName> {
        let mut names: Vec<_> = self.state().launches.keys().copied().collect();
        names.sort_unstable();
        names
    }

    /// Supervise nothing any more; what runs goes on.
    pub(crate) fn abandon(&self) {
        for entry in self.state().launches.values() {
            entry.orders.send_modify(|orders| orders.abandon = true);
        }
    }

    fn order(&self, name: LaunchName, change: impl FnOnce(&mut Orders)) {
        if let Some(entry) = self.state().launches.get(&name) {
            entry.orders.send_modify(change);
        }
    }

    fn tell(&self, name: LaunchName) {
        let _ = self.changes.send(name);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, name: LaunchName) {
        for token in self.launches.remove(&name).map(|entry| entry.tokens).unwrap_or_default() {
            self.attempts.remove(&token);
        }
    }
}

impl Orders {
    /// A later order can shorten the time, not prolong it.
    fn end_within(&mut self, grace: Duration) {
        let by = Instant::now().checked_add(grace.saturating_add(AGENT_GRACE));
        let by = by.unwrap_or_else(|| Instant::now() + Duration::from_secs(365 * 24 * 3600));
        self.end_by = Some(self.end_by.map_or(by, |earlier| earlier.min(by)));
    }
}
