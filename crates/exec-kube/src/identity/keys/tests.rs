//! Keys that come and go, on clusters that do.

use kube::Config;

use super::*;
use crate::bench::{
    fake::Fake,
    signer::{Signer, claims},
};

struct Bench {
    fake: Fake,
    client: Client,
    keys: Arc<Keys>,
    signer: Signer,
    token: String,
}

impl Bench {
    async fn new() -> Self {
        let signer = Signer::new("k1");
        let fake = Fake::start(&signer).await;
        let mut config = Config::new(fake.url.parse().unwrap());
        config.default_retry = false;
        let client = Client::try_from(config).unwrap();
        let token = signer.sign(&claims("pod", "uid"));
        Self { fake, client, keys: Arc::default(), signer, token }
    }

    async fn verify(&self) -> Result<bool, ExecutorError> {
        let now = Timestamp::from_second(2000).unwrap();
        Ok(self.keys.verify(&self.client, &self.token, now).await?.is_some())
    }

    fn calls(&self) -> usize {
        self.fake.cluster().calls.len()
    }

    /// Whoever reads the keys in the background has done so.
    async fn settled(&self) {
        drop(self.keys.reading.lock().await);
    }
}

async fn later(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_cluster_in_trouble_is_not_asked_by_every_token() {
    let bench = Bench::new().await;
    bench.fake.cluster().down = true;
    bench.verify().await.unwrap_err();
    for _ in 0..3 {
        assert!(!bench.verify().await.unwrap());
    }
    assert_eq!(bench.fake.cluster().calls, ["GET keys"]);
}

#[tokio::test]
async fn a_withdrawn_key_opens_nothing_for_long() {
    let bench = Bench::new().await;
    assert!(bench.verify().await.unwrap());
    bench.fake.cluster().keys = vec![Signer::new("k2").jwk];
    later(FRESH).await;
    assert!(bench.verify().await.unwrap(), "nobody waits for the reading");
    bench.settled().await;
    assert!(!bench.verify().await.unwrap());
}

#[tokio::test]
async fn after_a_long_silence_keys_are_read_before_they_are_trusted() {
    let bench = Bench::new().await;
    assert!(bench.verify().await.unwrap());
    bench.fake.cluster().keys = vec![Signer::new("k2").jwk];
    later(STALE).await;
    assert!(!bench.verify().await.unwrap());
}

#[tokio::test]
async fn a_key_made_anew_under_an_old_name_counts_and_the_old_one_does_not() {
    let mut bench = Bench::new().await;
    assert!(bench.verify().await.unwrap());
    let signer = Signer::new("k1");
    bench.fake.cluster().keys = vec![signer.jwk.clone()];
    later(STALE).await;
    assert!(!bench.verify().await.unwrap());
    bench.token = signer.sign(&claims("pod", "uid"));
    assert!(bench.verify().await.unwrap());
    bench.token = bench.signer.sign(&claims("pod", "uid"));
    assert!(!bench.verify().await.unwrap());
}

#[tokio::test]
async fn keys_of_a_cluster_that_is_away_stay_and_it_is_asked_now_and_then() {
    let bench = Bench::new().await;
    assert!(bench.verify().await.unwrap());
    let before = bench.calls();
    bench.fake.cluster().down = true;
    for age in [FRESH, STALE] {
        later(age).await;
        for _ in 0..3 {
            assert!(bench.verify().await.unwrap());
            bench.settled().await;
        }
    }
    assert_eq!(bench.calls() - before, 2);
    bench.fake.cluster().down = false;
    later(PAUSE).await;
    assert!(bench.verify().await.unwrap());
}

#[tokio::test]
async fn a_cluster_that_refuses_its_keys_is_not_trusted_by_old_ones() {
    let bench = Bench::new().await;
    assert!(bench.verify().await.unwrap());
    bench.fake.cluster().forbids_keys = true;
    later(STALE).await;
    assert!(!bench.verify().await.unwrap());
    later(PAUSE).await;
    bench.verify().await.unwrap_err();
    bench.fake.cluster().forbids_keys = false;
    later(PAUSE).await;
    assert!(bench.verify().await.unwrap());
}

#[tokio::test]
async fn keys_in_use_are_read_every_few_minutes_and_no_more() {
    let bench = Bench::new().await;
    for _ in 0..10 {
        assert!(bench.verify().await.unwrap());
        bench.settled().await;
        later(FRESH / 5).await;
    }
    assert_eq!(bench.calls(), 2);
}
