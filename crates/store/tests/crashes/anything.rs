//! Whatever callers and agents do, wherever the server dies, however full the disk is and whenever the database is lost:
//! what was acknowledged stays (invariants 1, 3 and 6).

use std::time::Duration;

use proptest::{collection::vec, option, prelude::*};
use rutter_core::{
    engine::{Dismissed, SubmitError},
    executor::AttemptName,
    id::{JobId, LaunchName},
    job::State,
};

use crate::{
    fault::{Death, Room},
    world::{Server, Shown, World, eventually},
};

/// One thing that happens. `usize` chooses among the jobs that were acknowledged.
#[derive(Clone, Debug)]
enum Step {
    Submit(Option<u8>),
    Succeed(usize),
    Fail(usize),
    Delete(usize),
    Restart,
    LoseStore,
    /// The server dies so many writes later.
    Die(Death),
    Room(Room, Room),
}

fn step() -> impl Strategy<Value = Step> {
    let store = prop_oneof![2 => Just(Room::Enough), 2 => Just(Room::UntilFreed), 1 => Just(Room::None)];
    let objects = prop_oneof![Just(Room::Enough), Just(Room::UntilFreed)];
    let death = (0..12_usize, any::<bool>()).prop_map(|(step, after)| Step::Die(Death { step, after }));
    prop_oneof![
        5 => option::weighted(0.4, 0..2_u8).prop_map(Step::Submit),
        5 => any::<usize>().prop_map(Step::Succeed),
        1 => any::<usize>().prop_map(Step::Fail),
        5 => any::<usize>().prop_map(Step::Delete),
        1 => Just(Step::Restart),
        1 => Just(Step::LoseStore),
        4 => death,
        1 => (store, objects).prop_map(|(store, objects)| Step::Room(store, objects)),
    ]
}

/// What is known of a job that was acknowledged.
#[derive(Debug)]
struct Fact {
    id: JobId,
    key: Option<u8>,
    /// It was launched, so a lost database brings it back.
    is_launched: bool,
    /// It was over and archived, like this.
    over: Option<State>,
    /// Its removal was asked for when it was over.
    may_be_removed: bool,
    /// It was seen gone.
    is_gone: bool,
    /// It was only queued when the database was lost.
    may_be_lost: bool,
}

struct Story {
    world: World,
    server: Option<Server>,
    facts: Vec<Fact>,
}

