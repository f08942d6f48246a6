//! How much attempts have sent: the limit of outputs holds for all of an attempt together, however they are divided and whoever
//! holds the agent's token.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::StreamExt;

use crate::{
    executor::AttemptName,
    id::JobId,
    results::{ByteStream, ObjectError, Objects},
};

/// Values of one output: more don't fit into a report either.
pub(super) const MOST_VALUES: usize = 200_000;

/// What attempts have sent; in memory while they send.
#[derive(Debug, Default)]
pub(crate) struct Sent(Mutex<HashMap<AttemptName, Arc<Mutex<Count>>>>);

/// Bytes of one attempt.
#[derive(Debug, Default)]
struct Count {
    /// By output and index, as far as each was reached: what is sent again counts once.
    reached: HashMap<String, u64>,
    total: u64,
}

impl Count {
    fn reach(&mut self, value: &str, bytes: u64, limit: u64) -> Result<(), ObjectError> {
        let known = self.reached.get_mut(value);
        let more = bytes.saturating_sub(known.as_deref().copied().unwrap_or(0));
        if self.total.saturating_add(more) > limit {
            return Err(ObjectError::TooLarge { limit });
        }
        self.total += more;
        match known {
            Some(reached) => *reached += more,
            None => drop(self.reached.insert(value.to_owned(), more)),
        }
        Ok(())
    }
}

impl Sent {
    /// The same bytes, which begin at `offset` of a value (output and index), until all of the attempt's are more than `limit`.
    /// `folders` have, by the same names, what an earlier server received of it.
    pub(super) async fn metered(
        &self,
        attempt: &AttemptName,
        objects: &Objects,
        folders: [&str; 2],
        (value, offset): (&str, u64),
        limit: u64,
        body: ByteStream,
    ) -> Result<ByteStream, ObjectError> {
        let known = locked(&self.0).get(attempt).cloned();
        let count = match known {
            Some(count) => count,
            None => {
                let mut count = Count::default();
                for folder in folders {
                    for (key, bytes) in objects.list(folder).await? {
                        let value = key.strip_prefix(folder).unwrap_or(&key).trim_start_matches('/');
                        // What is there already is not refused.
                        count.reach(value, bytes, u64::MAX)?;
                    }
                }
                let count = Arc::new(Mutex::new(count));
                locked(&self.0).entry(attempt.clone()).or_insert(count).clone()
            }
        };
        let (value, mut at) = (value.to_owned(), offset);
        Ok(body
            .map(move |piece| {
                let piece = piece?;
                at = at.saturating_add(piece.len() as u64);
                locked(&count).reach(&value, at, limit)?;
                Ok(piece)
            })
            .boxed())
    }

    /// A job has ended.
    pub(crate) fn forget(&self, job: JobId) {
        locked(&self.0).retain(|attempt, _| attempt.launch.job != job);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::{TryStreamExt, stream};

    use super::*;
    use crate::id::LaunchName;

    /// The bytes that are let through, or none of them.
    async fn sent(
        sent: &Sent,
        job: JobId,
        objects: &Objects,
        place: (&str, u64),
        bytes: &'static [u8],
    ) -> Option<Vec<Bytes>> {
        let launch = LaunchName { job, launch: 1 };
        let attempt = AttemptName { launch, uid: "a".into() };
        let body = stream::iter([Ok(Bytes::from_static(bytes))]).boxed();
        let metered = sent.metered(&attempt, objects, ["outputs", "drafts"], place, 6, body).await.ok()?;
        metered.try_collect().await.ok()
    }

    #[tokio::test]
    async fn what_an_earlier_server_received_counts_once() {
        let objects = Objects::new(Arc::new(object_store::memory::InMemory::new()));
        objects.put("outputs/text/0", Bytes::from_static(b"12")).await.unwrap();
        objects.put("drafts/map/0", Bytes::from_static(b"12")).await.unwrap();
        let (fresh, job) = (Sent::default(), JobId::generate());
        assert!(sent(&fresh, job, &objects, ("map/0", 2), b"34").await.is_some(), "it goes on");
        assert!(sent(&fresh, job, &objects, ("text/0", 0), b"12").await.is_some(), "it comes again");
        assert!(sent(&fresh, job, &objects, ("text/1", 0), b"1").await.is_none(), "nothing is left");
        fresh.forget(job);
        assert!(fresh.0.lock().unwrap().is_empty());
    }
}
