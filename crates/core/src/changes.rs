//! Change signals: whoever waits for a job is woken when its record or its log changed, and looks for itself.
//!
//! Subscribe before you query, or a change in between is missed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::id::JobId;

/// Wakes those who wait for jobs. Costs nothing for a job that nobody waits for.
#[derive(Clone, Debug, Default)]
pub struct Changes(Arc<Mutex<HashMap<JobId, watch::Sender<u64>>>>);

/// Somebody who waits for one job.
#[derive(Debug)]
pub struct Subscription {
    job: JobId,
    receiver: Option<watch::Receiver<u64>>,
    changes: Changes,
}

impl Changes {
    /// Wait for a job's changes from now on.
    pub fn subscribe(&self, job: JobId) -> Subscription {
        let receiver = self.lock().entry(job).or_insert_with(|| watch::Sender::new(0)).subscribe();
        Subscription { job, receiver: Some(receiver), changes: self.clone() }
    }

    /// A job changed.
    pub fn tell(&self, job: JobId) {
        if let Some(sender) = self.lock().get(&job) {
            sender.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, watch::Sender<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    /// Until the next change, or one that came since the last call.
    pub async fn changed(&mut self) {
        if let Some(receiver) = &mut self.receiver
            && receiver.changed().await.is_err()
        {
            // The sender lives as long as a receiver does; without one nothing will ever change.
            std::future::pending().await
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.receiver = None;
        let mut senders = self.changes.lock();
        if senders.get(&self.job).is_some_and(|sender| sender.receiver_count() == 0) {
            senders.remove(&self.job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_between_subscribing_and_waiting_is_not_missed() {
        let changes = Changes::default();
        let job = JobId::generate();
        let mut subscription = changes.subscribe(job);
        changes.tell(job);
        subscription.changed().await;
    }

    #[test]
    fn nothing_is_kept_for_a_job_that_nobody_waits_for() {
        let changes = Changes::default();
        let job = JobId::generate();
        let (first, second) = (changes.subscribe(job), changes.subscribe(job));
        drop(first);
        assert_eq!(changes.lock().len(), 1);
        drop(second);
        assert!(changes.lock().is_empty());
    }
}
