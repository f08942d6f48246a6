//! Calls on their way: which, to whom, and their ends, however they end.

use std::{collections::HashMap, future::Future};

use rutter_core::store::{Call, CallId};
use tokio::task::{Id, JoinError, JoinSet};

/// Calls on their way; each ends with a `T`, or unexpectedly.
pub(super) struct UnderWay<T> {
    tasks: JoinSet<T>,
    calls: HashMap<Id, (Call, String)>,
}

impl<T> Default for UnderWay<T> {
    fn default() -> Self {
        Self { tasks: JoinSet::new(), calls: HashMap::new() }
    }
}

impl<T: Send + 'static> UnderWay<T> {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether a call is among them.
    pub(super) fn has(&self, id: &CallId) -> bool {
        self.calls.values().any(|(call, _)| call.id == *id)
    }

    /// How many of them go to a host.
    pub(super) fn to(&self, host: &str) -> usize {
        self.calls.values().filter(|(_, busy)| busy == host).count()
    }

    /// Send one off.
    pub(super) fn start(&mut self, call: Call, host: String, work: impl Future<Output = T> + Send + 'static) {
        let task = self.tasks.spawn(work);
        self.calls.insert(task.id(), (call, host));
    }

    /// The next that ends; its place is free again. `None` when there is none.
    pub(super) async fn next(&mut self) -> Option<(Call, Result<T, JoinError>)> {
        loop {
            let (id, ended) = match self.tasks.join_next_with_id().await? {
                Ok((id, sent)) => (id, Ok(sent)),
                Err(error) => (error.id(), Err(error)),
            };
            if let Some((call, _)) = self.calls.remove(&id) {
                return Some((call, ended));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rutter_core::{id::JobId, store::CallKind};

    use super::*;

    fn call() -> Call {
        let at = Timestamp::UNIX_EPOCH;
        let id = CallId { job: JobId::generate(), kind: CallKind::Success };
        Call { id, kind: CallKind::Success, url: "http://x/".into(), tries: 0, created: at, due: at }
    }

    #[tokio::test]
    async fn a_call_that_panics_gives_its_place_back() {
        let mut calls = UnderWay::<u8>::default();
        let (good, bad) = (call(), call());
        calls.start(good.clone(), "h:1".into(), async { 7 });
        calls.start(bad.clone(), "h:1".into(), async { panic!("on purpose") });
        assert_eq!((calls.len(), calls.to("h:1"), calls.to("h:2"), calls.has(&bad.id)), (2, 2, 0, true));
        let mut ends = HashMap::new();
        while let Some((call, ended)) = calls.next().await {
            ends.insert(call.id, ended.ok());
        }
        assert_eq!(ends, HashMap::from([(good.id, Some(7)), (bad.id, None)]));
        assert_eq!((calls.len(), calls.to("h:1"), calls.has(&bad.id)), (0, 0, false));
    }
}