impl Story {
    async fn new() -> Self {
        let world = World::new();
        let server = world.start().await;
        Self { world, server: Some(server), facts: Vec::new() }
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    async fn restart(&mut self, loses_store: bool) {
        let server = self.server.take().unwrap();
        if loses_store {
            for fact in &mut self.facts {
                fact.is_launched |= self.world.executor.was_begun(fact.id);
                fact.may_be_lost |= !fact.is_launched && fact.over.is_none();
            }
            // A database that can't be made is no database that was lost.
            self.world.switch.set_room(Room::Enough, Room::Enough);
        }
        self.server = Some(if loses_store {
            self.world.restart_without_store(server).await
        } else {
            self.world.restart(server).await
        });
    }

    async fn perform(&mut self, step: &Step) {
        let pick = |which: &usize| which.checked_rem(self.facts.len());
        match step {
            Step::Submit(key) => self.submit(*key).await,
            Step::Succeed(which) | Step::Fail(which) => {
                let Some(index) = pick(which) else { return };
                let launch = LaunchName { job: self.facts[index].id, launch: 1 };
                let attempt = AttemptName { launch, uid: "1".into() };
                if !self.world.executor.is_there(launch) {
                    return;
                }
                // Without an answer the agent goes on asking, as in a later step.
                let _ = match step {
                    Step::Succeed(_) => self.server().succeed(&self.world, &attempt).await,
                    _ => self.server().fail(&self.world, &attempt).await,
                };
            }
            Step::Delete(which) => {
                let Some(index) = pick(which) else { return };
                let answer = self.server().engine.dismiss(self.facts[index].id).await;
                let fact = &mut self.facts[index];
                match answer {
                    Ok(Dismissed::Ended(_)) => {}
                    Ok(Dismissed::Removed(_) | Dismissed::Gone) => {
                        (fact.may_be_removed, fact.is_gone) = (true, true);
                    }
                    Ok(Dismissed::Unknown) => {}
                    Err(_) => fact.may_be_removed = true,
                }
            }
            Step::Restart => self.restart(false).await,
            Step::LoseStore => self.restart(true).await,
            Step::Die(death) => self.world.switch.die_at(*death),
            Step::Room(store, objects) => self.world.switch.set_room(*store, *objects),
        }
    }

    async fn submit(&mut self, key: Option<u8>) {
        let text = key.map(|key| key.to_string());
        let submitted = match self.server().submit(text.as_deref()).await {
            Ok(submitted) => submitted,
            Err(SubmitError::Store(_)) => return,
            Err(error) => panic!("{error}"),
        };
        let id = submitted.job.id;
        if submitted.known {
            assert!(key.is_some());
        } else {
            for fact in self.facts.iter().filter(|fact| key.is_some() && fact.key == key) {
                assert!(
                    fact.is_gone || fact.may_be_removed || fact.may_be_lost,
                    "its key is known: {fact:?}"
                );
            }
        }
        if !self.facts.iter().any(|fact| fact.id == id) {
            self.facts.push(Fact {
                id,
                key,
                is_launched: false,
                over: None,
                may_be_removed: false,
                is_gone: false,
                may_be_lost: false,
            });
        }
    }

    /// What is shown agrees with all that was known before.
    async fn check(&mut self) {
        for index in 0..self.facts.len() {
            let id = self.facts[index].id;
            let shown = self.server().shown(id).await;
            let is_kept = self.world.kept(id).await.iter().any(|key| key.ends_with("final.json"));
            let fact = &mut self.facts[index];
            match shown {
                Shown::Job(job) => {
                    assert!(!fact.is_gone, "it was gone: {fact:?}");
                    if let Some(over) = &fact.over {
                        assert_eq!(&job.state, over, "an end never changes");
                    } else if job.finished().is_some() && is_kept {
                        fact.over = Some(job.state.clone());
                    }
                }
                Shown::Gone => {
                    assert!(fact.may_be_removed, "nobody removed it: {fact:?}");
                    fact.is_gone = true;
                }
                Shown::Unknown => {
                    assert!(fact.may_be_lost || fact.may_be_removed, "it is lost: {fact:?}");
                    fact.is_gone = true;
                }
            }
        }
    }

    /// In the end everything has room and goes on: what was not over ends, and a lost database changes nothing any more.
    async fn end(&mut self) {
        self.world.switch.set_room(Room::Enough, Room::Enough);
        self.restart(false).await;
        self.check().await;
        for index in 0..self.facts.len() {
            let id = self.facts[index].id;
            let Some(job) = self.server().job(id).await else { continue };
            if job.finished().is_none() {
                let attempt = self.world.launched(id).await;
                let _ = self.server().succeed(&self.world, &attempt).await;
            }
            // An agent whose report was never answered asks again, hears that it is over, and ends.
            self.world.executor.over(LaunchName { job: id, launch: 1 });
            let server = self.server();
            eventually(async || server.job(id).await.is_none_or(|job| job.archived)).await;
        }
        self.check().await;
        self.restart(true).await;
        self.check().await;
        for fact in self.facts.iter().filter(|fact| fact.is_gone) {
            assert_eq!(self.world.kept(fact.id).await, Vec::<String>::new(), "nothing is left: {fact:?}");
        }
        self.world.executor.assert_nothing_ran_twice();
    }
}

async fn tell(steps: &[Step]) {
    let mut story = Story::new().await;
    for (number, step) in steps.iter().enumerate() {
        story.perform(step).await;
        // The reconciler does what it can.
        tokio::time::sleep(Duration::from_millis(2)).await;
        if story.world.switch.is_dead() {
            story.restart(number % 3 == 0).await;
        }
        story.check().await;
    }
    story.end().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_was_acknowledged_stays_whatever_happens(steps in vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(tell(&steps));
    }
}
